"""Divides a budget over difficulties so that the expected number of right answers is largest.

Each query of a class gets one of the class's strategies. Relaxed (a class may be split between
strategies in any ratio) this is the linear multiple-choice knapsack: only strategies on the upper
concave hull of (price, accuracy) matter, and taking the steps of all hulls by falling gain a unit
of price is optimal (Sinha and Zoltners 1979, Operations Research 27(3)). All classes but the
marginal one then have one strategy, the marginal one two neighbours on its hull. In whole queries
the same order falls short of the relaxed optimum by less than one step of one query.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from executor.errors import InputError
from executor.strategy import Strategy
from planner.plans.plan import Entry

# Sums of prices are rounded; a budget that is met to this share is met.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Option:
    """A strategy that queries of a class may get.

    Attributes:
        entry: strategy, accuracy with its interval, and tokens, of one query.
        price: of one query, in the budget's unit.
    """

    entry: Entry
    price: float

    @property
    def accuracy(self) -> float:
        """As predicted."""
        return self.entry.predicted_accuracy


@dataclass(frozen=True, slots=True)
class Class:
    """Queries of one difficulty.

    Attributes:
        queries: how many.
        options: what each may get; at least one.
    """

    queries: float
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """So many queries of a difficulty get an option."""

    level: str
    option: Option
    queries: float


@dataclass(frozen=True, slots=True)
class Division:
    """Who gets what."""

    parts: tuple[Part, ...]

    @property
    def correct(self) -> float:
        """Expected right answers."""
        return sum(part.queries * part.option.accuracy for part in self.parts)

    @property
    def spent(self) -> float:
        """In the budget's unit."""
        return sum(part.queries * part.option.price for part in self.parts)

    def interval(self) -> tuple[float, float]:
        """90 % interval of the expected right answers; see `difference`."""
        return difference(self, Division(()))[1]


def hull(options: Sequence[Option]) -> list[Option]:
    """The upper concave hull, from the cheapest option to the most accurate one.

    Prices and accuracies rise strictly, gains a unit of price fall strictly.
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


def divide(classes: Mapping[str, Class], budget: float, *, whole: bool = False) -> Division:
    """The division of `budget` with most expected right answers; every query gets an option.

    Args:
        classes: by difficulty.
        budget: in the unit of the options' prices.
        whole: queries are not split: the division falls short of the best by less than one step of
            one query. Else a class may be split in any ratio, and the division is the best.

    Raises:
        InputError: the budget does not reach even for the cheapest options.
    """
    steps = {level: hull(one.options) for level, one in classes.items()}
    # How many queries of a class have reached each option of its hull.
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
        could = reached[level][i - 1]
        taken = min(could, max(0.0, left + slack) / dearer)
        if whole:
            taken = float(math.floor(taken))
        reached[level][i] = taken
        left -= taken * dearer
        if taken < could and not whole:
            break
    return Division(tuple(_parts(steps, reached)))


def equal_division(classes: Mapping[str, Class], budget: float) -> Division | None:
    """The same budget for every query: in each class the most accurate option within it.

    None where that does not reach for any option of some class.
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
    """Expected right answers of `one` less those of `other`, and their 90 % interval.

    What both give the same queries cancels. Half-widths are added where errors go together and
    combined by the sum of squares where they are independent, upper and lower ones apart (MOVER:
    Zou and Donner 2008, Statistics in Medicine 27(10)). Accuracies on problems of one difficulty
    were measured on the same problems: those added are taken to err together, those subtracted
    independently of them, and either way the interval is rather too wide. Difficulties are
    independent.
    """
    # An old plan may know a strategy by its mean over all difficulties in one of them, and by what
    # it does on this one in the other: these do not cancel.
    net: dict[tuple[str, Strategy, float], tuple[Entry, float]] = {}
    for sign, division in ((1.0, one), (-1.0, other)):
        for part in division.parts:
            entry = part.option.entry
            at = (part.level, entry.strategy, entry.predicted_accuracy)
            before = net.get(at, (entry, 0.0))[1]
            net[at] = (entry, before + sign * part.queries)
    value = sum(entry.predicted_accuracy * queries for entry, queries in net.values())
    below = above = 0.0
    for level in {level for level, *_ in net}:
        for sign in (1.0, -1.0):
            lower = upper = 0.0
            for (where, *_), (entry, queries) in net.items():
                if where == level and queries * sign > 0:
                    low, high = entry.interval
                    lower += abs(queries) * (entry.predicted_accuracy - low)
                    upper += abs(queries) * (high - entry.predicted_accuracy)
            down, up = (lower, upper) if sign > 0 else (upper, lower)
            below += down**2
            above += up**2
    return value, (value - math.sqrt(below), value + math.sqrt(above))


def _gain(cheap: Option, dear: Option) -> float:
    """Accuracy gained a unit of price."""
    return (dear.accuracy - cheap.accuracy) / (dear.price - cheap.price)


def _parts(
    steps: Mapping[str, Sequence[Option]], reached: Mapping[str, Sequence[float]]
) -> Iterator[Part]:
    """Queries by option: those that reached it and went no further."""
    for level, options in steps.items():
        counts = [*reached[level], 0.0]
        for i, option in enumerate(options):
            if (stayed := counts[i] - counts[i + 1]) > 0:
                yield Part(level, option, stayed)
