"""Runs over many problems: admission, the executor, the loop that stores outcomes."""
