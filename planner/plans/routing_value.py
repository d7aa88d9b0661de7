"""Whether routing pays: a strategy for each difficulty, probes included, against one for all.

A router probes a question, assigns a difficulty to it, rightly or wrongly, and runs the strategy of
the assigned difficulty. The accuracy and the cost of this are expectations over the true and the
assigned difficulties.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from executor.strategy import Strategy, key, to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.rules import cheapest_sure, most_accurate
from planner.notes import Note, NoteCode
from planner.prediction.beta import deviation
from profiling.difficulty.estimator import LEVEL, Head

# P(assigned difficulty | true difficulty): by the true one, then by the assigned one.
MisclassificationRates = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class RoutingExpectation:
    """Expected accuracy and cost of one way to answer all questions.

    Attributes:
        accuracy: expected accuracy.
        price: expected cost of one problem, in one unit.
        spread: standard deviation of the accuracy, by what is not known of the strategies.
    """

    accuracy: float
    price: float
    spread: float = 0.0

    def shifted(self, by: float) -> RoutingExpectation:
        """This expectation with its accuracy moved by an amount, within [0, 1]."""
        return replace(self, accuracy=min(1.0, max(0.0, self.accuracy + by)))

    def chance(self, target: float) -> float:
        """P(accuracy >= target), the accuracy taken as normal."""
        if self.spread == 0:
            return float(self.accuracy >= target)
        return float(ndtr((self.accuracy - target) / self.spread))


@dataclass(frozen=True, slots=True)
class RoutingComparison:
    """Routing, with a strategy for each difficulty, beside one strategy for all.

    Attributes:
        routed: expectation with routing, its probes and its misclassified questions included.
        single: expectation of running `strategy` on all questions.
        strategy: the one strategy for all.
        unit: unit of their prices, see `planner.choice.estimate.cost_unit`.
        target: target accuracy; None if there is none.
        routes: whether to route, by the rule that strategies are chosen by.
    """

    routed: RoutingExpectation
    single: RoutingExpectation
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

        def plain(one: RoutingExpectation) -> dict[str, float | None]:
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
    known: Mapping[str, Mapping[Strategy, StrategyEstimate]],
    shares: Mapping[str, float],
    rates: MisclassificationRates,
    unit: str,
) -> RoutingExpectation | None:
    """Accuracy and cost of running the strategy of the difficulty that is assigned.

    The accuracy is the sum over true difficulties t and assigned ones n of
    P(t) P(n | t) accuracy(strategy of n on problems of t), and the cost likewise. Problems of two
    difficulties are different problems, so their errors are independent. Strategies of one
    difficulty share its problems, so their errors are added as if they were fully correlated, which
    is the widest they can be.

    Args:
        strategies: by assigned difficulty; the same for all if the plan does not route.
        known: estimates by true difficulty and strategy, with the cost of probes if any are drawn.
        shares: P(true difficulty); they sum to 1.
        rates: P(assigned | true).
        unit: unit of costs, see `planner.choice.estimate.cost_unit`.

    Returns:
        None if there is no estimate of a strategy on a difficulty that it may meet.
    """
    accuracy = price = variance = 0.0
    for true, share in shares.items():
        spread = 0.0
        for assigned, chance in rates[true].items():
            if share * chance == 0:
                continue
            one = known.get(true, {}).get(strategies[assigned])
            if one is None:
                return None
            accuracy += share * chance * one.predicted_accuracy
            price += share * chance * one.price(unit)
            spread += share * chance * deviation(*one.beta)
        variance += spread**2
    return RoutingExpectation(accuracy, price, math.sqrt(variance))


def compare(
    routed: RoutingExpectation,
    single: RoutingExpectation,
    strategy: Strategy,
    unit: str,
    constraint: Constraint,
) -> RoutingComparison:
    """Decide whether to route, by the rule of `planner.choice.rules`.

    Without a target: the more accurate way, and the cheaper one if they are within `INDIFFERENCE`
    of each other. With a target: the cheaper of those that are sure enough of it, else the surer.

    Args:
        routed: expectation with routing.
        single: expectation of `strategy` for all questions.
        strategy: the one strategy for all.
        unit: unit of the prices.
        constraint: whose target counts.
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
    return RoutingComparison(routed, single, strategy, unit, target, routes=bool(picked[0]))


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
