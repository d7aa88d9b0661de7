"""`apportion fit-prm`: a reward head trained on the policy's own samples."""

from __future__ import annotations

from argparse import Namespace

from rich.console import Console

from planner.cli.commands import common
from planner.cli.console import Output
from planner.report import scorer_wording
from planner.usecases.fit_prm import TrainedPrm, fit_prm


def run(arguments: Namespace, output: Output) -> None:
    """Train the head, and print how good it is."""
    trained = fit_prm(
        common.problem_files(arguments),
        policy=arguments.policy,
        out=arguments.out,
        fuse=arguments.fuse,
        max_samples=arguments.max_samples,
        store=arguments.store,
        settings=common.settings(arguments),
        reporter=output,
    )
    output.result(trained.to_dict(), lambda console: show(console, trained))


def show(console: Console, trained: TrainedPrm) -> None:
    """Print the head's figures on problems held out."""
    s = trained.statistics
    console.print(f"reward head in {trained.prm}: reads layer {trained.layers} of the policy")
    if trained.fused is not None:
        console.print(
            f"policy that holds it: {trained.fused}; "
            f"use it with --policy {trained.fused} --prm {trained.fused}"
        )
    console.print(
        f"held out by problem ({s.problems} problems, {s.samples} samples, {s.right:.0%} right; "
        "95 % intervals):"
    )
    console.print(f"  AUC of the last step     {s.auc}")
    console.print(f"  AUC within a problem     {s.auc_within} ({s.mixed_problems} problems)")
    console.print(f"  calibration error        {s.calibration_error:.3f}")
    console.print(f"  Brier score              {s.brier}")
    console.print(scorer_wording.verdict(s.to_dict()))
