"""Whether a strategy for each difficulty is worth its probes, beside one strategy for all.

A question is probed, its difficulty named, rightly or wrongly, and the strategy of the difficulty
named is run. What that solves and costs is an expectation over true and named difficulties.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from executor.strategy import Strategy, key, to_dict
from planner.choice.constraint import Constraint
from planner.choice.recommend import Choice
from planner.choice.rules import cheapest_sure, most_accurate
from planner.notes import Note, NoteCode
from planner.prediction.beta import deviation
from planner.workloads.misclassification import Confusion
from profiling.difficulty.estimator import LEVEL, Head

Known = Mapping[str, Mapping[Strategy, Choice]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Accuracy, and cost a problem in one unit.

    Attributes:
        accuracy, price: expected.
        spread: standard deviation of what is not known of the accuracy.
    """

    accuracy: float
    price: float
    spread: float = 0.0

    def chance(self, target: float) -> float:
        """P(accuracy >= target), the accuracy taken as normal."""
        if self.spread == 0:
            return float(self.accuracy >= target)
        return float(ndtr((self.accuracy - target) / self.spread))


@dataclass(frozen=True, slots=True)
class Comparison:
    """A strategy for each difficulty beside one for all.

    Attributes:
        routed: a strategy for each, with probes and misnamed difficulties.
        single: `strategy` for all.
        unit: of their prices, see `planner.choice.recommend.cost_unit`.
        target: what was to be reached; None where there is none.
        routes: whether to route, by the rule that strategies are chosen by.
    """

    routed: Expected
    single: Expected
    strategy: Strategy
    unit: str
    target: float | None
    routes: bool

    def note(self) -> Note:
        """A note on the decision, with the numbers it was made by."""
        target = self.target
        return Note.of(
            NoteCode.ROUTED if self.routes else NoteCode.NOT_ROUTED,
            strategy=key(self.strategy),
            unit=self.unit,
            single_accuracy=self.single.accuracy,
            single_price=self.single.price,
            single_chance=None if target is None else self.single.chance(target),
            routed_accuracy=self.routed.accuracy,
            routed_price=self.routed.price,
            routed_chance=None if target is None else self.routed.chance(target),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the plan."""

        def plain(one: Expected) -> dict[str, float | None]:
            chance = None if self.target is None else one.chance(self.target)
            return {"accuracy": one.accuracy, "price": one.price, "chance_of_target": chance}

        return {
            "routes": self.routes,
            "routed": plain(self.routed),
            "single": plain(self.single),
            "strategy": to_dict(self.strategy),
            "cost_unit": self.unit,
        }


def expected(
    strategies: Mapping[str, Strategy],
    known: Known,
    shares: Mapping[str, float],
    confusion: Confusion,
    unit: str,
) -> Expected | None:
    """What running the strategy of the difficulty named is expected to solve and to cost.

    The accuracy is the sum over true difficulties t and named ones n of
    P(t) P(n | t) accuracy(strategy of n on problems of t), and the cost likewise. Difficulties are
    of different problems, so their errors are independent; strategies of one difficulty share its
    problems, so theirs are added as if they went together, which is the widest they can be.

    Args:
        strategies: by difficulty named; all of them the same for a plan that does not route.
        known: by true difficulty and strategy, with probes in the cost where they are drawn.
        shares: P(true difficulty); they sum to 1.
        confusion: P(named | true).
        unit: of costs, see `planner.choice.recommend.cost_unit`.

    Returns:
        None where a strategy is not known on a difficulty that it may meet.
    """
    accuracy = price = variance = 0.0
    for true, share in shares.items():
        spread = 0.0
        for named, chance in confusion[true].items():
            if share * chance == 0:
                continue
            choice = known.get(true, {}).get(strategies[named])
            if choice is None:
                return None
            accuracy += share * chance * choice.predicted_accuracy
            price += share * chance * choice.price(unit)
            spread += share * chance * deviation(*choice.beta)
        variance += spread**2
    return Expected(accuracy, price, math.sqrt(variance))


def compare(
    routed: Expected, single: Expected, strategy: Strategy, unit: str, constraint: Constraint
) -> Comparison:
    """Route or not, by the rule of `planner.choice.rules`.

    Without a target the more accurate way, and the cheaper where they are within `INDIFFERENCE` of
    each other. With a target the cheaper of those sure enough of it, else the surer.
    """
    both = (single, routed)  # of two that are equal the first: the plainer
    prices = np.array([one.price for one in both])
    means = np.array([[one.accuracy for one in both]])
    target = constraint.target_accuracy
    if target is None:
        picked = most_accurate(means, prices)
    else:
        chances = np.array([[one.chance(target) for one in both]])
        picked = cheapest_sure(means, chances, prices, constraint.confidence)
    return Comparison(routed, single, strategy, unit, target, routes=bool(picked[0]))


def estimator_note(head: Head) -> Note:
    """A note on how well a head names the difficulty of held-out problems."""
    quality = head.quality
    return Note.of(
        NoteCode.DIFFICULTY_ESTIMATOR,
        probes=head.probes,
        accuracy=float(quality.accuracy),
        log_loss=float(quality.log_loss),
        base_log_loss=float(quality.base_log_loss),
        coverage=float(quality.coverage),
        width=float(quality.width),
        level=LEVEL,
    )
