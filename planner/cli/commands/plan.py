"""`apportion plan`: a strategy and a budget for every difficulty, written down."""

from __future__ import annotations

from argparse import Namespace

from executor.errors import InputError
from planner.cli.commands import common
from planner.cli.console import Output
from planner.cli.tables import show_plan
from planner.plans.serialization import save_plan
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
        domain=arguments.domain,
        reporter=output,
    )
    save_plan(made.plan, arguments.out)
    document = made.to_dict() | {"out": str(arguments.out)}
    output.result(document, lambda console: show_plan(console, made.recommendations, arguments.out))
