"""`apportion evaluate` of several policies: cascades beside each model alone and routers."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from executor.errors import InputError
from planner.cascades.choice import UNITS
from planner.cascades.comparison import AtLimit, AtTarget
from planner.cli.commands import common
from planner.cli.console import EMPTY, Output, share, table
from planner.report.notes import word
from planner.report.wording import plural
from planner.usecases.evaluate_cascades import CascadeEvaluation, evaluate_cascades


def run(arguments: Namespace, output: Output) -> None:
    """Choose cascades fold by fold, and compare."""
    if arguments.budgets is not None:
        raise InputError(
            "--budgets: N generations of a small and of a large model are not the same thing; give "
            "--max-flops, --max-seconds or --max-usd instead"
        )
    unit, limits = _limits(arguments)
    targets = arguments.target_accuracy
    found = evaluate_cascades(
        arguments.policy,
        arguments.prm or (),
        limits=limits,
        unit=unit,
        targets=common.numbers("--target-accuracy", targets) if targets else (),
        confidence=arguments.confidence,
        pricing=common.pricing(arguments),
        seed=arguments.seed,
        store=arguments.store,
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def _limits(arguments: Namespace) -> tuple[str, list[float] | None]:
    """The unit of costs, and the limits that are given in it."""
    given = [unit for unit, name in UNITS.items() if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise InputError(
            f"{' and '.join(common.option_name(UNITS[unit]) for unit in given)}: a cascade weighs "
            "accuracy against one cost; give one of them"
        )
    if not given:
        return "flops", None
    option = UNITS[given[0]]
    return given[0], common.numbers(common.option_name(option), getattr(arguments, option))


def show(console: Console, found: CascadeEvaluation) -> None:
    """Print the evaluation for people."""
    console.print(
        f"cascades of {', '.join(found.policies)} on {plural(found.problems, 'problem')}; each was "
        "chosen without the fold of problems it is judged by; intervals draw problems"
    )
    for one in found.limits:
        _show_limit(console, one, found.unit)
    if found.targets:
        title = f"the cheapest that reach a target with a confidence of {found.confidence:g}"
        columns = ["target", "reached [95 %]", "problems", found.unit, "one model alone [95 %]",
                   f"its {found.unit}, times"]  # fmt: skip
        console.print(table(title, columns, list(map(_target_row, found.targets))))
    for note in found.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _show_limit(console: Console, one: AtLimit, unit: str) -> None:
    inside = "inside" if one.accuracy.low <= one.promised <= one.accuracy.high else "outside"
    rows = [["the cascade", share(one.accuracy.value, (one.accuracy.low, one.accuracy.high)),
             EMPTY, f"{one.cost:.3g}"]]  # fmt: skip
    rows += [
        [
            each.name,
            share(each.accuracy.value, (each.accuracy.low, each.accuracy.high)),
            _signed(each.difference.value, each.difference.low, each.difference.high),
            f"{each.cost:.3g}",
        ]
        for each in one.beside
    ]
    columns = ["way to answer", "accuracy [95 %]", "cascade minus it [95 %]", unit]
    console.print(table(f"at most {one.limit:.3g} {unit} a problem", columns, rows))
    stages = "; ".join(f"{name} ({plural(count, 'fold')})" for name, count in one.chosen)
    console.print(f"chosen: {stages}", highlight=False, markup=False)
    regret = ""
    if one.regret is not None:
        missed = _signed(one.regret.value, one.regret.low, one.regret.high)
        regret = f"; the best one model at its cost in hindsight, {one.hindsight}: {missed}"
    console.print(
        f"{one.asked:.0%} of the questions go on to a second stage; promised {one.promised:.3f}, "
        f"{inside} the interval{regret}",
        highlight=False,
        markup=False,
    )


def _target_row(one: AtTarget) -> list[str]:
    if one.accuracy is None or one.cost is None:
        return [f"{one.target:g}", "not surely enough", "0", EMPTY, EMPTY, EMPTY]
    single = one.single and share(one.single.value, (one.single.low, one.single.high))
    ratio = one.ratio and f"{one.ratio.value:.2f} [{one.ratio.low:.2f}, {one.ratio.high:.2f}]"
    return [
        f"{one.target:g}",
        share(one.accuracy.value, (one.accuracy.low, one.accuracy.high)),
        str(one.problems),
        f"{one.cost:.3g}",
        single or "not surely enough",
        ratio or EMPTY,
    ]


def _signed(value: float, low: float, high: float) -> str:
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
