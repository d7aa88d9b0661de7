"""Errors that a user can fix: one clear line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input: a wrong file, field, name, budget or version.

    The message is one line that says what is wrong, where (file and line if there is one) and what
    would be right. The command line prints it as it is and exits with code 2.
    """


class EngineError(RuntimeError):
    """An inference engine was lost or refused a request; finished problems stay in the store."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message on an unknown name: those that are spelt most like it, if any is."""
    spelt = {one.lower(): one for one in sorted(known)}
    near = difflib.get_close_matches(name.lower(), spelt, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(spelt[one] for one in near)}?" if near else ""
