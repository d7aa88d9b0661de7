"""Scorers: models that judge a response or a step."""
