"""`apportion replay`: the accuracy surface from stored samples, or from the bundled ones."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console

from planner.cli.commands import common
from planner.cli.console import Output, count, table
from planner.report.notes import word
from planner.usecases.replay import Replay, SampleCounts, replay
from profiling.pass_rate import LEVELS
from profiling.pools.replay import ORDERS, PASS, Rule
from profiling.pools.surface import Point

_SHOWN = 9  # columns of a table
_LEAST_ERROR = 0.0005  # less would be printed as 0


def run(arguments: Namespace, output: Output) -> None:
    """Read the pools and replay them."""
    replayed = replay(
        arguments.policy,
        arguments.prm,
        k=parse_k(arguments.k),
        keep=_numbers("--keep", arguments.keep),
        power=_numbers("--power", arguments.power),
        domain=arguments.domain,
        store=arguments.store,
        reporter=output,
    )
    output.result(replayed.to_dict(), lambda console: show(console, replayed))


def parse_k(text: str | None) -> SampleCounts:
    """Parse the value of `--k`: numbers, `all`, or None."""
    if text is None:
        return None
    if text == "all":
        return "all"
    return common.whole_numbers("--k", text)


def _numbers(option: str, text: str | None) -> list[float] | None:
    return None if text is None else common.numbers(option, text)


def show(console: Console, replayed: Replay) -> None:
    """Print the surface for people: one table per difficulty, a row per rule, a column per k."""
    samples, points = replayed.samples, replayed.points
    ks = sorted({point.k for point in points})
    some = sorted({ks[i] for i in np.linspace(0, len(ks) - 1, _SHOWN).round().astype(int)})
    of = samples.policy + (f" with {samples.prm}" if samples.prm else "")
    for level in LEVELS:
        here = [point for point in points if point.difficulty == level and point.k in some]
        if here:
            title = f"{of}, difficulty {level}: {here[0].problems} problems"
            columns = ["k", *map(str, sorted({point.k for point in here}))]
            console.print(table(title, columns, list(_rows(here))))
    noise = max(point.subsampling_error for point in points)
    console.print(
        "expected accuracy ± standard error over problems. Weighted votes are held in "
        f"{ORDERS} random orders of each pool, whose own error is at most {noise:.4f}; "
        "all else is exact",
        highlight=False,
    )
    if not all(map(_differ, points)):
        console.print("no ± where the problems show none: they are alike, or one")
    if len(some) < len(ks):
        console.print(f"{len(ks) - len(some)} more k, with --json")
    for note in samples.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _rows(points: Sequence[Point]) -> list[list[str]]:
    """Return the rows of one difficulty: accuracies by rule, then tokens."""
    ks = sorted({point.k for point in points})
    at = {(point.rule, point.k): point for point in points}
    rules = list(dict.fromkeys(point.rule for point in points))

    def row(title: str, rule: Rule, shown: Callable[[Point], str]) -> list[str]:
        return [title, *(shown(at[rule, k]) if (rule, k) in at else "" for k in ks)]

    rows = [row(str(rule), rule, _accuracy) for rule in rules]
    # Votes of all samples generate the same tokens; those of the first to finish fewer.
    rows.append(row("generated tokens", PASS, _generated))
    rows += [row(f"generated tokens, {rule}", rule, _generated) for rule in rules if rule.first]
    scored = [rule for rule in rules if any(p.prm_tokens > 0 for p in points if p.rule == rule)]
    rows += [row("PRM tokens", rule, lambda point: count(point.prm_tokens)) for rule in scored[-1:]]
    ran = [rule for rule in rules if any(p.executions > 0 for p in points if p.rule == rule)]
    rows += [row("executions", rule, lambda point: f"{point.executions:.1f}") for rule in ran[:1]]
    return rows


def _generated(point: Point) -> str:
    return count(point.generated_tokens)


def _accuracy(point: Point) -> str:
    return f"{point.accuracy:.3f}" + (f" ±{point.standard_error:.3f}" if _differ(point) else "")


def _differ(point: Point) -> bool:
    """Tell whether problems differ enough for an error to be printed; False for one problem.

    If a few problems are all alike, their spread is 0, which is no estimate for other problems.
    """
    return point.standard_error >= _LEAST_ERROR
