"""Choose a strategy from the estimates of all strategies, under a constraint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from executor.errors import InputError
from executor.strategy import key
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.pareto import pareto_front
from planner.choice.rules import cheapest_sure, most_accurate, sure_enough
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode

_WIDE = 0.2  # a wider interval gets a note


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A choice for one difficulty, what else there was, and what should be known about it.

    Attributes:
        difficulty: of the problems it is for.
        choice: what to run.
        alternatives: all else within the limits, the most accurate first.
        notes: what a reader should know of it, the most important first.
        pareto: of the choice and its alternatives, those that no other beats in both cost and
            accuracy, from the cheapest on.
        cost_unit: what costs were compared by, see `cost_unit`.
        chance: P(accuracy >= target) of the choice, taken alone; None where there is no target.
    """

    difficulty: str
    choice: StrategyEstimate
    alternatives: tuple[StrategyEstimate, ...]
    notes: tuple[Note, ...]
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
                Note.of(
                    NoteCode.TARGET_NOT_REACHED, target=target, at_least=at_least,
                    strategy=key(allowed[picked].strategy), chance=chance,
                )
            )  # fmt: skip
        if among > 1:
            notes.append(
                Note.of(
                    NoteCode.BONFERRONI, confidence=confidence, strategies=among, at_least=at_least
                )
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


def _left_out(found: list[StrategyEstimate], constraint: Constraint) -> list[Note]:
    """A note if a limit keeps strategies out only because their need of it is not known."""
    unknown = [
        c
        for c in found
        if None in constraint.needs(c.strategy, c.cost, c.probe_generations).values()
    ]
    if not unknown:
        return []
    return [Note.of(NoteCode.STRATEGIES_LEFT_OUT, strategies=len(unknown))]


def _remarks(pick: StrategyEstimate) -> list[Note]:
    width = pick.interval[1] - pick.interval[0]
    if width <= _WIDE:
        return []
    published = pick.sources == "published"
    return [
        Note.of(
            NoteCode.INTERVAL_WIDE, width=width, problems=pick.problems, published=published
        )
    ]  # fmt: skip
