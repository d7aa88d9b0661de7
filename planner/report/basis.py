"""The basis of a report: held-out runs, evidence row by row, and notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from planner.evaluation.run_summary import RunSummary
from planner.notes import codes
from planner.report import wording as words
from planner.report.data import BasisRow, ReportData
from planner.report.document import (
    Block,
    Cell,
    Column,
    Kind,
    Listing,
    Row,
    Section,
    Table,
    Text,
    Weight,
)
from planner.report.notes import sentence, word

_SHOWN = 12  # rows of a table that is not folded
_SOURCES = {
    "measured": "Measured rows are live runs",
    "replayed": "replayed ones expectations over a stored pool of samples",
    "imported": "imported ones another program's runs, graded as they were there",
}


def runs(data: ReportData) -> Section:
    """Return the section on the plan's results on held-out problems."""
    blocks: list[Block] = [Text(words.runs(data.runs, data.paired))]
    if data.runs:
        blocks += [
            _runs_table(data),
            Text(
                "All runs answer the same problems, so overlapping intervals do not show that two "
                "runs are equal.",
                Weight.MUTED,
            ),
        ]
    facts = {"paired": [asdict(one) for one in data.paired]}
    return Section("runs", "Held-out runs", "Held-out runs", tuple(blocks), facts)


def _runs_table(data: ReportData) -> Table:
    def accuracy(run: RunSummary) -> Cell:
        if run.accuracy is None or run.interval is None:
            return Cell("not graded", None)
        low, high = run.interval
        value = {"mean": run.accuracy, "low": low, "high": high}
        return Cell(words.decimal(run.accuracy), value, words.interval(low, high))

    def problems(run: RunSummary) -> Cell:
        graded = f" ({words.count(run.graded)} graded)" if run.graded != run.problems else ""
        value = {"finished": run.problems, "graded": run.graded}
        return Cell(f"{words.count(run.problems)}{graded}", value)

    return Table(
        "runs-table",
        "Runs on problems not used to choose; accuracy with its 95 % interval",
        (
            Column("run", "Run", Kind.CODE),
            Column("accuracy", "Accuracy"),
            Column("problems", "Problems"),
            Column("generated_tokens", "Tokens a problem"),
            Column("prm_tokens", "PRM tokens a problem"),
        ),
        tuple(
            Row(
                (
                    Cell(run.name, run.name),
                    accuracy(run),
                    problems(run),
                    Cell(words.count(run.tokens_per_problem), run.tokens_per_problem),
                    Cell(words.count(run.prm_tokens_per_problem), run.prm_tokens_per_problem),
                )
            )
            for run in data.runs
        ),
    )


def basis(data: ReportData) -> Section:
    """Return the section on the evidence, one row for each kind."""
    if not data.basis:
        text = Text("There is no evidence: nothing is known of this policy and PRM.")
        return Section("basis", "What the answer rests on", "Basis", (text,))
    known = {row.source for row in data.basis}
    said = "; ".join(clause for source, clause in _SOURCES.items() if source in known)
    blocks: list[Block] = []
    if said:
        blocks.append(
            Text(f"One row of evidence is one strategy on one problem. {words.sentence(said)}")
        )
    if "published" in known:
        blocks.append(
            Text(
                "Published rows are figures of others, on whole benchmarks, each from its source; "
                "figures that contradict each other are all here."
            )
        )
    by_level = ", ".join(f"{n:,} {level}" for level, n in data.mix.items())
    if sum(data.mix.values()):
        blocks.append(
            Text(f"Problems by difficulty, which is by the policy's pass@1 on them: {by_level}.")
        )
    blocks.append(_basis_table(data))
    return Section("basis", "What the answer rests on", "Basis", tuple(blocks),
                   {"problems_by_difficulty": dict(data.mix)})  # fmt: skip


def _basis_table(data: ReportData) -> Table:
    printed = any(row.accuracy is not None for row in data.basis)

    def cells(row: BasisRow) -> Iterator[Cell]:
        yield Cell(row.strategy or "-", row.strategy or None)
        yield Cell(row.source, row.source)
        yield Cell(row.prm or "none", row.prm or None)
        if not printed:  # the key of a published strategy holds its budget
            yield Cell(", ".join(map(str, row.budgets)) or "-", list(row.budgets))
        else:
            unsaid = row.accuracy is None
            yield Cell("-" if unsaid else words.decimal(row.accuracy), row.accuracy)
        yield Cell("-" if row.problems is None else words.count(row.problems), row.problems)
        yield Cell(words.count(row.rows), row.rows)
        yield Cell(row.origin, row.origin)

    return Table(
        "basis-table",
        "Evidence by strategy, how it was found, and PRM",
        (
            Column("strategy", "Strategy", Kind.CODE),
            Column("source", "How", Kind.WORD),
            Column("prm", "PRM", Kind.WORD),
            Column("accuracy", "Accuracy")
            if printed
            else Column("budgets", "Budgets N", Kind.WORD),
            Column("problems", "Problems"),
            Column("rows", "Rows"),
            Column("origin", "From", Kind.WORD),
        ),
        tuple(Row(tuple(cells(row))) for row in data.basis),
        folded=len(data.basis) > _SHOWN,
    )


def notes(data: ReportData) -> Section:
    """Return the section of notes on the evidence and its costs."""
    block = Listing(tuple(map(sentence, data.notes))) if data.notes else Text("Nothing was noted.")
    facts = {"notes": list(map(word, data.notes)), "note_codes": codes(data.notes)}
    return Section("notes", "Notes", "Notes", (block,), facts)
