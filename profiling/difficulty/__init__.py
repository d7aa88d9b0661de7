"""Estimates of difficulty from a question's text and probe samples."""
