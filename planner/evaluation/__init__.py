"""Evaluation: plans judged on problems that did not make them."""
