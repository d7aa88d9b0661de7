"""Feedback: clients' verdicts on answers, kept as evidence."""
