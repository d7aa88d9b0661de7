"""Domains: what an answer is, how it is graded, and how a question is put."""
