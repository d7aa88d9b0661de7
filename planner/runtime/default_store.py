"""The store of every command and function that is given none; imports nothing."""

DEFAULT_STORE = "sqlite:///apportion.db"
"""SQLAlchemy URL: a SQLite file in the working folder."""
