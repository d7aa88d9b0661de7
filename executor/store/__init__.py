"""The store of runs: a SQL database."""
