"""`apportion recommend`: parses its arguments, and prints the recommendation."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from executor.strategy import key
from planner.choice.against import smallest_to_reach
from planner.choice.answer import Answer
from planner.choice.estimate import StrategyEstimate
from planner.cli.commands import common
from planner.cli.console import EMPTY, Output, count, share
from planner.prediction.beta import PERCENT
from planner.report.models_wording import against_answer, printed_pair
from planner.report.notes import essential, word
from planner.report.wording import label, rests_on, times_the, unit_words
from planner.usecases.recommend import recommend, to_dict
from profiling.pass_rate import ALL

TARGET_MISSED = 4
"""Exit code if no strategy is sure enough to reach the target; the surest is printed."""
WIDTH = 100  # columns of what people read, on a terminal or in a file
_SHOWN_AGAINST = 3  # larger policies that a choice is set against; the others are in --json
_STRATEGY = "strategy@N"
_LABELS = 11  # columns of the labels before the first lines
_DROPPED = ("PRM", "generated", "problems")  # columns to leave out of a table that is too wide


def run(arguments: Namespace, output: Output) -> int:
    """Choose from the evidence, print the choice, and return the exit code."""
    policy, prm = common.models(arguments.policy, arguments.prm)
    assert policy is not None  # argparse requires it
    answer = recommend(
        policy,
        prm,
        difficulty=arguments.difficulty,
        benchmark=arguments.benchmark,
        constraint=common.constraint(arguments),
        pricing=common.pricing(arguments),
        catalog=arguments.catalog,
        unlisted=common.unlisted(arguments),
        next_problems=arguments.next_problems,
        domain=arguments.domain,
        store=arguments.store,
    )
    output.result(to_dict(answer), lambda console: show(console, answer, arguments.explain))
    return TARGET_MISSED if answer.made.misses_target else 0


def show(console: Console, answered: Answer, explain: bool = False) -> None:
    """Print the answer for people, at most `WIDTH` columns wide.

    The choice, its accuracy and its cost come first, then the runner-up and the Pareto front.
    With `explain` the reasons follow, what to measure next, and all notes.
    """
    width = min(console.width, WIDTH)

    def say(text: str, indent: str = "  ", bold: int = 0) -> None:
        lines = textwrap.wrap(
            text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        for number, line in enumerate(lines):
            styled = Text(line)
            styled.stylize("bold", 0, 0 if number else bold)
            console.print(styled, highlight=False, soft_wrap=True)

    say(_headline(answered), bold=_bold(answered))
    for name, text in _facts(answered):
        say(f"{name:{_LABELS}}{text}", " " * _LABELS)
    console.print(_table(console, answered, width), width=width)
    shown_notes = list(answered.notes) if explain else essential(answered.notes)
    if explain:
        for remark in answered.remarks:
            say(word(remark))
        for one in answered.pairs:
            say(word(one.note(answered.made.cost_unit)))
        for pair in answered.printed:
            say(f"in print: {printed_pair(pair)}")
        if answered.measurement is not None and answered.measurement_note is not None:
            say(word(answered.measurement_note))
            for line in answered.buy if answered.measurement.chance > 0 else ():
                for part in _command_lines(line, width):
                    console.print(Text(part), highlight=False, soft_wrap=True)
    for note in shown_notes:
        say(f"note: {word(note)}")
    say(_more(answered, explain))


def _headline(answered: Answer) -> str:
    """Return the line that names the choice, with its policy and PRM, or says it is not enough."""
    made = answered.made
    pair = answered.policy + (f" with {answered.prm}" if answered.prm else "")
    problems = "" if made.difficulty == ALL else f" on {made.difficulty} problems"
    choice = f"{key(made.choice.strategy)} for {pair}{problems}"
    if made.misses_target:
        return f"no strategy is sure enough to reach the target; the surest: {choice}"
    return choice


def _bold(answered: Answer) -> int:
    """Return how many letters of the headline to stress: the strategy's, or all of a warning."""
    if answered.made.misses_target:
        return len(_headline(answered))
    return len(key(answered.made.choice.strategy))


def _facts(answered: Answer) -> Iterator[tuple[str, str]]:
    """Yield the estimates of the choice and of those beside it, as a label and a line each."""
    made, choice = answered.made, answered.made.choice
    yield "budget", f"N = {choice.strategy.n:,} (generations a problem)"
    yield (
        "accuracy",
        f"{share(choice.predicted_accuracy, choice.interval)} predicted ({PERCENT} interval; "
        f"{rests_on(choice)})",
    )
    if made.chance is not None:
        yield "target", f"reached with a chance of {made.chance:.1%} by this strategy, taken alone"
    yield "cost", _cost(choice)
    second, less = answered.second, answered.less
    if second is not None:
        chance = "" if second.chance is None else f", target reached with {second.chance:.1%}"
        ratio = 1.0 if second.cost_ratio is None else second.cost_ratio
        yield "runner-up", f"{_beside(second.choice, ratio, made.cost_unit)}{chance}"
    if less is not None:
        yield "cheaper", _beside(less.choice, less.cost_ratio, made.cost_unit)
    for one in answered.against[:_SHOWN_AGAINST]:
        yield "against", against_answer(one.note(made.cost_unit))
    smallest = smallest_to_reach(answered.pairs)
    if smallest is not None and smallest.choice.run != made.choice.run:
        name = "smallest" if smallest.reaches else "nearest"
        yield name, word(smallest.note(made.cost_unit))


