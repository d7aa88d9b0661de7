"""Divide a total budget over difficulties so that the most right answers are expected.

Each query of a class gets one of the class's strategies. If a class may be split between strategies
in any ratio, this is the linear multiple-choice knapsack: only strategies on the upper concave hull
of (price, accuracy) matter, and it is optimal to take the steps of all hulls in falling order of
gain per unit of price (Sinha and Zoltners 1979, Operations Research 27(3)). All classes but the
marginal one then have one strategy, and the marginal one has two neighbours on its hull. In whole
queries the same order falls short of this optimum by less than one step of one query.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.errors import InputError
from executor.strategy import Strategy, to_dict
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost

# Sums of prices are rounded; a budget that is met to this share is met.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Option:
    """A strategy that queries of a class may get.

    Attributes:
        strategy: the strategy.
        accuracy, interval: predicted accuracy and its 90 % interval.
        cost: expected cost of one query.
        price: expected cost of one query in the budget's unit.
        beta: parameters of the Beta posterior of the accuracy; None for a mean over several
            difficulties, which has none.
    """

    strategy: Strategy
    accuracy: float
    interval: tuple[float, float]
    cost: Cost
    price: float
    beta: tuple[float, float] | None = None

    @classmethod
    def from_estimate(cls, estimate: StrategyEstimate, price: float) -> Option:
        """Return the option to run an estimated strategy at a price."""
        return cls(
            strategy=estimate.strategy,
            accuracy=estimate.predicted_accuracy,
            interval=estimate.interval,
            cost=estimate.cost,
            price=price,
            beta=estimate.beta,
        )

    def to_record(self) -> dict[str, Any]:
        """The option in JSON; the keys are those of an estimate in a plan file."""
        return {
            "strategy": to_dict(self.strategy),
            "predicted_accuracy": self.accuracy,
            "interval": list(self.interval),
            "cost": self.cost.to_dict(),
        } | ({} if self.beta is None else {"beta": list(self.beta)})


@dataclass(frozen=True, slots=True)
class QueryClass:
    """Queries of one difficulty.

    Attributes:
        queries: number of queries.
        options: strategies that each may get; at least one.
    """

    queries: float
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A number of queries of one difficulty that get the same option."""

    level: str
    option: Option
    queries: float


@dataclass(frozen=True, slots=True)
class Division:
    """The options that the queries of a workload get."""

    parts: tuple[Part, ...]

    @property
    def correct(self) -> float:
        """Expected right answers."""
        return sum(part.queries * part.option.accuracy for part in self.parts)

    @property
    def spent(self) -> float:
        """Total price, in the budget's unit."""
        return sum(part.queries * part.option.price for part in self.parts)

    def interval(self) -> tuple[float, float]:
        """90 % interval of the expected right answers; see `difference`."""
        return difference(self, Division(()))[1]


def hull(options: Sequence[Option]) -> list[Option]:
    """Return the upper concave hull, from the cheapest option to the most accurate one.

    Along it, prices and accuracies rise strictly, and gains per unit of price fall strictly.
    """
    ranked = sorted(options, key=lambda option: (option.price, -option.accuracy))
    kept: list[Option] = []
    for option in ranked:
        if kept and option.accuracy <= kept[-1].accuracy:
            continue
        while len(kept) > 1 and _gain(kept[-2], kept[-1]) <= _gain(kept[-1], option):
            kept.pop()
        kept.append(option)
    return kept


