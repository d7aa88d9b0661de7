"""What a form reads its parts with.

Most forms have answers inside: an equation a value, a set its items. The readers of this package
get what reads these as an argument, since `executor.answers.reading` tries all of them in turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from executor.answers.meanings import Meaning


class ReadMeaning(Protocol):
    """Reads an answer in normal form."""

    def __call__(self, form: str, *, lists: bool = True) -> Meaning:
        """Read it; `lists` says whether it may be a list without brackets."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The functions that read the parts of a form.

    Attributes:
        meaning: reads any part.
        item: reads an item in brackets, a cell of a matrix or a side of an inequality, in which a
            letter is a variable before it is a choice.
    """

    meaning: ReadMeaning
    item: Callable[[str], Meaning]
