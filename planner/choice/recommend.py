"""Choose a strategy from the estimates of all strategies, under a constraint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from executor.errors import InputError
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.pareto import pareto_front
from planner.choice.rules import cheapest_sure, most_accurate, sure_enough
from planner.costs.cost import Rates
from planner.notes import Note, NoteCode
from planner.prediction.beta import probability_above

Counting = Callable[[Sequence[StrategyEstimate]], int]
"""Returns how many of some strategies a choice among them is corrected for (`sure_enough`).

By default all of them. Those that one model predicts from published figures count as one: the model
has shrunk them toward each other, and promises that were made among them were kept more often than
was said (`bench/published.py`).
"""

_WIDE = 0.2  # width of an interval from which on a note says so


def as_one(found: Sequence[StrategyEstimate]) -> int:
    """Return 1: how many strategies count that one model predicts from published figures."""
    return 1


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The strategy chosen for one difficulty, with its alternatives.

    Attributes:
        difficulty: difficulty of the problems that it is for.
        choice: the strategy to run, with its estimate.
        alternatives: all other strategies within the limits, the most accurate first.
        notes: remarks for people.
        pareto: the choice and the alternatives that no other beats in both cost and accuracy, the
            cheapest first.
        cost_unit: unit that costs were compared in, see `planner.choice.estimate.cost_unit`.
        chance: P(accuracy >= target) of the choice, taken alone; None if there is no target.
        counted: how many strategies the chances were corrected for; None if there is no target.
    """

    difficulty: str
    choice: StrategyEstimate
    alternatives: tuple[StrategyEstimate, ...]
    notes: tuple[Note, ...]
    pareto: tuple[StrategyEstimate, ...] = ()
    cost_unit: str = "tokens"
    chance: float | None = None
    counted: int | None = None

    @property
    def misses_target(self) -> bool:
        """Whether no strategy is sure enough to reach the target, so that the choice is not."""
        return any(note.code is NoteCode.TARGET_NOT_REACHED for note in self.notes)


def choose(
    difficulty: str,
    found: list[StrategyEstimate],
    constraint: Constraint,
    rates: Rates = NO_RATES,
    unit: str | None = None,
    counting: Counting = len,
) -> Recommendation:
    """Choose the best of `found` under `constraint`; see `planner.choice.rules`.

    Without a target: the cheapest within half a point of the highest predicted accuracy. With a
    target: the cheapest that is sure enough to reach it, else the surest with a note. The more
    strategies there are to choose from, the surer each must be.

    Args:
        difficulty: difficulty of the problems.
        found: estimates of all strategies.
        constraint: limits and target.
        rates: prices that `found` was priced by; a refusal names what they lack.
        unit: unit to compare costs in, which all of `found` have; None: `cost_unit`.
        counting: function that returns how many of some strategies the chance to reach a target
            is corrected for.

    Raises:
        InputError: no strategy keeps to the constraint.
    """
    allowed = [c for c in found if constraint.allows(c.strategy, c.cost, c.probe_generations)]
    if not allowed:
        why = constraint.refusal(
            ((c.strategy, c.cost, c.probe_generations) for c in found),
            rates,
            [c.title for c in found],
        )
        raise InputError(f"difficulty {difficulty}: {why}")
    unit = unit or cost_unit(found)
    prices = np.array([c.price(unit) for c in allowed])
    means = np.array([c.predicted_accuracy for c in allowed])
    notes = _left_out(found, constraint)
    target, chance, among = constraint.target_accuracy, None, None
    if target is None:
        picked = int(most_accurate(means[None, :], prices)[0])
    else:
        a, b = np.array([c.beta for c in allowed]).T
        chances = probability_above(a, b, target)
        confidence, among = constraint.confidence, counting(allowed)
        [picked] = cheapest_sure(
            means[None, :], chances[None, :], prices, confidence, counted=among
        ).tolist()
        chance = float(chances[picked])
        at_least = sure_enough(confidence, among)
        if chance < at_least:
            notes.append(
                Note.of(
                    NoteCode.TARGET_NOT_REACHED, target=target, at_least=at_least,
                    strategy=allowed[picked].title, chance=chance,
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
        counted=among,
    )


def _left_out(found: list[StrategyEstimate], constraint: Constraint) -> list[Note]:
    """A note if a limit excludes strategies only because their need of it is not known."""
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
