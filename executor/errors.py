"""Errors that a user can fix: one clear line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: a wrong file, field, name, budget or version.

    The message is one line that says what is wrong, where (file and line if there is one) and what
    would be right. The command line prints it as it is and exits with code 2.
    """


class StoreError(InputError):
    """A store that cannot be opened, read or written, or does not hold what it should.

    The message shows the store's address without its password. Its user can mend the address or the
    database. A client of the service can do neither, and gets no more than that the store is not
    available.
    """


class StoreLostError(StoreError):
    """The database of an open store cannot be reached; what is in the store is safe.

    The command line exits with code 3: the same command goes on when the database is back.
    """


class EngineError(RuntimeError):
    """An inference engine was lost or refused a request; finished problems stay in the store."""


class MoneySpentError(RuntimeError):
    """A request was not sent, since it could have cost more than is left of the limit in USD."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: those that are spelt most like it, if any is."""
    spelt = {one.lower(): one for one in sorted(known)}
    near = difflib.get_close_matches(name.lower(), spelt, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(spelt[one] for one in near)}?" if near else ""


def one_line(text: object, most: int = 400) -> str:
    """Return a text on one line of printable characters, cut if it is longer than `most`.

    What is quoted from a file may hold anything, and would otherwise reach terminals and logs.
    """
    plain = " ".join(str(text)[: most + 1].split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)
    return shown if len(shown) <= most else f"{shown[:most]}..."
