"""`apportion import`: turns the records of another program into evidence."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from executor.problem import MATHS
from executor.strategy import from_dict, key
from planner.cli.commands.common import pairs
from planner.cli.console import Output, share, table
from planner.notes import Note, NoteCode
from planner.report.notes import word
from planner.usecases.import_runs import ImportedRuns, import_runs


def run(arguments: Namespace, output: Output) -> None:
    """Import the records, and print a summary."""
    found = import_runs(
        arguments.path,
        format=arguments.format,
        policy=arguments.policy,
        prm=arguments.prm,
        benchmark=arguments.benchmark,
        strategy=arguments.strategy,
        width=arguments.width,
        study=arguments.study,
        domain=arguments.domain or MATHS,
        prompt_tokens=arguments.prompt_tokens,
        columns=pairs("--column", arguments.column),
        renames=pairs("--rename", arguments.rename),
        store=arguments.store,
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: ImportedRuns) -> None:
    """Print accuracies, rewards and graders of the imported runs."""
    votes = any(one["majority"] for one in found.imported)
    rows = [
        [
            _label(one),
            one["prm"] or "-",
            one["benchmark"] or "-",
            f"{one['records']:,}",
            f"{one['problems']:,}",
            share(one["accuracy"], one["interval"]),
            *([_vote(one["majority"])] if votes else []),
        ]
        for one in found.imported
    ]
    columns = ["what", "PRM", "benchmark", "records", "problems", "accuracy [95 %]"]
    columns += ["vote of all"] if votes else []
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
        console.print(f"note: {word(note)}", highlight=False, markup=False)
    counts = ", ".join(f"{count} {change}" for change, count in found.runs.items() if count)
    console.print(f"runs in the store: {counts}")


def _label(one: Mapping[str, Any]) -> str:
    strategy = "samples" if one["strategy"] is None else key(from_dict(one["strategy"]))
    return f"{one['policy']}: {strategy}"


def _vote(majority: Mapping[str, Any] | None) -> str:
    """The accuracy of a vote over all samples, with their number."""
    if majority is None:
        return "-"
    least, most = majority["n"]
    number = f"{least}" if least == most else f"{least}-{most}"
    return f"{share(majority['accuracy'], majority['interval'])} N={number}"


def _estimate(figure: Mapping[str, float]) -> str:
    return share(figure["value"], (figure["low"], figure["high"]))


def _notes(found: ImportedRuns) -> list[Note]:
    """Notes on who graded, and on the counts that the files do not give."""
    records = found.imported
    total = {name: sum(one["grading"][name] for one in records) for name in records[0]["grading"]}
    notes = []
    if total["compared"]:
        notes.append(
            Note.of(
                NoteCode.GRADED_BY_FILES,
                compared=total["compared"],
                right_by_file=total["right_by_file"],
                right_here=total["right_here"],
            )
        )
    if total["here"]:
        notes.append(Note.of(NoteCode.GRADED_HERE, records=total["here"]))
    if unknown := sorted({name for one in records for name in one["unknown"]}):
        notes.append(Note.of(NoteCode.FILES_SILENT, counts=tuple(unknown)))
    return notes
