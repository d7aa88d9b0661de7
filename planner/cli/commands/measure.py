"""`apportion measure`: live runs of strategies, stored as evidence."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from planner.cli.commands import common
from planner.cli.console import Output
from planner.cli.tables import show_summaries
from planner.usecases.measure import Measurement, measure


def run(arguments: Namespace, output: Output) -> None:
    """Run every strategy at every budget, and print the accuracy of each."""
    budgets = common.whole_numbers("--budgets", arguments.budgets)
    found = measure(
        common.problem_files(arguments),
        common.strategies(arguments, arguments.strategies, budgets),
        policy=arguments.policy,
        prm=arguments.prm,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: Measurement) -> None:
    """Print accuracy and tokens of each strategy, and what was spent of a cap."""
    show_summaries(console, "measured", found.runs)
    if found.spending is not None:
        console.print(str(found.spending), highlight=False)
