"""Answering a request by a plan."""
