"""The plan's curve beside a fixed strategy: accuracy at equal tokens, tokens at equal accuracy.

A plan of one budget seldom spends what the strategy spends, so the plans of all budgets are taken
together. Between two of them the curve is a straight line in tokens: that is what running the one
on a share of the questions, and the other on the rest, gets and spends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planner.evaluation.bootstrap import Interval, TwoWayBootstrap
from planner.evaluation.comparison import Rule
from planner.evaluation.crossfit import Arena
from profiling.arrays import Floats


@dataclass(frozen=True, slots=True)
class Exchange:
    """The plans of all budgets beside another rule at one budget.

    Attributes:
        against: name of the other rule.
        budget: most generations a problem of the other rule.
        arenas: number of policies and PRMs that it could be run with.
        accuracy: accuracy of the plans at the rule's tokens, minus the rule's.
        tokens: fewest tokens at which the plans reach the rule's accuracy, over the rule's;
            infinite if they do not.
        reached: share of the draws in which they reach it.
    """

    against: str
    budget: int
    arenas: int
    accuracy: Interval
    tokens: Interval
    reached: float


def exchange(
    found: Sequence[Arena],
    against: str,
    rule: Rule,
    budget: int,
    budgets: Sequence[int],
    random_state: int = 0,
) -> Exchange | None:
    """The plans of all budgets beside a rule at one budget; None if the rule cannot be run.

    Args:
        found: policies and PRMs.
        against, rule, budget: the rule.
        budgets: budgets of the plans, rising.
        random_state: seed of the draws.
    """
    usable = [(arena, run) for arena in found if (run := rule(arena, budget)) is not None]
    if not usable:
        return None
    draws = TwoWayBootstrap([arena.problems for arena, _ in usable], random_state)
    plans = [[arena.as_run(n) for arena, _ in usable] for n in budgets]
    accuracy = np.array([draws.observed_and_drawn([r.accuracy for r in runs]) for runs in plans]).T
    tokens = np.array([draws.observed_and_drawn([r.tokens for r in runs]) for runs in plans]).T
    fixed = [run for _, run in usable]
    aim = draws.observed_and_drawn([run.accuracy for run in fixed])
    spent = draws.observed_and_drawn([run.tokens for run in fixed])
    gains, ratios = np.empty_like(aim), np.empty_like(aim)
    for i, (target, cost) in enumerate(zip(aim, spent, strict=True)):
        gains[i] = accuracy_for(cost, accuracy[i], tokens[i]) - target
        ratios[i] = tokens_for(target, accuracy[i], tokens[i]) / cost
    return Exchange(
        against,
        budget,
        len(usable),
        Interval.from_draws(gains[0], gains[1:]),
        Interval.from_draws(ratios[0], ratios[1:]),
        float(np.isfinite(ratios[1:]).mean()),
    )


def accuracy_for(cost: float, accuracy: Floats, tokens: Floats) -> float:
    """The highest accuracy of a curve at no more than a cost; NaN if all of it costs more.

    Args:
        cost: tokens.
        accuracy, tokens: points of the curve in order, shape `(points,)`; straight between them.
    """
    found = [float(a) for a, t in zip(accuracy, tokens, strict=True) if t <= cost]
    for i in range(len(tokens) - 1):
        low, high = sorted((i, i + 1), key=lambda j: tokens[j])
        if tokens[low] <= cost < tokens[high]:
            part = (cost - tokens[low]) / (tokens[high] - tokens[low])
            found.append(float(accuracy[low] + part * (accuracy[high] - accuracy[low])))
    return max(found, default=math.nan)


def tokens_for(target: float, accuracy: Floats, tokens: Floats) -> float:
    """The fewest tokens at which a curve reaches an accuracy; infinite if it never does.

    Args:
        target: the accuracy.
        accuracy, tokens: points of the curve in order, shape `(points,)`; straight between them.
    """
    found = [float(t) for a, t in zip(accuracy, tokens, strict=True) if a >= target]
    for i in range(len(accuracy) - 1):
        low, high = sorted((i, i + 1), key=lambda j: accuracy[j])
        if accuracy[low] < target <= accuracy[high]:
            part = (target - accuracy[low]) / (accuracy[high] - accuracy[low])
            found.append(float(tokens[low] + part * (tokens[high] - tokens[low])))
    return min(found, default=math.inf)
