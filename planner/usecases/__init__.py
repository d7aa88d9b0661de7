"""Use cases: what a command, the service and the Python API do, as functions.

A module each, with one function of the same name: it takes typed arguments, returns a frozen
result and raises `executor.errors.InputError`. None of them knows the command line.
"""

DEFAULT_STORE = "sqlite:///apportion.db"
"""SQLAlchemy URL of the store that is used if none is named: a file in the current folder."""
