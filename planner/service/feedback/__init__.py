"""Feedback: graded answers that clients send back."""
