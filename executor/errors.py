"""Errors that a user can fix: one clear line each."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: a wrong file, field, name, budget or version.

    The message is one line that says what is wrong, where (file and line if there is one) and what
    would be right. The command line prints it as it is and exits with code 2.
    """


class StoreError(InputError):
    """A store that cannot be opened, read or written, or does not hold what it should.

    The message shows the store's address without its password.
    """


class StoreLostError(StoreError):
    """The database of an open store cannot be reached; what is in the store is safe.

    The command line exits with code 3: the same command goes on when the database is back.
    """


class EngineError(RuntimeError):
    """An inference engine was lost or refused a request; finished problems stay in the store."""
