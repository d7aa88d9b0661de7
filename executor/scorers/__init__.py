"""Scorers: what says how good a response or a step is."""
