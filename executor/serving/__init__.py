"""Servers of models: the commands that start them, and servers started for tests and benches."""
