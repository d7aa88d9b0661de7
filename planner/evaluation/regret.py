"""Regret: what a plan loses to the best strategy of a difficulty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.evaluation.crossfit import Arena, Indices
from profiling.arrays import Floats
from profiling.pass_rate import Difficulty

_HALVES = 20  # random halvings of a cell, for an oracle that does not judge itself


@dataclass(frozen=True, slots=True)
class Regret:
    """Accuracy that a plan loses to the best strategy of a cell in hindsight.

    Attributes:
        arena: name of the policy and PRM.
        difficulty, budget: of the cell.
        problems: number of problems.
        plan: accuracy of the plan.
        naive: accuracy of the strategy that was best on these very problems. It was best by luck
            too, the more so the more strategies there are, so this overestimates the best one.
        honest: accuracy, on one half of the problems, of the strategy that was best on the other
            half; mean over many halvings. Chosen from fewer problems, it underestimates the best
            one.
    """

    arena: str
    difficulty: str
    budget: int
    problems: int
    plan: float
    naive: float
    honest: float


def regrets(arena: Arena, budget: int, picked: Indices, random_state: int = 0) -> Iterator[Regret]:
    """The regret of a plan in each difficulty; cells of fewer than four problems are left out.

    There is none if some strategy within the budget is not known in the difficulties.

    Args:
        arena: policy and PRM.
        budget: most generations a problem.
        picked: strategies by problem, shape `(problems,)`.
        random_state: seed of the halvings.
    """
    if not arena.rated(budget):
        return
    rng = np.random.default_rng(random_state)
    allowed, scored = arena.within(budget), arena.score_by_class(picked)
    for level in (difficulty.value for difficulty in Difficulty):
        mine = np.flatnonzero(arena.levels == level)
        if len(mine) < 4:
            continue
        accuracy = arena.in_class[np.ix_(mine, allowed)]
        yield Regret(
            arena.name,
            level,
            budget,
            len(mine),
            float(scored[mine].mean()),
            float(accuracy.mean(axis=0).max()),
            float(honest_oracle(accuracy, rng).mean()),
        )


def honest_oracle(accuracy: Floats, rng: np.random.Generator) -> Floats:
    """On each problem, the accuracy of the strategy that was best on the other half.

    Args:
        accuracy: shape `(problems, strategies)`.
        rng: draws the halvings; the result is the mean over all of them.

    Returns:
        Shape `(problems,)`.
    """
    problems = len(accuracy)
    total = np.zeros(problems)
    for _ in range(_HALVES):
        order = rng.permutation(problems)
        for judged, chosen in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            total[judged] += accuracy[judged, accuracy[chosen].mean(axis=0).argmax()]
    return np.asarray(total / _HALVES)
