"""`apportion plan`: a strategy and a budget for every difficulty, written down."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from executor.errors import InputError
from executor.strategy import key
from planner.choice.recommend import Recommendation
from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.plans.serialization import save_plan
from planner.prediction.beta import PERCENT
from planner.report.notes import word
from planner.usecases.plan import plan


def run(arguments: Namespace, output: Output) -> None:
    """Choose for every difficulty; write the plan."""
    constraint = common.constraint(arguments)
    if not arguments.out.parent.is_dir():
        raise InputError(f"--out {arguments.out}: the folder {arguments.out.parent} does not exist")
    made = plan(
        arguments.policy,
        arguments.prm,
        constraint=constraint,
        pricing=common.pricing(arguments),
        store=arguments.store,
        reporter=output,
    )
    save_plan(made.plan, arguments.out)
    document = made.to_dict() | {"out": str(arguments.out)}
    output.result(document, lambda console: show(console, made.recommendations, arguments.out))


def show(console: Console, made: Sequence[Recommendation], out: Path) -> None:
    """The plan for people."""
    rows: list[list[Any]] = [
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
