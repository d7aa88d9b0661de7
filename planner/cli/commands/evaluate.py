"""`apportion evaluate`: plans against everything else that was measured, on held-out problems."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
from rich.console import Console

from executor.errors import InputError
from planner.cascades.choice import UNITS
from planner.cli.commands import common, evaluate_cascades
from planner.cli.console import Output, count, share, table
from planner.evaluation.bootstrap import Interval
from planner.evaluation.comparison import Comparison
from planner.evaluation.exchange import Exchange
from planner.report.notes import word
from planner.report.wording import plural
from planner.usecases.asked_models import EVERY
from planner.usecases.evaluate import Evaluation, evaluate
from planner.usecases.routed_plans import with_probes

_OF_CASCADES = ("prm", "target_accuracy", *UNITS.values())


def run(arguments: Namespace, output: Output) -> None:
    """Make plans fold by fold, and compare; of several policies cascades."""
    policies = arguments.policy or []
    if len(policies) > 1 or EVERY in policies:
        evaluate_cascades.run(arguments, output)
        return
    for option in _OF_CASCADES:
        if getattr(arguments, option) is not None:
            raise InputError(
                f"{common.option_name(option)}: is for cascades of several policies; give --policy "
                "twice, or leave it out"
            )
    budgets = arguments.budgets
    found = evaluate(
        next(iter(policies), None),
        budgets=common.whole_numbers("--budgets", budgets) if budgets else None,
        trials=arguments.trials,
        seed=arguments.seed,
        domain=arguments.domain,
        store=arguments.store,
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found))


def show(console: Console, found: Evaluation) -> None:
    """Print the evaluation for people."""
    console.print(
        f"{plural(found.problems, 'problem')}, {plural(len(found.policies_and_prms), 'pair')} of "
        "policy and PRM; each plan was made without the fold of problems it is judged by, and runs "
        "as the router runs it; intervals draw problems and pairs"
    )
    for budget in dict.fromkeys(one.budget for one in found.comparisons):
        rows = [_line(one) for one in found.comparisons if one.budget == budget]
        columns = ["instead of the plan", "pairs", "its accuracy [95 %]", "the plan's",
                   "plan minus it [95 %]", "tokens", "the plan's"]  # fmt: skip
        plans = with_probes(budget)
        more = f" (plans {plans}, with their probes)" if plans > budget else ""
        console.print(table(f"at most {budget} generations a problem{more}", columns, rows))
    for one in found.exchanges:
        console.print(f"{one.against} of at most {one.budget}: {_exchanged(one)}")
    for regret in found.regret:
        if regret.cells:
            console.print(
                f"regret at {regret.budget}, mean of {regret.cells} cells: at most "
                f"{regret.naive:.4f} (best on the same problems), at least "
                f"{regret.honest:.4f} (best of one half on the other)"
            )
    rows = [
        [one.against, str(one.arenas), _signed(one.difference), " to ".join(map(count, one.tokens))]
        for one in found.areas
    ]
    columns = ["instead of the plan", "pairs", "mean height above it [95 %]", "tokens a problem"]
    console.print(table("accuracy over the logarithm of generated tokens", columns, rows))
    for note in found.notes:
        console.print(f"note: {word(note)}", highlight=False, markup=False)


def _line(one: Comparison) -> list[str]:
    """Return a row of the table of comparisons."""
    tokens = [count(value) if np.isfinite(value) else "-" for value in one.tokens]
    return [
        one.against,
        str(one.arenas),
        share(one.other.value, (one.other.low, one.other.high)),
        share(one.plan.value),
        _signed(one.difference),
        tokens[1],
        tokens[0],
    ]


def _exchanged(one: Exchange) -> str:
    """Return the plans at its tokens, and at its accuracy, in words."""
    where = "" if one.reached == 1 else f" (plans were in {one.reached:.0%} of the folds)"
    return (
        "of mixes of plans, chosen on the training problems, those that spent its tokens there "
        f"are {_signed(one.accuracy)} more accurate with {_ratio(one.spent)} of its tokens; the "
        f"cheapest that were as accurate there{where} are {_signed(one.kept)} more accurate "
        f"with {_ratio(one.tokens)} of its tokens"
    )


def _ratio(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _signed(interval: Interval) -> str:
    return f"{interval.value:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
