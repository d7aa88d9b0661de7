"""The task's exact checker of steps, which knows nothing of tokens: what labels must agree with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from profiling.problems.wordproblems import STEP_DELIMITER

_CALCULATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (?:(\d+)|\\boxed\{(\d+)\})")


def right_steps(solution: str, steps: Sequence[str]) -> list[bool]:
    """Whether each step of a response is right and all before it are.

    Args:
        solution: the problem's own solution.
        steps: the texts of the response's steps, delimiters included or not.

    A step is right if it is the chain's next calculation with its result; whether it marks the
    answer must agree too. Spacing does not matter.
    """
    wanted = [_parse(paragraph) for paragraph in solution.split(STEP_DELIMITER)]
    right: list[bool] = []
    for place, step in enumerate(steps):
        good = place < len(wanted) and _parse(step) == wanted[place]
        right.append(good and all(right))
    return right


def _parse(step: str) -> tuple[str | None, ...] | None:
    """A step's parts, or None where it is no calculation."""
    found = _CALCULATION.fullmatch(" ".join(step.split()))
    return None if found is None else found.groups()
