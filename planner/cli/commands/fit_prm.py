"""`apportion fit-prm`: a reward head trained on the policy's own samples."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from executor.errors import InputError
from executor.problem import Problem
from planner.cli.commands import common
from planner.cli.console import Output
from planner.report import scorer_wording as prm_words
from planner.runtime.session import Session
from profiling.profiler import profile, profile_spec, read_profile
from profiling.scorers.fit_head import FittedHead, hidden_states, save_head, train_head


def run(arguments: Namespace, output: Output) -> None:
    """Sample (or find the samples), train, save."""
    problems = common.problems(arguments)
    check_target(arguments.out)
    with common.session(arguments, output) as session:
        fitted = fit(session, arguments.policy, problems, arguments.max_samples, arguments.out)
    document = describe(fitted, arguments.out)
    output.result(document, lambda console: show(console, fitted, arguments.out))


def check_target(out: Path) -> None:
    """Refuse to overwrite what is not a reward head; before any work is done."""
    from executor.scorers.reward_head import CARD_FILE

    if out.exists() and not (out / CARD_FILE).is_file():
        raise InputError(f"--out {out}: exists and is not a reward head; give a new folder")


def fit(
    session: Session, policy_name: str, problems: Sequence[Problem], samples: int, out: Path
) -> FittedHead:
    """Profile the policy without a PRM where that is not done yet, and train a head on it."""
    executor = session.executor(policy_name, None)
    template = session.template(policy_name)
    spec = profile_spec(executor, samples, template.to_dict())
    session.timed(
        "sampling for the PRM",
        len(problems),
        spec,
        lambda progress: profile(
            executor, problems, session.store, spec,
            progress=progress, admission=session.admission(spec, samples),
        ),
    )  # fmt: skip
    graded = [
        (one.outcome.problem, one.outcome.samples)
        for one in read_profile(session.store, spec, problems)
    ]
    location = session.checkpoint(policy_name).location
    with session.reporter.progress("reading hidden states", len(graded)) as progress:
        steps = hidden_states(location, executor.policy, graded, progress=progress)
    with session.reporter.status("training the head"):
        fitted = train_head(steps, random_state=session.settings.seed)
        save_head(
            fitted, location, out, policy=executor.policy, template=template, problems=problems
        )
    return fitted


def describe(fitted: FittedHead, out: Path) -> dict[str, Any]:
    """The JSON document."""
    return {"prm": str(out), "layers": fitted.layers, "held_out": fitted.statistics.to_dict()}


def show(console: Console, fitted: FittedHead, out: Path) -> None:
    """The same for people."""
    s = fitted.statistics
    console.print(f"reward head in {out}: reads layer {fitted.layers} of the policy")
    console.print(
        f"held out by problem ({s.problems} problems, {s.samples} samples, {s.right:.0%} right; "
        "95 % intervals):"
    )
    console.print(f"  AUC of the last step     {s.auc}")
    console.print(f"  AUC within a problem     {s.auc_within} ({s.mixed_problems} problems)")
    console.print(f"  calibration error        {s.calibration_error:.3f}")
    console.print(f"  Brier score              {s.brier}")
    console.print(prm_words.verdict(s.to_dict()))