def divide(classes: Mapping[str, QueryClass], budget: float, *, whole: bool = False) -> Division:
    """Divide `budget` so that the most right answers are expected; every query gets an option.

    Args:
        classes: classes of queries, by difficulty.
        budget: total budget, in the unit of the options' prices.
        whole: whether only whole queries get an option. The division then falls short of the best
            by less than one step of one query. If False, a class may be split in any ratio, and the
            division is the best.

    Raises:
        InputError: the budget is too small even for the cheapest options.
    """
    steps = {level: hull(one.options) for level, one in classes.items()}
    # Number of queries of each class that have reached each option of its hull.
    reached = {
        level: [classes[level].queries, *([0.0] * (len(options) - 1))]
        for level, options in steps.items()
    }
    left = budget - sum(
        classes[level].queries * options[0].price for level, options in steps.items()
    )
    slack = _ROUNDING * max(abs(budget), 1e-300)
    if left < -slack:
        raise InputError(f"{budget:g}: the cheapest strategies alone need {budget - left:.4g}")
    ordered = sorted(
        (
            (_gain(options[i - 1], options[i]), level, i)
            for level, options in steps.items()
            for i in range(1, len(options))
        ),
        key=lambda step: -step[0],
    )
    for _, level, i in ordered:
        dearer = steps[level][i].price - steps[level][i - 1].price
        available = reached[level][i - 1]
        moved = min(available, max(0.0, left + slack) / dearer)
        if whole:
            moved = float(math.floor(moved))
        reached[level][i] = moved
        left -= moved * dearer
        if moved < available and not whole:
            break
    return Division(tuple(_parts(steps, reached)))


def equal_division(classes: Mapping[str, QueryClass], budget: float) -> Division | None:
    """Give every query the same budget, and the most accurate option of its class within it.

    Returns:
        The division; None if a class has no option within that budget.
    """
    queries = sum(one.queries for one in classes.values())
    each = budget / queries * (1 + _ROUNDING)
    parts = []
    for level, one in classes.items():
        within = [option for option in one.options if option.price <= each]
        if not within:
            return None
        best = max(within, key=lambda option: (option.accuracy, -option.price))
        parts.append(Part(level, best, one.queries))
    return Division(tuple(parts))


def difference(one: Division, other: Division) -> tuple[float, tuple[float, float]]:
    """Return the expected right answers of `one` minus those of `other`, with a 90 % interval.

    Queries that get the same option in both cancel. Half-widths are added if errors are correlated,
    and combined by the sum of squares if they are independent, upper and lower ones separately
    (MOVER: Zou and Donner 2008, Statistics in Medicine 27(10)). Difficulties are independent.
    Accuracies of one difficulty were measured on the same problems. The errors of added ones count
    as fully correlated, and those of subtracted ones as independent of them; both assumptions make
    the interval too wide rather than too narrow.
    """
    # A strategy may have two accuracies on one difficulty: its own, and its mean over all
    # difficulties, in a division without evidence on this difficulty. These do not cancel.
    net: dict[tuple[str, Strategy, float], tuple[Option, float]] = {}
    for sign, division in ((1.0, one), (-1.0, other)):
        for part in division.parts:
            option = part.option
            at = (part.level, option.strategy, option.accuracy)
            before = net.get(at, (option, 0.0))[1]
            net[at] = (option, before + sign * part.queries)
    value = sum(option.accuracy * queries for option, queries in net.values())
    below = above = 0.0
    for level in {level for level, *_ in net}:
        for sign in (1.0, -1.0):
            lower = upper = 0.0
            for (own_level, *_), (option, queries) in net.items():
                if own_level == level and queries * sign > 0:
                    low, high = option.interval
                    lower += abs(queries) * (option.accuracy - low)
                    upper += abs(queries) * (high - option.accuracy)
            down, up = (lower, upper) if sign > 0 else (upper, lower)
            below += down**2
            above += up**2
    return value, (value - math.sqrt(below), value + math.sqrt(above))


def _gain(cheap: Option, dear: Option) -> float:
    """Return the accuracy gained per unit of price."""
    return (dear.accuracy - cheap.accuracy) / (dear.price - cheap.price)


def _parts(
    steps: Mapping[str, Sequence[Option]], reached: Mapping[str, Sequence[float]]
) -> Iterator[Part]:
    """Yield the queries of each option: those that reached it and no dearer one."""
    for level, options in steps.items():
        counts = [*reached[level], 0.0]
        for i, option in enumerate(options):
            if (stayed := counts[i] - counts[i + 1]) > 0:
                yield Part(level, option, stayed)
