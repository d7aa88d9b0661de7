"""Answers: extraction from a response, comparison, votes."""
