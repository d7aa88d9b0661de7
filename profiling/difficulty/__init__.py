"""Difficulty: pass@1 posteriors, and estimates from a question's text and probe samples."""
