"""`apportion fit`: the outcome model, tuned by Optuna over the evidence in the store."""

from __future__ import annotations

import math
from argparse import Namespace

from rich.console import Console

from planner.cli.console import Output
from planner.prediction.tuning import JUDGED_FROM, Fit
from planner.usecases.fit import fit


def run(arguments: Namespace, output: Output) -> None:
    """Fit, and print the figures."""
    found = fit(
        store=arguments.store,
        trials=arguments.trials,
        seed=arguments.seed,
        transfer=arguments.transfer,
        domain=arguments.domain,
        reporter=output,
    )
    output.result(found.to_dict(), lambda console: show(console, found.fit))


def show(console: Console, fitted: Fit) -> None:
    """Print the model, and its figures on problems held out."""
    console.print(
        f"outcome model: {fitted.hyperparameters.family}, "
        f"{fitted.rows:,} rows of {fitted.problems} problems, {fitted.trials} trials"
    )
    console.print("on problems held out (settings are chosen on them: see apportion evaluate):")
    console.print(
        f"  log loss     {fitted.log_loss:.4f} (predicting the mean: {fitted.base_log_loss:.4f})"
    )
    if not math.isnan(fitted.transfer_log_loss):
        console.print(
            f"               {fitted.transfer_log_loss:.4f} on policies and PRMs left out"
        )
    if math.isnan(fitted.calibration):
        console.print(
            f"  calibration and regret are not known: {fitted.problems} problems are too few "
            f"(from {JUDGED_FROM} on)"
        )
        return
    console.print(
        f"  calibration  {fitted.calibration:.4f} (expected calibration error of what recommend "
        "prints)"
    )
    if math.isnan(fitted.regret):
        console.print("  regret       not known: no two strategies ran on the same problems")
        return
    error = (
        "standard error not known"
        if math.isnan(fitted.regret_error)
        else f"standard error {fitted.regret_error:.4f}"
    )
    console.print(
        f"  regret       {fitted.regret:.4f} ({error}; "
        "against the best in hindsight on the same few problems, which is partly luck)"
    )
