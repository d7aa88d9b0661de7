"""What few problems can tell: a note, and the number of problems that would tell leaders apart."""

from __future__ import annotations

import math
from statistics import NormalDist

from planner.choice.recommend import Recommendation
from planner.choice.runner_up import RunnerUp
from planner.notes import Note, NoteCode
from planner.prediction.beta import LEVEL

# Below this number of problems of its difficulty, a choice rests on the formulas more than on
# outcomes. In `bench/coverage.py` the strategy that was recommended for medium problems is then
# overstated by .02 to .05 on average, and by .01 or less from this number on.
FEW = 15
# A smaller difference of accuracies is not worth telling apart.
_WORTH_TELLING = 0.01


def few_problems_notes(made: Recommendation, second: RunnerUp | None) -> list[Note]:
    """Return a note if the choice rests on fewer than `FEW` problems.

    Estimates of strategies that were never measured, and published figures, have notes of their
    own.

    Args:
        made: the recommendation.
        second: the runner-up; None if the choice has no rival. One that these problems tell apart
            from the choice is not named.
    """
    problems = made.choice.problems
    if not 0 < problems < FEW or made.choice.sources == "published":
        return []
    rival, needed = "", 0
    if second is not None:
        contrast, rival = second.contrast, second.choice.title
        needed = problems_to_tell_apart(contrast.difference, contrast.error, problems)
        if contrast.told_apart:
            rival, needed = "", 0
    return [
        Note.of(
            NoteCode.FEW_PROBLEMS, problems=problems, enough=FEW, rival=rival, needed=needed
        )
    ]  # fmt: skip


def problems_to_tell_apart(difference: float, error: float, problems: int) -> int:
    """Return the number of problems at which the interval of a difference excludes 0.

    The error of a mean falls with the square root of the number of problems. The result is at
    least `problems` and has two significant digits, because it rests on the same few problems.

    Args:
        difference: difference of the accuracies; one below a hundredth counts as a hundredth.
        error: its standard error on so many problems.
        problems: number of problems behind `error`.
    """
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    needed = problems * (reach * error / max(abs(difference), _WORTH_TELLING)) ** 2
    unit: int = 10 ** max(0, math.floor(math.log10(max(needed, 1.0))) - 1)
    return max(problems, math.ceil(needed / unit) * unit)
