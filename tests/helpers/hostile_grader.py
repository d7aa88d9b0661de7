"""A grader that finds an answer in every response that no process can compare in time."""

from __future__ import annotations

import hashlib
from pathlib import Path

from executor.answers.grader import MathGrader
from executor.answers.symbolic import Comparer
from tests.helpers.toy_nursery import toy_nursery

ENDLESS = [rf"\sqrt{{{n}}}" for n in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)]
"""Different answers; the children of this grader never end the comparison of one."""


class HostileGrader(MathGrader):
    """Extracts one of `ENDLESS` from each response; equal responses have equal answers.

    Args:
        folder: a place for the script of its processes.
        deadline: most seconds of one comparison.
        budget: most seconds of all comparisons for one question.
    """

    def __init__(self, folder: Path, deadline: float = 0.1, budget: float = 0.3) -> None:
        super().__init__(deadline, budget)
        self._comparer = Comparer(toy_nursery(folder), deadline, budget)
        # A busy machine may start the processes in more time than one comparison has.
        ready = any(self.equivalent(f"x+{n}a", f"x+{n}A") for n in range(100))
        assert ready, "the processes are there"

    def extract(self, response: str) -> str | None:
        digest = hashlib.sha256(response.encode()).digest()
        return ENDLESS[int.from_bytes(digest[:4], "big") % len(ENDLESS)]
