"""A workload of the evidence's own difficulty mix: a few totals divided, beside equal division."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from executor.strategy import key
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.prediction.beta import PERCENT
from planner.report import wording as words
from planner.report.data import ReportData
from planner.report.document import (
    Block,
    Cell,
    Column,
    Kind,
    Line,
    Plot,
    Plots,
    Point,
    Row,
    Scale,
    Section,
    Series,
    Table,
    Text,
)
from planner.report.wording import unit_words
from planner.workloads.allocation import (
    Division,
    Option,
    QueryClass,
    difference,
    divide,
    equal_division,
    hull,
)

QUERIES = 1000
TOTALS = 5
DIVIDED, EQUAL = "divided", "equal"


@dataclass(frozen=True, slots=True)
class BudgetSplit:
    """One total budget, and its divisions.

    Attributes:
        total: budget for all queries, in the unit of prices.
        divided: the division with the most expected right answers.
        equal: the division with the same budget for every query; None if it does not reach for some
            difficulty.
    """

    total: float
    divided: Division
    equal: Division | None


def budget_splits(classes: Mapping[str, QueryClass]) -> list[BudgetSplit]:
    """Divide `TOTALS` totals, evenly spaced by their logarithm.

    They range from about the price of the cheapest strategies to that of the most accurate ones;
    the list is empty if these are equal.
    """
    steps = {level: hull(one.options) for level, one in classes.items()}
    least = sum(one.queries * steps[level][0].price for level, one in classes.items())
    most = sum(one.queries * steps[level][-1].price for level, one in classes.items())
    if not 0 < least < most:
        return []
    totals = (least * (most / least) ** (i / TOTALS) for i in range(1, TOTALS + 1))
    return [
        BudgetSplit(total, divide(classes, total), equal_division(classes, total))
        for total in map(_round_up, totals)
    ]


def _round_up(total: float) -> float:
    """Round up to two digits; the result still pays for all that the total paid for."""
    unit = 10.0 ** (math.floor(math.log10(total)) - 1)
    return math.ceil(total / unit - 1e-9) * unit


def section(data: ReportData) -> Section:
    """Return the section on the gain from dividing by difficulty, at a few totals."""
    unit = cost_unit([choice for found in data.found.values() for choice in found])
    classes = _classes(data, unit)
    found = budget_splits(classes) if len(classes) > 1 else []
    if not found:
        return _empty(classes)
    total = sum(data.mix[level] for level in classes)
    mix = ", ".join(f"{data.mix[level] / total:.0%} {level}" for level in classes)
    left = [level for level in data.mix if data.mix[level] and level not in classes]
    what = unit_words(unit)
    blocks: list[Block] = [
        Text(
            f"{QUERIES:,} queries of the evidence's own mix ({mix}), and a total of {what} for all "
            "of them. Divided: every difficulty gets what buys most right answers. Equal: the same "
            "for every query, which gets the best strategy for its difficulty within its share. "
            "Both hold where a query's difficulty is known; what it takes to find that out is not "
            "counted. For a plan that finds it out, apportion budget divides by the difficulties "
            "that its classifier names, rightly or wrongly."
        )
    ]
    blocks += [Text(f"Nothing is known of {words.among(level)}: left out.") for level in left]
    blocks += [Plots((_plot(found, what),)), _totals(found, what), _parts(found)]
    return Section(
        "workload",
        "Dividing a workload's budget",
        "Workload",
        tuple(blocks),
        {"queries": QUERIES, "mix": {level: data.mix[level] / total for level in classes},
         "unit": unit},
    )  # fmt: skip


def _empty(classes: Mapping[str, QueryClass]) -> Section:
    why = (
        "There is evidence on fewer than two difficulties"
        if len(classes) < 2
        else "The cheapest strategy of every difficulty is the most accurate one too"
    )
    text = Text(f"{why}: there is nothing to divide.")
    return Section("workload", "Dividing a workload's budget", "Workload", (text,))


def _classes(data: ReportData, unit: str) -> dict[str, QueryClass]:
    """Return queries by difficulty, of the difficulties with strategies."""
    known = {level: n for level, n in data.mix.items() if n and data.found.get(level)}
    total = sum(known.values())
    return {
        level: QueryClass(QUERIES * n / total, tuple(_option(c, unit) for c in data.found[level]))
        for level, n in known.items()
    }


def _option(choice: StrategyEstimate, unit: str) -> Option:
    return Option.from_estimate(choice, choice.price(unit))


def _right(division: Division) -> tuple[float, float, float]:
    """Return expected right answers and their 90 % interval, which ends at the queries' number."""
    low, high = division.interval()
    return division.correct, max(low, 0.0), min(high, float(QUERIES))


