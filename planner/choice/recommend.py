"""Choose a strategy from the estimates of all strategies, under a constraint."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from executor.errors import InputError
from executor.strategy import key
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.pareto import pareto_front
from planner.choice.rules import cheapest_sure, most_accurate, sure_enough
from planner.costs.cost import Rates

_WIDE = 0.2  # an interval that is remarked upon


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A choice for one difficulty, what else there was, and what should be known about it.

    Attributes:
        difficulty: of the problems it is for.
        choice: what to run.
        alternatives: all else within the limits, the most accurate first.
        notes: for people.
        pareto: of the choice and its alternatives, those that no other beats in both cost and
            accuracy, from the cheapest on.
        cost_unit: what costs were compared by, see `cost_unit`.
        chance: P(accuracy >= target) of the choice, taken alone; None where there is no target.
    """

    difficulty: str
    choice: StrategyEstimate
    alternatives: tuple[StrategyEstimate, ...]
    notes: tuple[str, ...]
    pareto: tuple[StrategyEstimate, ...] = ()
    cost_unit: str = "tokens"
    chance: float | None = None


def choose(
    difficulty: str, found: list[StrategyEstimate], constraint: Constraint, rates: Rates = NO_RATES
) -> Recommendation:
    """The best of `found` under `constraint`.

    Without a target: the highest predicted accuracy; among those within half a point of it, the
    cheapest. With a target: the cheapest that is sure enough to reach it, the more so the more
    there are to choose from, else the surest with a note. See `planner.choice.rules`. `rates` are
    those that `found` was priced by, to say what is missing where a limit is on what is not known.

    Raises:
        InputError: nothing keeps to the constraint.
    """
    allowed = [c for c in found if constraint.allows(c.strategy, c.cost, c.probe_generations)]
    if not allowed:
        why = constraint.refusal(((c.strategy, c.cost, c.probe_generations) for c in found), rates)
        raise InputError(f"difficulty {difficulty}: {why}")
    unit = cost_unit(found)
    prices = np.array([c.price(unit) for c in allowed])
    means = np.array([c.predicted_accuracy for c in allowed])
    notes = _left_out(found, constraint)
    target, chance = constraint.target_accuracy, None
    if target is None:
        picked = int(most_accurate(means[None, :], prices)[0])
    else:
        chances = np.array([c.probability_above(target) for c in allowed])
        confidence, among = constraint.confidence, len(allowed)
        picked = int(cheapest_sure(means[None, :], chances[None, :], prices, confidence)[0])
        chance = float(chances[picked])
        at_least = sure_enough(confidence, among)
        if chance < at_least:
            notes.append(
                f"no strategy here is {100 * at_least:.4g}% sure to reach {100 * target:g}%; "
                f"the surest is {key(allowed[picked].strategy)} at {_percent_below(chance)}"
            )
        if among > 1:
            notes.append(
                f"to be {100 * confidence:g}% sure of a choice among {among} strategies, "
                f"{100 * at_least:.4g}% is asked of each (Bonferroni)"
            )
    pick = allowed[picked]
    others = sorted(
        (c for c in allowed if c is not pick), key=lambda c: (-c.predicted_accuracy, c.price(unit))
    )
    return Recommendation(
        difficulty,
        pick,
        tuple(others),
        (*notes, *_remarks(pick)),
        pareto=tuple(allowed[i] for i in pareto_front(prices, means)),
        cost_unit=unit,
        chance=chance,
    )


def unit_name(unit: str) -> str:
    """A unit of `cost_unit` in words."""
    return "FLOPs" if unit == "flops" else unit


def _left_out(found: list[StrategyEstimate], constraint: Constraint) -> list[str]:
    """A note where a limit keeps strategies out only because their need of it is not known."""
    unknown = [
        c
        for c in found
        if None in constraint.needs(c.strategy, c.cost, c.probe_generations).values()
    ]
    if not unknown:
        return []
    some = "1 strategy is" if len(unknown) == 1 else f"{len(unknown)} strategies are"
    return [f"{some} left out: not all that is limited is known of what they cost"]


def _remarks(pick: StrategyEstimate) -> list[str]:
    width = pick.interval[1] - pick.interval[0]
    if width <= _WIDE:
        return []
    return [f"the interval is {100 * width:.0f} points wide: {_why_wide(pick)}"]


def _why_wide(pick: StrategyEstimate) -> str:
    """What a wide interval comes from, and what narrows it."""
    if pick.sources == "published":
        return (
            "figures of the same kind differ so much from study to study; "
            "profile and measure for a surer answer"
        )
    if not pick.problems:
        return "it was never measured; measure it for a surer answer"
    return f"it rests on {pick.problems} problems; measure more for a surer answer"


def _percent_below(chance: float) -> str:
    """A chance that falls short, rounded down: never to what it falls short of."""
    return f"{math.floor(1000 * chance) / 10:g}%"
