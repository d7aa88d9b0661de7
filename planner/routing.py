"""Whether a strategy for each difficulty is worth its probes, beside one strategy for all.

A question is probed, its difficulty named, rightly or wrongly, and the strategy of the difficulty
named is run. What that solves and costs is an expectation over true and named difficulties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from executor.strategy import Strategy, key
from planner.recommend import Choice, unit_name
from planner.selection import INDIFFERENCE

# P(named | true): by true difficulty, then by the one named.
Confusion = Mapping[str, Mapping[str, float]]
Known = Mapping[str, Mapping[Strategy, Choice]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Accuracy, and cost a problem in one unit."""

    accuracy: float
    price: float


def expected(
    strategies: Mapping[str, Strategy],
    known: Known,
    shares: Mapping[str, float],
    confusion: Confusion,
    unit: str,
) -> Expected | None:
    """What running the strategy of the difficulty named is expected to solve and to cost.

    The accuracy is the sum over true difficulties t and named ones n of
    P(t) P(n | t) accuracy(strategy of n on problems of t), and the cost likewise.

    Args:
        strategies: by difficulty named; all of them the same for a plan that does not route.
        known: by true difficulty and strategy, with probes in the cost where they are drawn.
        shares: P(true difficulty); they sum to 1.
        confusion: P(named | true).
        unit: of costs, see `planner.recommend.cost_unit`.

    Returns:
        None where a strategy is not known on a difficulty that it may meet.
    """
    accuracy = price = 0.0
    for true, share in shares.items():
        for named, chance in confusion[true].items():
            if share * chance == 0:
                continue
            choice = known.get(true, {}).get(strategies[named])
            if choice is None:
                return None
            accuracy += share * chance * choice.predicted_accuracy
            price += share * chance * choice.price(unit)
    return Expected(accuracy, price)


def not_worth_it(routed: Expected, single: Expected, strategy: Strategy, unit: str) -> str | None:
    """Why a plan should not route, in words; None where it should.

    It should not where one strategy for all solves as much (within `INDIFFERENCE`) for less.
    """
    if single.accuracy < routed.accuracy - INDIFFERENCE or single.price > routed.price:
        return None
    unit = unit_name(unit)
    return (
        f"not routed: {key(strategy)} for all is expected to solve {single.accuracy:.3f} at "
        f"{single.price:.3g} {unit} a problem, a strategy for each difficulty "
        f"{routed.accuracy:.3f} at {routed.price:.3g}, probes and misnamed difficulties included"
    )