def _beside(choice: StrategyEstimate, ratio: float, unit: str) -> str:
    """Describe another strategy: label, accuracy, and cost as a multiple of the choice's."""
    accuracy = share(choice.predicted_accuracy, choice.interval)
    models = "" if choice.models is None else f" of {choice.models}"
    return f"{label(choice.strategy)}{models}, {accuracy}, {times_the(ratio, unit)}"


def _cost(choice: StrategyEstimate) -> str:
    """Return the known costs of a choice, in words."""
    cost = choice.cost
    tokens = {"generated": count(cost.generated_tokens), "PRM": count(cost.prm_tokens)}
    counted = " and ".join(f"{n} {kind}" for kind, n in tokens.items() if n not in (EMPTY, "0"))
    amounts = {
        "FLOPs": count(cost.flops),
        "s": _three_digits(cost.seconds),
        "USD": _three_digits(cost.usd),
    }
    known = [f"{counted} tokens"] if counted else []
    known += [f"{amount} {unit}" for unit, amount in amounts.items() if amount != EMPTY]
    return f"{', '.join(known)} a problem" if known else "not known"


def _three_digits(value: float | None) -> str:
    return EMPTY if value is None else f"{value:.3g}"


def _table(console: Console, answered: Answer, width: int) -> Table:
    """Return the Pareto front and the strategies beside the choice, in the columns that fit."""
    shown, made = answered.shown, answered.made
    unit = unit_words(made.cost_unit)
    title = (
        f"Pareto front of accuracy and {unit}, the cheapest first, and the strategies named above"
    )
    target = answered.target
    columns: dict[str, list[str]] = {
        **({"policy, PRM": [_named(c) for c in shown]} if answered.policies else {}),
        _STRATEGY: [label(c.strategy) for c in shown],
        f"accuracy [{PERCENT}]": [share(c.predicted_accuracy, c.interval) for c in shown],
        "target": [
            EMPTY if target is None else f"{c.probability_above(target):.1%}" for c in shown
        ],
        "problems": [str(c.problems or EMPTY) for c in shown],
        "generated": [count(c.cost.generated_tokens) for c in shown],
        "PRM": [count(c.cost.prm_tokens) for c in shown],
        "FLOPs": [count(c.cost.flops) for c in shown],
        "seconds": [_three_digits(c.cost.seconds) for c in shown],
        "USD": [_three_digits(c.cost.usd) for c in shown],
        "": [", ".join(answered.marks(c)) for c in shown],
    }
    kept = {name: cells for name, cells in columns.items() if set(cells) != {EMPTY}}
    made_table = _laid_out(title, kept)
    anything = console.options.update(width=10 * WIDTH)  # a narrow console would cut it
    costs = [name for name in ("seconds", "FLOPs", "USD") if name != unit]

    def fits() -> bool:
        return Measurement.get(console, anything, made_table).maximum <= width

    for name in (*_DROPPED, *(costs if answered.policies else ())):
        if fits():
            break
        kept.pop(name, None)
        made_table = _laid_out(title, kept)
    return made_table if fits() else _laid_out(title, kept, gap=1)


def _named(choice: StrategyEstimate) -> str:
    """Return the models of a choice, the PRM on a line of its own."""
    assert choice.models is not None
    prm = "" if choice.models.prm is None else f"\n  {choice.models.prm}"
    return f"{choice.models.policy}{prm}"


def _laid_out(title: str, columns: Mapping[str, Sequence[str]], gap: int = 2) -> Table:
    """Return a table without lines; only text in the first column is folded."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=None, padding=(0, gap, 0, 0),
        pad_edge=False,
    )  # fmt: skip
    for number, name in enumerate(columns):
        left = number == 0 or not name or name == _STRATEGY
        made.add_column(
            name, justify="left" if left else "right", overflow="fold", no_wrap=number > 0
        )
    for row in zip(*columns.values(), strict=True):
        made.add_row(*row)
    return made


def _command_lines(line: str, width: int) -> list[str]:
    """Split a command line into lines that a shell joins, each within `width` if possible."""
    parts = textwrap.wrap(
        line, width - 4, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return [f"  {part} \\" for part in parts[:-1]] + [f"  {parts[-1]}"]


def _more(answered: Answer, explain: bool) -> str:
    """Return a line on the options that show more."""
    hidden = len(answered.made.alternatives) + 1 - len(answered.shown)
    others = f"{hidden:,} more strategies: --json" if hidden else "all figures: --json"
    if explain:
        return others
    return f"reasons, what to measure next and all notes: --explain; {others}"
