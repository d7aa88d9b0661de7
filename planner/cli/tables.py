"""Tables that several commands print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from executor.strategy import key
from planner.choice.recommend import Recommendation
from planner.cli.console import count, share, table
from planner.evaluation.run_summary import RunSummary
from planner.prediction.beta import PERCENT
from planner.report.notes import word


def summary_table(title: str, summaries: Sequence[RunSummary]) -> Table:
    """Return a table of runs: accuracy, interval and problems, tokens and latency."""
    columns = [
        "strategy", "accuracy [95 %]", "problems", "generated/problem", "PRM/problem", "latency, s",
    ]  # fmt: skip
    rows = [
        [
            s.name,
            share(s.accuracy, s.interval),
            str(s.problems),
            count(s.tokens_per_problem),
            count(s.prm_tokens_per_problem),
            f"{s.seconds:.1f}",
        ]
        for s in summaries
    ]
    return table(title, columns, rows)


def beyond_context(problems: int, of: str = "") -> str:
    """A sentence on problems whose question fills the policy's context; empty if there are none."""
    if not problems:
        return ""
    questions = "1 question fills" if problems == 1 else f"{problems:,} questions fill"
    return f"{of}{questions} the policy's context: nothing was drawn"


def only_thoughts(responses: int, thought_tokens: int) -> str:
    """A sentence on the thoughts of a run; empty if there were none.

    Args:
        responses: number of responses that ended inside their thought.
        thought_tokens: tokens inside all thoughts.
    """
    if not thought_tokens and not responses:
        return ""
    said = f"thoughts: {count(thought_tokens)} of the generated tokens"
    if not responses:
        return said
    ended = "1 response" if responses == 1 else f"{count(responses)} responses"
    return (
        f"{said}; {ended} ended inside the thought, without an answer "
        "(--thinking with a number of tokens leaves room for one)"
    )


def show_summaries(console: Console, title: str, summaries: Sequence[RunSummary]) -> None:
    """Print a table of runs, and which of their problems fill the policy's context."""
    console.print(summary_table(title, summaries))
    for s in summaries:
        if said := beyond_context(s.context_exceeded, f"{s.name}: " if len(summaries) > 1 else ""):
            counted = "it counts" if s.context_exceeded == 1 else "they count"
            wrong = f", and {counted} as wrong" if s.graded else ""
            console.print(f"{said}{wrong}", highlight=False, markup=False)
        if said := only_thoughts(s.only_thoughts, s.ledger.thought):
            name = f"{s.name}: " if len(summaries) > 1 else ""
            console.print(f"{name}{said}", highlight=False, markup=False)


def show_plan(console: Console, made: Sequence[Recommendation], out: Path) -> None:
    """Print a plan: a strategy for each difficulty, notes, and the plan's file."""
    rows = [
        [
            r.difficulty,
            key(r.choice.strategy),
            share(r.choice.predicted_accuracy, r.choice.interval),
            str(r.choice.problems),
            count(r.choice.cost.generated_tokens),
            count(r.choice.cost.prm_tokens),
        ]
        for r in made
    ]
    columns = ["difficulty", "strategy", f"accuracy [{PERCENT}]", "problems", "generated", "PRM"]
    console.print(table("plan", columns, rows))
    for r in made:
        for note in r.notes:
            console.print(f"{r.difficulty}: {word(note)}", highlight=False, markup=False)
    console.print(f"written to {out}")
