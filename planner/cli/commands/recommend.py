"""`apportion recommend`: parses its arguments, and prints the recommendation."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from executor.strategy import key
from planner.choice.answer import Answer
from planner.choice.next_measurement import sentence as measurement_sentence
from planner.choice.recommend import unit_name
from planner.cli.commands import common
from planner.cli.console import EMPTY, Output, count, known_table, share
from planner.prediction.beta import PERCENT
from planner.report.wording import rests_on, sources
from planner.usecases.recommend import recommend, to_dict
from profiling.difficulty.pass_rate import ALL


def run(arguments: Namespace, output: Output) -> None:
    """Look at the evidence and choose."""
    answer = recommend(
        arguments.policy,
        arguments.prm,
        difficulty=arguments.difficulty,
        benchmark=arguments.benchmark,
        constraint=common.constraint(arguments),
        pricing=common.pricing(arguments),
        catalog=arguments.catalog,
        next_problems=arguments.next_problems,
        store=arguments.store,
    )
    output.result(to_dict(answer), lambda console: show(console, answer))


def show(console: Console, answered: Answer) -> None:
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
    for note in answered.notes:
        say(f"note: {note}")


def _table(answered: Answer) -> Table:
    """The Pareto front, and whatever else is named."""
    shown, made = answered.shown, answered.made
    title = f"the Pareto front (nothing is more accurate for as few {unit_name(made.cost_unit)})"
    if any(answered.marks(one) for one in shown if one.strategy != made.choice.strategy):
        title += " and what is named above"
    rows = [
        [
            " ".join([key(c.strategy), *(f"({mark})" for mark in answered.marks(c))]),
            share(c.predicted_accuracy, c.interval),
            sources(c.sources),
            str(c.problems or EMPTY),
            count(c.cost.generated_tokens),
            count(c.cost.prm_tokens),
            count(c.cost.flops),
            *(EMPTY if n is None else f"{n:.3g}" for n in (c.cost.seconds, c.cost.usd)),
        ]
        for c in shown
    ]
    columns = [
        "strategy", f"accuracy [{PERCENT}]", "how", "problems", "generated", "PRM", "FLOPs",
        "seconds", "USD",
    ]  # fmt: skip
    return known_table(title, columns, rows)


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
        f"[bold]{key(choice.strategy)}[/bold] for {escape(pair)}{problems}: predicted accuracy "
        f"{share(choice.predicted_accuracy, choice.interval)} ({PERCENT} interval, "
        f"{rests_on(choice)}){sure}"
    )
