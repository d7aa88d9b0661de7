"""Cascades: a small model answers first, and a larger one only if that is worth its cost."""
