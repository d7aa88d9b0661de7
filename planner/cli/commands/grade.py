"""`apportion grade`: grades answers by their references, a line each."""

from __future__ import annotations

import json
from argparse import Namespace

from rich.console import Console

from executor.json_values import finite
from planner.cli.console import Output, share
from planner.report.grades import why
from planner.usecases.grade import Grades, grade


def run(arguments: Namespace, output: Output) -> None:
    """Grade the file and print the grades."""
    graded = grade(
        arguments.file,
        domain=arguments.domain,
        unsafe_execution=arguments.unsafe_execution,
        reporter=output,
    )
    output.result(graded.to_list(), lambda console: show(console, graded))
    for line in summary(graded):
        output.say(line)


def show(console: Console, graded: Grades) -> None:
    """Print a JSON object a line."""
    for one in graded.to_list():
        # Not console.print, which would read brackets as markup and fold lines.
        console.file.write(json.dumps(finite(one), ensure_ascii=False) + "\n")


def summary(graded: Grades) -> list[str]:
    """Return lines that say how many are right, and how often each reason was given."""
    accuracy = share(graded.accuracy, graded.interval)
    return [
        f"{graded.right:,} of {len(graded.grades):,} right: {accuracy} (95 % interval)",
        *(f"{n:>7,} {why(reason)}" for reason, n in graded.reasons.items()),
    ]
