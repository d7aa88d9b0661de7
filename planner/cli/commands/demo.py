"""`apportion demo`: the whole road on the bundled policy and problems, from one command."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from rich.console import Console

from planner.choice.answer import Answer
from planner.cli.commands import common
from planner.cli.commands.recommend import show as show_answer
from planner.cli.console import Output
from planner.cli.tables import show_plan, show_summaries
from planner.usecases.demo import REAL_BENCHMARK, Demo, demo


def run(arguments: Namespace, output: Output) -> None:
    """Run the demo, and print its result."""
    found = demo(
        arguments.policy,
        out=arguments.out,
        problems=arguments.problems,
        samples=arguments.samples,
        trials=arguments.trials,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: Demo) -> None:
    """Print the plan, its results on held-out problems, and the path of the report."""
    show_plan(console, found.recommendations, found.plan_file)
    show_summaries(console, "held-out problems, none used above", found.held_out)
    for one in found.plan_minus:
        low, high = one.interval
        unclear = "" if low > 0 or high < 0 else ": these problems do not tell them apart"
        console.print(
            f"plan minus {one.against}: {one.difference:+.3f} [{low:+.3f}, {high:+.3f}] "
            f"(95 %, paired, {one.problems} problems){unclear}",
            highlight=False,
        )
    console.print(f"report: {found.report}")
    show_real(console, found.real, found.real_report)


def show_real(console: Console, answer: Answer, report: Path) -> None:
    """Print what was recorded of a real model."""
    console.print(
        f"\n[bold]A real model: {answer.policy} on {answer.made.choice.problems} problems of "
        f"{REAL_BENCHMARK}[/bold] (recorded evidence; nothing was run)",
        highlight=False,
    )
    show_answer(console, answer)
    console.print(f"with pictures, by difficulty: {report}")
