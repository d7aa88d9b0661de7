"""`apportion report`: what is known about a policy and a PRM, as one page."""

from __future__ import annotations

from argparse import Namespace

from planner.cli.commands import common
from planner.cli.console import Output
from planner.usecases.report import report


def run(arguments: Namespace, output: Output) -> None:
    """Gather the findings, and write the report."""
    written = report(
        *common.models(arguments.policy, arguments.prm),
        out=arguments.out,
        form=arguments.format,
        benchmark=arguments.benchmark,
        constraint=common.constraint(arguments),
        pricing=common.pricing(arguments),
        catalog=arguments.catalog,
        unlisted=common.unlisted(arguments),
        domain=arguments.domain,
        store=arguments.store,
        reporter=output,
    )
    output.result(written.to_dict(), lambda console: console.print(f"report: {written.out}"))
