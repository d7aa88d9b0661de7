"""`apportion plan`: a strategy and a budget for every difficulty, written down."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from rich.console import Console

from executor.errors import InputError
from planner.cascades.plan import CascadePlan
from planner.cascades.serialization import cascade_to_dict, save_cascade
from planner.choice.constraint import Constraint
from planner.cli.commands import common
from planner.cli.console import Output, share
from planner.cli.tables import show_plan
from planner.plans.serialization import save_plan
from planner.usecases.asked_models import EVERY
from planner.usecases.plan import plan
from planner.usecases.plan_cascade import plan_cascade


def run(arguments: Namespace, output: Output) -> None:
    """Choose for every difficulty; write the plan."""
    constraint = common.constraint(arguments)
    if not arguments.out.parent.is_dir():
        raise InputError(f"--out {arguments.out}: the folder {arguments.out.parent} does not exist")
    if len(arguments.policy) > 1 or EVERY in arguments.policy:
        _plan_cascade(arguments, output, constraint)
        return
    if len(arguments.prm or ()) > 1:
        raise InputError("--prm: a plan of one policy takes one; give it once, or leave it out")
    made = plan(
        arguments.policy[0],
        next(iter(arguments.prm or ()), None),
        constraint=constraint,
        pricing=common.pricing(arguments),
        store=arguments.store,
        domain=arguments.domain,
        reporter=output,
    )
    save_plan(made.plan, arguments.out)
    document = made.to_dict() | {"out": str(arguments.out)}
    output.result(document, lambda console: show_plan(console, made.recommendations, arguments.out))


def _plan_cascade(arguments: Namespace, output: Output, constraint: Constraint) -> None:
    """Choose the stages of a cascade; write its plan."""
    if arguments.domain is not None:
        raise InputError("--domain: a cascade is of the domain of its profiles; leave it out")
    made = plan_cascade(
        arguments.policy,
        arguments.prm or (),
        constraint=constraint,
        pricing=common.pricing(arguments),
        store=arguments.store,
        reporter=output,
    )
    save_cascade(made, arguments.out)
    document = cascade_to_dict(made) | {"out": str(arguments.out)}
    output.result(document, lambda console: show_cascade(console, made, arguments.out))


def show_cascade(console: Console, made: CascadePlan, out: Path) -> None:
    """Print the stages of a cascade and what it promises."""
    for number, stage in enumerate(made.stages, 1):
        console.print(f"stage {number}: {stage.name}", highlight=False, markup=False)
        if stage.rule is not None:
            passed = [right for right, on in zip(stage.rule.right, stage.rule.escalates,
                                                 strict=True) if on]  # fmt: skip
            console.print(
                f"  asks the next stage where it is right with {min(passed):.2f} to "
                f"{max(passed):.2f}",
                highlight=False,
            )
    if len(made.stages) == 1:
        console.print("one model alone looks as good as any cascade that keeps to the limits")
    promise = made.promise
    if promise is None:
        console.print(
            "no promise: without a fifth of the problems, nothing keeps to the limits surely enough"
        )
    else:
        console.print(
            f"promised: accuracy {share(promise.accuracy, promise.interval)} (95 %, judged on "
            f"held-out problems, {promise.problems} in all) at {promise.cost:.3g} {promise.unit} a "
            "problem",
            highlight=False,
        )
    console.print(f"written to {out}; apportion run --plan {out} runs it", highlight=False,
                  markup=False)  # fmt: skip
