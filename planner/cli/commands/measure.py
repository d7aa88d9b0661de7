"""`apportion measure`: live runs of strategies, stored as evidence."""

from __future__ import annotations

from argparse import Namespace

from planner.cli.commands import common
from planner.cli.console import Output
from planner.cli.tables import show_summaries
from planner.usecases.measure import measure


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
    output.result(found.to_dict(), lambda console: show_summaries(console, "measured", found.runs))
