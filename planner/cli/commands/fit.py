"""`apportion fit`: the outcome model, tuned by Optuna over the evidence in the store."""

from __future__ import annotations

from argparse import Namespace

import pandas as pd
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.store.store import Store
from planner.cli.console import Output
from planner.evidence import gathering as evidence
from planner.prediction import persistence, tuning
from planner.runtime.reporter import Reporter


def run(arguments: Namespace, output: Output) -> None:
    """Gather, tune, fit, keep."""
    if arguments.trials < 1:
        raise InputError(f"--trials {arguments.trials}: must be at least 1")
    with Store.open(arguments.store, create=False) as store, MathGrader() as grader:
        with output.status("gathering evidence"):
            frame = evidence.gather(store, grader)
        fitted = fit(
            store, frame, arguments.trials, arguments.seed, output, arguments.store,
            transfer=arguments.transfer,
        )  # fmt: skip
    output.result(fitted.metrics(), lambda console: show(console, fitted))


def fit(
    store: Store,
    frame: pd.DataFrame,
    trials: int,
    seed: int,
    reporter: Reporter,
    storage: str,
    *,
    transfer: float = tuning.TRANSFER,
) -> tuning.Fit:
    """Fit to a frame and keep the model in the store."""
    with reporter.progress("tuning the outcome model", trials) as progress:
        fitted = tuning.fit(
            frame,
            trials=trials,
            storage=storage,
            random_state=seed,
            transfer=transfer,
            progress=progress,
        )
    persistence.store_model(store, fitted, frame)
    return fitted


def show(console: Console, fitted: tuning.Fit) -> None:
    """The metrics for people."""
    console.print(
        f"outcome model: {fitted.hyperparameters.family}, "
        f"prior worth {fitted.hyperparameters.prior_weight:.0f} problems; "
        f"{fitted.rows:,} rows of {fitted.problems} problems, {fitted.trials} trials"
    )
    console.print("on problems held out (settings are chosen on them: see apportion evaluate):")
    console.print(
        f"  log loss     {fitted.log_loss:.4f} (predicting the mean: {fitted.base_log_loss:.4f})"
    )
    if fitted.transfer_log_loss == fitted.transfer_log_loss:
        console.print(
            f"               {fitted.transfer_log_loss:.4f} on policies and PRMs left out"
        )
    console.print(f"  calibration  {fitted.calibration:.4f} (expected calibration error)")
    console.print(
        f"  regret       {fitted.regret:.4f} (standard error {fitted.regret_error:.4f}; "
        "against the best in hindsight on the same few problems, which is partly luck)"
    )
