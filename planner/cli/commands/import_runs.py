"""`apportion import`: what another program recorded becomes evidence."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from executor.strategy import from_dict, key
from planner.cli.console import Output, share, table
from planner.usecases.import_runs import ImportedRuns, import_runs


def run(arguments: Namespace, output: Output) -> None:
    """Import, and print what was imported."""
    found = import_runs(
        arguments.path,
        format=arguments.format,
        policy=arguments.policy,
        prm=arguments.prm,
        benchmark=arguments.benchmark,
        strategy=arguments.strategy,
        width=arguments.width,
        study=arguments.study,
        store=arguments.store,
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: ImportedRuns) -> None:
    """Print accuracies and rewards of what was imported, and who graded it."""
    rows = [
        [
            _label(one),
            one["prm"] or "-",
            one["benchmark"] or "-",
            f"{one['records']:,}",
            f"{one['problems']:,}",
            share(one["accuracy"], one["interval"]),
        ]
        for one in found.imported
    ]
    columns = ["what", "PRM", "benchmark", "records", "problems", "accuracy [95 %]"]
    console.print(table(f"imported as study {found.study}", columns, rows))
    for one in found.imported:
        for score, figures in (one["rewards"] or {}).items():
            console.print(
                f"PRM {one['prm']} on samples of {one['policy']}, {score} step: AUC "
                f"{_estimate(figures['auc'])}, within a problem {_estimate(figures['auc_within'])} "
                f"({figures['mixed_problems']} problems)",
                highlight=False,
            )
    for note in _notes(found):
        console.print(f"note: {note}", highlight=False, markup=False)
    counts = ", ".join(f"{count} {change}" for change, count in found.runs.items() if count)
    console.print(f"runs in the store: {counts}")


def _label(one: Mapping[str, Any]) -> str:
    strategy = "samples" if one["strategy"] is None else key(from_dict(one["strategy"]))
    return f"{one['policy']}: {strategy}"


def _estimate(figure: Mapping[str, float]) -> str:
    return share(figure["value"], (figure["low"], figure["high"]))


def _notes(found: ImportedRuns) -> list[str]:
    """Who graded, and which counts the files do not give."""
    records = found.imported
    total = {name: sum(one["grading"][name] for one in records) for name in records[0]["grading"]}
    notes = []
    if total["compared"]:
        differ = total["right_by_file"] + total["right_here"]
        notes.append(
            f"graded by the files' own labels; this program's grader says otherwise of {differ} of "
            f"{total['compared']} ({total['right_by_file']} right by the files alone, "
            f"{total['right_here']} right by this program's alone)"
        )
    if total["here"]:
        notes.append(f"{total['here']} records have no label and were graded by this program")
    if unknown := sorted({name for one in records for name in one["unknown"]}):
        notes.append(
            f"the files do not say: {', '.join(unknown)}; costs that need them are unknown"
        )
    return notes
