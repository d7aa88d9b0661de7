"""`apportion run`: answers problems by a plan, or by strategies of the user's own choice."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from dataclasses import replace

from rich.console import Console

from executor.errors import InputError
from executor.strategy import Strategy
from planner.cascades.serialization import is_cascade
from planner.cli.commands import common
from planner.cli.console import Output, share, table
from planner.cli.tables import show_summaries
from planner.usecases.run import Answers
from planner.usecases.run import run as answer
from planner.usecases.run_cascade import CascadeAnswers, run_cascade

_MARKS = {True: "right", False: "wrong", None: "-"}
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
        if is_cascade(arguments.plan):
            _run_cascade(arguments, output)
            return
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


def _run_cascade(arguments: Namespace, output: Output) -> None:
    """Run a cascade stage by stage, and print the answers."""
    for option in ("policy", "prm"):
        if getattr(arguments, option) is not None:
            raise InputError(
                f"{common.option_name(option)}: a cascade names the models of its stages; leave it "
                "out"
            )
    found = run_cascade(
        common.problem_files(arguments),
        arguments.plan,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show_cascade(console, found))


def show_cascade(console: Console, found: CascadeAnswers) -> None:
    """Print the stages with their ledgers, the accuracy beside the promise, and the answers."""
    show_summaries(console, "stages, each on the questions that it was asked",
                   [replace(one.summary, name=one.stage.name) for one in found.stages])  # fmt: skip
    for number, one in enumerate(found.stages, 1):
        if one.stage.rule is not None:
            console.print(
                f"stage {number} passed on {one.passed_on} of {one.summary.problems} questions"
            )
    if (rate := found.rate) is not None:
        promise = found.plan.promise
        promised = "" if promise is None else f"; promised {promise.accuracy:.3f}"
        console.print(
            f"the cascade: accuracy {share(rate.pass_at_1, rate.interval())} on {rate.trials} "
            f"problems{promised}",
            highlight=False,
        )
    rows = [
        [
            one.outcome.outcome.problem.id,
            one.outcome.outcome.answer or "-",
            _MARKS[one.outcome.outcome.correct],
            str(one.stage),
        ]
        for one in found.answers
    ]
    console.print(table("answers", ["problem", "answer", "graded", "stage"], rows))


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
    rows = [
        [s.outcome.problem.id, s.outcome.answer or "-", _MARKS[s.outcome.correct]]
        for s in only.outcomes
    ]
    console.print(table("answers", ["problem", "answer", "graded"], rows))
