"""A recommendation as the JSON document of the contract, and as people read it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from executor.strategy import key
from planner.choice.answer import Answer
from planner.choice.cheaper import sentence as less_words
from planner.choice.next_measurement import sentence as measurement_sentence
from planner.choice.recommend import unit_name
from planner.cli.console import EMPTY, count, known_table, share
from planner.prediction.beta import PERCENT
from planner.report.wording import rests_on, sources
from profiling.difficulty.pass_rate import ALL


def document(answered: Answer, notes: list[str]) -> dict[str, Any]:
    """The JSON document of the contract, and what else is known."""
    made, second = answered.made, answered.second
    choice = made.choice.to_dict()
    return {
        "policy": answered.policy,
        "prm": answered.prm,
        "difficulty": made.difficulty,
        "strategy": dict.fromkeys(("name", "n", "width", "score", "vote")) | choice["strategy"],
        "predicted_accuracy": choice["predicted_accuracy"],
        "interval": choice["interval"],
        "chance_of_target": made.chance,
        "cost": choice["cost"],
        "alternatives": [other.to_dict() for other in made.alternatives],
        "runner_up": None if second is None else second.to_dict(str(answered.why)),
        "cheaper": None
        if answered.less is None
        else answered.less.to_dict(less_words(answered.less, made)),
        "pareto": [one.to_dict() for one in made.pareto],
        "cost_unit": made.cost_unit,
        "next_measurement": None
        if answered.measurement is None
        else answered.measurement.to_dict(answered.buy),
        "efficiency_gain": {unit: gain.to_dict() for unit, gain in answered.gains.items()},
        "evidence": [*_rows(answered.rows), *answered.published],
        "notes": notes,
    }


def _rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """What it rests on, a line a kind of evidence."""
    groups = rows.groupby(["source", "name", "prm"], as_index=False).agg(
        rows=("accuracy", "size"), problems=("problem", "nunique")
    )
    return [{str(k): v for k, v in record.items()} for record in groups.to_dict("records")]


def show(console: Console, answered: Answer, notes: list[str]) -> None:
    """The answer for people: in a sentence first."""
    made = answered.made

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    console.print(_headline(answered), highlight=False)
    for line in answered.said:
        say(line)
    console.print(_table(answered))
    if hidden := len(made.alternatives) + 1 - len(answered.shown):
        console.print(f"and {hidden} more, with --json", highlight=False)
    if answered.measurement is not None:
        say(measurement_sentence(answered.measurement, made))
        for line in answered.buy if answered.measurement.chance > 0 else ():
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    for note in notes:
        say(f"note: {note}")


def _table(answered: Answer) -> Table:
    """The Pareto front, and whatever else is named."""
    shown, made = answered.shown, answered.made
    title = f"the Pareto front (nothing is more accurate for as few {unit_name(made.cost_unit)})"
    if any(answered.marks(one) for one in shown if one.strategy != made.choice.strategy):
        title += " and what is named above"
    rows = [
        [
            " ".join([key(c.strategy), *(f"({mark})" for mark in answered.marks(c))]),
            share(c.predicted_accuracy, c.interval),
            sources(c.sources),
            str(c.problems or EMPTY),
            count(c.cost.generated_tokens),
            count(c.cost.prm_tokens),
            count(c.cost.flops),
            *(EMPTY if n is None else f"{n:.3g}" for n in (c.cost.seconds, c.cost.usd)),
        ]
        for c in shown
    ]
    columns = [
        "strategy", f"accuracy [{PERCENT}]", "how", "problems", "generated", "PRM", "FLOPs",
        "seconds", "USD",
    ]  # fmt: skip
    return known_table(title, columns, rows)


def _headline(answered: Answer) -> str:
    """The answer in one sentence."""
    made, choice = answered.made, answered.made.choice
    pair = answered.policy + (f" with {answered.prm}" if answered.prm else "")
    problems = "" if made.difficulty == ALL else f" on {made.difficulty} problems"
    sure = (
        ""
        if made.chance is None
        else f"; this strategy, taken alone, reaches the target with a chance of {made.chance:.1%}"
    )
    return (
        f"[bold]{key(choice.strategy)}[/bold] for {escape(pair)}{problems}: predicted accuracy "
        f"{share(choice.predicted_accuracy, choice.interval)} ({PERCENT} interval, "
        f"{rests_on(choice)}){sure}"
    )
