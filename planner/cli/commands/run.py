"""`apportion run`: answers problems by a plan, or by strategies of the user's own choice."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

from rich.console import Console

from executor.errors import InputError
from executor.strategy import Strategy
from planner.cli.commands import common
from planner.cli.console import Output, table
from planner.cli.tables import show_summaries
from planner.usecases.run import Answers
from planner.usecases.run import run as answer

# A plan brings these; they go with --strategy only.
_OF_THE_PLAN = ("budget", *common.STRATEGY_OPTIONS, "template", *common.SAMPLING)


def run(arguments: Namespace, output: Output) -> None:
    """Run the plan, or the strategies, and print the answers."""
    if (arguments.plan is None) == (arguments.strategy is None):
        raise InputError("run: give either --plan FILE, or --strategy NAME with --budget N")
    if arguments.plan is not None:
        for option in _OF_THE_PLAN:
            if getattr(arguments, option) is not None:
                raise InputError(
                    f"{common.option_name(option)}: the plan says that; leave it out, or give "
                    "--strategy in place of --plan"
                )
    found = answer(
        common.problem_files(arguments),
        plan=arguments.plan,
        strategies=[] if arguments.strategy is None else _strategies(arguments),
        policy=arguments.policy,
        prm=arguments.prm,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def _strategies(arguments: Namespace) -> list[Strategy]:
    if arguments.policy is None:
        raise InputError("--strategy needs a policy; give one with --policy")
    if arguments.budget is None and arguments.strategy != "greedy":
        raise InputError("--strategy needs a number of generations; give it with --budget N")
    budget = 1 if arguments.budget is None else arguments.budget
    if budget < 1:
        raise InputError(f"--budget is {budget}; expected at least 1")
    return common.strategies(arguments, arguments.strategy, [budget])


def show(console: Console, found: Answers) -> None:
    """Print totals and, of a single run, its strategies and answers."""
    show_summaries(console, "runs", [one.summary for one in found.runs])
    if found.spending is not None:
        console.print(str(found.spending), highlight=False)
    if len(found.runs) > 1:
        return
    (only,) = found.runs
    mix = Counter(
        (s.note["difficulty"], s.note["strategy"]) for s in only.outcomes if "strategy" in s.note
    )
    for (level, strategy), times in sorted(mix.items()):
        console.print(f"{times} problems taken as {level}: {strategy}")
    marks = {True: "right", False: "wrong", None: "-"}
    rows = [
        [s.outcome.problem.id, s.outcome.answer or "-", marks[s.outcome.correct]]
        for s in only.outcomes
    ]
    console.print(table("answers", ["problem", "answer", "graded"], rows))
