"""Policies: the models that write."""
