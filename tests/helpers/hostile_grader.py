"""A grader that finds a tower of powers in every response, as a hostile policy would write it."""

from __future__ import annotations

import hashlib

from executor.answers.grader import MathGrader

TOWERS = [f"{a}^{{{a}^{{{a}^{{{b}}}}}}}" for a in range(3, 9) for b in range(6, 9)]
"""Different towers; each takes all the time that it is given."""


class TowerGrader(MathGrader):
    """Extracts one of `TOWERS` from each response; equal responses have equal answers."""

    def extract(self, response: str) -> str | None:
        digest = hashlib.sha256(response.encode()).digest()
        return TOWERS[int.from_bytes(digest[:4], "big") % len(TOWERS)]
