"""`apportion budget`: a workload's budget divided over difficulties, and what a day of it costs."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from executor.problem import Problem
from executor.store.store import Store
from executor.strategy import key
from planner.cli.commands import common
from planner.cli.commands.run import KIND as RUN_KIND
from planner.cli.console import EMPTY, Output, count, known_table, share, table
from planner.costs.capacity import ASSUMPTION
from planner.costs.cost import TOKENS, Cost
from planner.evidence import gathering as evidence
from planner.notes import codes
from planner.plans.plan import DEFAULT, Plan
from planner.prediction.beta import PERCENT
from planner.report.notes import word
from planner.usecases.stored_models import store_exists
from planner.workloads.allocation import Division, difference
from planner.workloads.budget_report import CHOSEN, DIVIDED, EQUAL, NAMED, UNITS, Budget, Total
from planner.workloads.workload import Workload, read_mix
from profiling.difficulty.pass_rate import Difficulty
from profiling.problems.files import load_problems

_LABELS = {DIVIDED: "divided", CHOSEN: "the plan's own", EQUAL: "the same for every query",
           NAMED: "divided by the difficulty named"}  # fmt: skip


def run(arguments: Namespace, output: Output) -> None:
    """Read, divide, say."""
    made = read(arguments)
    output.result(document(made), lambda console: show(console, made))


def read(arguments: Namespace) -> Budget:
    """The budget that the arguments ask for.

    Raises:
        InputError: see `Budget.of`; or a file that cannot be read.
    """
    plan = Plan.load(arguments.plan)
    prm = plan.rests_on.get("prm") or plan.prm
    return Budget.of(
        plan,
        read_mix(arguments.workload) or _of_queries(arguments, plan),
        common.pricing(arguments).apply(plan.rates, _name(plan.policy), prm),
        _total(arguments),
        arguments.queries_per_day,
    )


def _total(arguments: Namespace) -> Total | None:
    given = {unit: getattr(arguments, f"total_{unit}") for unit in UNITS}
    return next((Total(unit, n) for unit, n in given.items() if n is not None), None)


def _of_queries(arguments: Namespace, plan: Plan) -> Workload:
    """The difficulties of a file's queries: as plans that were run on them took them, else as the
    plan's evidence has them."""
    problems = load_problems(
        arguments.workload, problem_field=arguments.problem_field, require_answers=False
    )
    counts, source = plan.rests_on.get("mix", {}), "as in the plan's evidence"
    if found := _taken(arguments.store, plan, problems):
        told = sum(found.values())
        counts, source = found, f"of {told} of {len(problems)} queries, as runs of plans took them"
    if not sum(counts.values()):
        return Workload({DEFAULT: 1.0}, len(problems), "not known; all queries are taken as all")
    counted = Workload.of_counts(counts, source)
    if counted.queries == len(problems):
        return counted
    return Workload(counted.shares, len(problems), source)


def _taken(store_url: str, plan: Plan, problems: Sequence[Problem]) -> Counter[str]:
    """How many of these problems plans took as which difficulty, in runs that are stored."""
    if not store_exists(store_url):
        return Counter()
    taken: dict[str, str] = {}
    levels = {level.value for level in Difficulty}
    with Store.open(store_url, create=False) as store:
        for spec in evidence.current(store.runs()):
            if spec.kind == RUN_KIND and spec.policy == _name(plan.policy):
                for stored in store.outcomes(spec, problems=problems, samples=False):
                    if (level := stored.note.get("difficulty")) in levels:
                        taken[stored.outcome.problem.id] = level
    return Counter(taken.values())


def _name(model: str) -> str:
    """The name evidence carries: plans hold folders by their full path."""
    return Path(model).name if Path(model).is_absolute() else model


def document(made: Budget) -> dict[str, Any]:
    """The JSON document."""
    divided = made.divisions.get(DIVIDED)
    return {
        "policy": made.plan.policy,
        "prm": made.plan.rests_on.get("prm"),
        "workload": {
            "queries": made.queries,
            "shares": dict(made.workload.shares),
            "source": made.workload.source,
        },
        "total": None if made.total is None else {made.total.unit: made.total.amount},
        "divisions": {name: _record(made, division) for name, division in made.divisions.items()},
        "by_name": None if made.by_name is None else _parts(made.by_name),
        "more_correct_than": {
            name: dict(zip(("expected", "interval"), difference(divided, other), strict=True))
            for name, other in made.divisions.items()
            if divided is not None and name != DIVIDED
        },
        "queries_per_day": made.queries_per_day,
        "daily": {
            name: {
                "cost": day.to_dict(),
                "at_load": [one.to_dict() for one in made.provisions(day)],
            }
            for name, day in made.days().items()
        },
        "notes": list(map(word, made.notes)),
        "note_codes": codes(made.notes),
    }


def _record(made: Budget, division: Division) -> dict[str, Any]:
    return {
        "parts": _parts(division),
        "expected_correct": division.correct,
        "interval": list(division.interval()),
        "spent": None if made.total is None else division.spent,
        "cost": made.cost(division).to_dict(),
    }


def _parts(division: Division) -> list[dict[str, Any]]:
    return [
        {"difficulty": part.level, "queries": part.queries} | part.option.entry.to_dict()
        for part in division.parts
    ]


def show(console: Console, made: Budget) -> None:
    """The division for people."""
    queries = f"{made.queries:,.10g} queries"
    words, title = "tokens", f"{queries}, by the plan's own choices"
    if made.total is not None:
        words, title = (
            made.total.words,
            f"{made.total.amount:,.10g} {made.total.words} for {queries}",
        )
    _show_parts(console, title, "difficulty", words, next(iter(made.divisions.values())))
    if made.by_name is not None:
        _show_parts(console, "by the difficulty named", "named", words, made.by_name)
    _show_divisions(console, made)
    _show_days(console, made)
    for note in made.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _show_parts(console: Console, title: str, level: str, words: str, division: Division) -> None:
    rows = [
        [
            part.level,
            key(part.option.entry.strategy),
            f"{part.queries:,.10g}" if part.queries.is_integer() else f"{part.queries:,.1f}",
            share(part.option.accuracy, part.option.entry.interval),
            f"{part.option.price:,.4g}",
        ]
        for part in division.parts
    ]
    columns = [level, "strategy", "queries", f"accuracy [{PERCENT}]", f"{words} a query"]
    console.print(table(title, columns, rows))


def _show_divisions(console: Console, made: Budget) -> None:
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


def _show_days(console: Console, made: Budget) -> None:
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
    """Tokens and what they cost; kilowatt-hours are those of busy devices."""
    spent = (cost.flops, cost.seconds, cost.usd, cost.kwh)
    return [
        *(count(getattr(cost, kind)) for kind in TOKENS),
        *(EMPTY if value is None else f"{value:,.4g}" for value in spent),
    ]
