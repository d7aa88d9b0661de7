"""`apportion import`: what another program recorded becomes evidence."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.store.store import Store
from executor.strategy import from_dict, key
from planner.cli.console import Output, share, table
from planner.notes import Note, NoteCode
from planner.report.notes import word
from profiling import importers
from profiling.importers.summary import summary


def run(arguments: Namespace, output: Output) -> None:
    """Read, grade, store; nothing is stored unless all of it can be read."""
    if arguments.width is not None and arguments.width < 2:
        raise InputError(f"--width {arguments.width}: must be at least 2")
    given = importers.Given(
        policy=arguments.policy,
        prm=arguments.prm,
        benchmark=arguments.benchmark,
        strategy=arguments.strategy,
        width=arguments.width,
        study=arguments.study,
    )
    with MathGrader() as grader:
        with output.status(f"reading {arguments.path}"):
            readings = importers.read(arguments.format, arguments.path, given)
        with output.progress(f"grading {arguments.path}", len(readings)) as progress:
            made = importers.graded(readings, given.study or arguments.format, grader, progress)
    with Store.open(arguments.store) as store:
        stored = importers.store_import(store, made)
    document = {
        "format": arguments.format,
        "path": str(arguments.path),
        "study": made.study,
        "runs": stored,
        "imported": [summary(family) for family in made.families],
    }
    output.result(document, lambda console: show(console, document))


def show(console: Console, document: dict[str, Any]) -> None:
    """The same for people."""
    rows = [
        [
            _label(one),
            one["prm"] or "-",
            one["benchmark"] or "-",
            f"{one['records']:,}",
            f"{one['problems']:,}",
            share(one["accuracy"], one["interval"]),
        ]
        for one in document["imported"]
    ]
    columns = ["what", "PRM", "benchmark", "records", "problems", "accuracy [95 %]"]
    console.print(table(f"imported as study {document['study']}", columns, rows))
    for one in document["imported"]:
        for score, found in (one["rewards"] or {}).items():
            console.print(
                f"PRM {one['prm']} on samples of {one['policy']}, {score} step: AUC "
                f"{_estimate(found['auc'])}, within a problem {_estimate(found['auc_within'])} "
                f"({found['mixed_problems']} problems)",
                highlight=False,
            )
    for note in _notes(document):
        console.print(f"note: {word(note)}", highlight=False, markup=False)
    counts = ", ".join(f"{count} {what}" for what, count in document["runs"].items() if count)
    console.print(f"runs in the store: {counts}")


def _label(one: dict[str, Any]) -> str:
    what = "samples" if one["strategy"] is None else key(from_dict(one["strategy"]))
    return f"{one['policy']}: {what}"


def _estimate(found: dict[str, float]) -> str:
    return share(found["value"], (found["low"], found["high"]))


def _notes(document: dict[str, Any]) -> list[Note]:
    """Notes on who graded, and on the counts that the files do not give."""
    found = document["imported"]
    total = {name: sum(one["grading"][name] for one in found) for name in found[0]["grading"]}
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
    if unknown := sorted({name for one in found for name in one["unknown"]}):
        notes.append(Note.of(NoteCode.FILES_SILENT, counts=tuple(unknown)))
    return notes
