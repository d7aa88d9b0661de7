"""A recommendation as the JSON document of the contract, and as people read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from executor.strategy import key
from planner.answer import Answer
from planner.cheaper import sentence as less_words
from planner.console import count, share, table
from planner.next_measurement import sentence as measurement_sentence
from planner.posterior import PERCENT
from planner.recommend import unit_name
from planner.report.words import rests_on, sources
from profiling.passrate import ALL


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
    """The Pareto front, and whatever else is named; costs that nothing here is known in are left
    out (`planner.constraint.unknown` says why)."""
    shown, made = answered.shown, answered.made
    known = [one for one in _COSTS if any(getattr(c.cost, one.quantity) is not None for c in shown)]
    named = [mark for choice in shown for mark in answered.marks(choice)]
    title = (
        f"the Pareto front (nothing is more accurate for as few {unit_name(made.cost_unit)})"
        + (" and what is named above" if len(named) > 1 else "")
    )
    rows = [
        [
            " ".join([key(c.strategy), *(f"({mark})" for mark in answered.marks(c))]),
            share(c.predicted_accuracy, c.interval),
            sources(c.sources),
            str(c.problems or "-"),
            *(one.words(getattr(c.cost, one.quantity)) for one in known),
        ]
        for c in shown
    ]
    columns = ["strategy", f"accuracy [{PERCENT}]", "how", "problems"]
    return table(title, [*columns, *(one.heading for one in known)], rows)


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A column of costs: its heading, the field of `Cost`, and how that is written."""

    heading: str
    quantity: str
    words: Callable[[float | None], str] = count


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


_COSTS = (
    _Quantity("generated", "generated_tokens"),
    _Quantity("PRM", "prm_tokens"),
    _Quantity("FLOPs", "flops"),
    _Quantity("seconds", "seconds", _short),
    _Quantity("USD", "usd", _short),
)


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
        f"[bold]{key(choice.strategy)}[/bold] for {pair}{problems}: predicted accuracy "
        f"{share(choice.predicted_accuracy, choice.interval)} ({PERCENT} interval, "
        f"{rests_on(choice)}){sure}"
    )