def _plot(found: Sequence[BudgetSplit], what: str) -> Plot:
    series = []
    for name, divisions in (
        (DIVIDED, [(one.total, one.divided) for one in found]),
        (EQUAL, [(one.total, one.equal) for one in found if one.equal is not None]),
    ):
        points = []
        for total, division in divisions:
            right, low, high = (n / QUERIES for n in _right(division))
            points.append(Point(name, total / QUERIES, right, low, high))
        if points:
            series.append(Series(name, tuple(points), Line.BAND))
    text = " ".join(
        f"{one.name}: "
        + ", ".join(f"{words.decimal(p.y)} at {words.amount(p.x)}" for p in one.points)
        + "."
        for one in series
    )
    return Plot(
        name="workload-divisions",
        caption="Share right of the whole workload",
        title=f"Share right against {what} a query, divided and equal",
        text=text,
        x_label=f"{what} a query, on average",
        y_label="share right",
        series=tuple(series),
        x_scale=Scale.LOG10,
    )


def _totals(found: Sequence[BudgetSplit], what: str) -> Table:
    def right(division: Division | None) -> Cell:
        if division is None:
            return Cell("does not reach", None)
        number, low, high = _right(division)
        shown = f"[{low:,.0f}, {high:,.0f}]"
        return Cell(f"{number:,.0f}", {"expected": number, "low": low, "high": high}, shown)

    def more(one: BudgetSplit) -> Cell:
        if one.equal is None:
            return Cell("-", None)
        number, (low, high) = difference(one.divided, one.equal)
        shown = f"[{low:+,.0f}, {high:+,.0f}]"
        return Cell(f"{number:+,.0f}", {"expected": number, "low": low, "high": high}, shown)

    return Table(
        "workload-totals",
        f"Expected right answers of {QUERIES:,} queries, with their {PERCENT} intervals",
        (
            Column("total", f"Total {what}"),
            Column("divided", "Divided"),
            Column("equal", "Equal"),
            Column("more", "Difference"),
        ),
        tuple(
            Row((Cell(words.amount(one.total), one.total), right(one.divided), right(one.equal),
                 more(one)))
            for one in found
        ),
    )  # fmt: skip


def _parts(found: Sequence[BudgetSplit]) -> Table:
    """Return a table of the strategy and the budget of each difficulty."""
    rows = [
        Row(
            (
                Cell(words.amount(one.total), one.total),
                Cell(name, name),
                Cell(part.level, part.level),
                Cell(f"{part.queries:,.0f}", part.queries),
                Cell(key(part.option.strategy), key(part.option.strategy)),
                Cell(words.decimal(part.option.accuracy), part.option.accuracy),
                Cell(words.amount(part.option.price), part.option.price),
            )
        )
        for one in found
        for name, division in ((DIVIDED, one.divided), (EQUAL, one.equal))
        for part in (() if division is None else division.parts)
    ]
    return Table(
        "workload-parts",
        "Which difficulty gets what",
        (
            Column("total", "Total"),
            Column("division", "Division", Kind.WORD),
            Column("difficulty", "Difficulty", Kind.WORD),
            Column("queries", "Queries"),
            Column("strategy", "Strategy", Kind.CODE),
            Column("accuracy", "Accuracy"),
            Column("price", "A query"),
        ),
        tuple(rows),
        folded=True,
    )
