"""`apportion budget`: a workload's budget divided over difficulties, and what a day of it costs."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from executor.strategy import key
from planner.cli.commands import common
from planner.cli.console import EMPTY, Output, count, known_table, share, table
from planner.costs.capacity import ASSUMPTION
from planner.costs.cost import TOKENS, Cost
from planner.prediction.beta import PERCENT
from planner.report.notes import word
from planner.usecases.budget import budget, to_dict
from planner.workloads.allocation import Division, difference
from planner.workloads.budget_report import (
    CHOSEN,
    DIVIDED,
    EQUAL,
    NAMED,
    UNITS,
    BudgetReport,
    Total,
)

_LABELS = {DIVIDED: "divided", CHOSEN: "the plan's own", EQUAL: "the same for every query",
           NAMED: "divided by the difficulty named"}  # fmt: skip


def run(arguments: Namespace, output: Output) -> None:
    """Divide the budget, and print the division."""
    made = read(arguments)
    output.result(to_dict(made), lambda console: show(console, made))


def read(arguments: Namespace) -> BudgetReport:
    """The budget that the arguments ask for."""
    return budget(
        arguments.plan,
        arguments.workload,
        total=total(arguments),
        queries_per_day=arguments.queries_per_day,
        pricing=common.pricing(arguments),
        problem_field=arguments.problem_field,
        store=arguments.store,
    )


def total(arguments: Namespace) -> Total | None:
    """The total budget that the arguments name."""
    given = {unit: getattr(arguments, f"total_{unit}") for unit in UNITS}
    return next((Total(unit, n) for unit, n in given.items() if n is not None), None)


def show(console: Console, made: BudgetReport) -> None:
    """Print the division for people."""
    queries = f"{made.queries:,.10g} queries"
    words, title = "tokens", f"{queries}, by the plan's own choices"
    if made.total is not None:
        words, title = (
            made.total.words,
            f"{made.total.amount:,.10g} {made.total.words} for {queries}",
        )
    _show_parts(console, title, "difficulty", words, next(iter(made.divisions.values())))
    if made.by_assigned is not None:
        _show_parts(console, "by the difficulty named", "named", words, made.by_assigned)
    _show_divisions(console, made)
    _show_days(console, made)
    for note in made.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _show_parts(console: Console, title: str, level: str, words: str, division: Division) -> None:
    rows = [
        [
            part.level,
            key(part.option.strategy),
            f"{part.queries:,.10g}" if part.queries.is_integer() else f"{part.queries:,.1f}",
            share(part.option.accuracy, part.option.interval),
            f"{part.option.price:,.4g}",
        ]
        for part in division.parts
    ]
    columns = [level, "strategy", "queries", f"accuracy [{PERCENT}]", f"{words} a query"]
    console.print(table(title, columns, rows))


def _show_divisions(console: Console, made: BudgetReport) -> None:
    rows = []
    for name, division in made.divisions.items():
        low, high = division.interval()
        right = f"{division.correct:,.1f} [{low:,.1f}, {high:,.1f}]"
        rows.append([_LABELS[name], right, *_amounts(made.cost(division))])
    columns = ["", f"right answers [{PERCENT}]", *_AMOUNTS]
    console.print(known_table("expected", columns, rows))
    divided = made.divisions.get(DIVIDED)
    for name, other in made.divisions.items():
        if divided is not None and name != DIVIDED:
            more, (low, high) = difference(divided, other)
            console.print(
                f"right answers, divided less {_LABELS[name]}: {more:+,.1f} "
                f"[{low:+,.1f}, {high:+,.1f}]",
                highlight=False,
            )


def _show_days(console: Console, made: BudgetReport) -> None:
    days = made.days()
    if not days:
        return
    rows = [[_LABELS[name], *_amounts(day)] for name, day in days.items()]
    console.print(known_table(f"a day of {made.queries_per_day:,.10g}", ["", *_AMOUNTS], rows))
    rows = [
        [
            f"{_LABELS[name]}, at {one.load:.0%} load",
            f"{one.devices:,}",
            f"{one.utilisation:.1%}",
            f"{one.gpu_hours:,.10g}",
            EMPTY if one.usd is None else f"{one.usd:,.2f}",
            f"{one.wait_seconds:.3g}",
        ]
        for name, day in days.items()
        for one in made.provisions(day)
    ]
    if rows:
        columns = ["engines", "devices", "busy", "GPU-hours", "USD", "mean wait, seconds"]
        console.print(table("engines that stand ready all day", columns, rows))
        console.print(ASSUMPTION, highlight=False)
    else:
        why = made.rates.missing("seconds", scored=any(day.prm_tokens for day in days.values()))
        console.print(f"GPU-hours: {why}", highlight=False)


_AMOUNTS = (
    *(kind.removesuffix("_tokens").replace("_", " ").replace("prm", "PRM") for kind in TOKENS),
    "FLOPs", "seconds", "USD", "kWh",
)  # fmt: skip


def _amounts(cost: Cost) -> list[str]:
    """Return tokens and their costs; kilowatt-hours are those of busy devices."""
    spent = (cost.flops, cost.seconds, cost.usd, cost.kwh)
    return [
        *(count(getattr(cost, kind)) for kind in TOKENS),
        *(EMPTY if value is None else f"{value:,.4g}" for value in spent),
    ]
