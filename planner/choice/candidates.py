"""Estimates of every strategy that there is evidence of, for one policy, PRM and difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from executor.errors import InputError
from planner.choice.estimate import Shrunk, StrategyEstimate
from planner.costs.cost import TOKENS, Rates
from planner.evidence.cells import cells, strategy_of
from planner.evidence.comparable import for_pair
from planner.prediction.beta import summarise
from planner.prediction.features import describe
from planner.prediction.measured import measured
from profiling.scorers.free import FREE_SCORERS, missing

if TYPE_CHECKING:  # scikit-learn takes a fifth of a second to import; most answers need none
    from planner.prediction.outcome_model import OutcomeModel


def candidates(
    frame: pd.DataFrame,
    policy: str,
    prm: str | None,
    difficulty: str,
    model: OutcomeModel | None,
    rates: Rates,
) -> list[StrategyEstimate]:
    """Estimate every strategy that there is evidence of for this policy and PRM.

    Args:
        frame: evidence.
        policy, prm: names as the evidence has them.
        difficulty: `easy`, `medium`, `hard` or `all`.
        model: a fitted outcome model; None: there is none.
        rates: prices of tokens.

    Returns:
        One estimate a strategy; empty if there is no evidence on this difficulty.

    Raises:
        InputError: there is no evidence for this policy, or none with this PRM.
    """
    usable = for_pair(frame, policy, prm)
    if not (frame["policy"] == policy).any():
        known = ", ".join(sorted(set(frame["policy"]))) or "none yet"
        raise InputError(
            f"policy {policy}: there is no evidence on it (known: {known}); "
            "measure it with: apportion profile, apportion measure"
        )
    if usable.empty:
        pairs = sorted(set(frame[frame["policy"] == policy]["prm"]) - {""})
        known = ", ".join(pairs) or "none"
        if prm is None:
            raise InputError(
                f"policy {policy}: there is no evidence on it without a PRM (known with: {known})"
            )
        if prm in FREE_SCORERS:
            raise missing(prm, policy)
        raise InputError(
            f"PRM {prm}: there is no evidence on it with policy {policy} (known: {known})"
        )
    about = (frame["policy"] == policy) & frame["prm"].isin(["", prm or ""])
    return estimate_rows(usable, frame[about], difficulty, model, rates)


def estimate_rows(
    rows: pd.DataFrame,
    about: pd.DataFrame,
    difficulty: str,
    model: OutcomeModel | None,
    rates: Rates,
) -> list[StrategyEstimate]:
    """Estimate every strategy that there is evidence of; see `candidates`.

    Args:
        rows: evidence of one policy and PRM (`planner.evidence.comparable.for_pair`).
        about: all evidence on the two, which describes them.
        difficulty, model, rates: see `candidates`.
    """
    table = cells(rows, difficulty)
    if table.empty:
        return []
    return estimate_cells(describe(table, about), rows, model, rates)


def estimate_cells(
    table: pd.DataFrame, rows: pd.DataFrame, model: OutcomeModel | None, rates: Rates
) -> list[StrategyEstimate]:
    """Estimate each cell of one policy, PRM and difficulty.

    If a cell has outcomes, all are estimated together (`planner.prediction.joint`); the model then
    gives what they are shrunk toward, as far as it learnt from other policies. If none has
    outcomes, the model predicts them.

    Args:
        table: cells that `planner.prediction.features.describe` described. The outcomes of a cell
            with 0 `problems` are not read.
        rows: evidence of this policy and PRM.
        model: a fitted outcome model; it may be None if there are outcomes.
        rates: prices of tokens.
    """
    if (table["problems"] > 0).any():
        found = measured(table, rows, model)
        a, b = found.beta()
        shrunk = [Shrunk(float(prior), float(own))
                  for prior, own in zip(found.centre, found.own, strict=True)]  # fmt: skip
    elif model is not None:
        a, b = model.posterior(table)
        shrunk = None
    else:
        raise ValueError("cells without outcomes need a model")
    means, lows, highs = summarise(a, b)
    return [
        StrategyEstimate(
            strategy=strategy_of(cell),
            predicted_accuracy=float(means[i]),
            interval=(float(lows[i]), float(highs[i])),
            beta=(float(a[i]), float(b[i])),
            cost=rates.price(*(float(cell[name]) for name in TOKENS)),
            problems=int(cell["problems"]),
            sources=cell["sources"],
            shrunk=None if shrunk is None else shrunk[i],
        )
        for i, cell in enumerate(table.to_dict("records"))
    ]
