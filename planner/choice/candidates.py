"""Estimates of every strategy that there is evidence of, for one policy, PRM and difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from executor.errors import InputError
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import TOKENS, Rates
from planner.evidence.cells import cells, strategy_of
from planner.evidence.comparable import for_pair
from planner.prediction.beta import summarise
from planner.prediction.features import describe
from profiling.pass_rate import JEFFREYS

if TYPE_CHECKING:  # scikit-learn takes a fifth of a second to import; most answers need none
    from planner.prediction.outcome_model import OutcomeModel

# Without a fitted model, a cell starts from its difficulty's mean, worth this many problems.
_PLAIN_PRIOR = 4.0


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
        model: predicts accuracies; None: see `estimate_cells`.
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
        raise InputError(
            f"PRM {prm}: there is no evidence on it with policy {policy} (known: {known})"
        )
    table = cells(usable)
    table = table[table["difficulty"] == difficulty].reset_index(drop=True)
    if table.empty:
        return []
    if model is not None:
        table = describe(table, frame[frame["policy"] == policy])
    return estimate_cells(table, model, rates)


def estimate_cells(
    table: pd.DataFrame, model: OutcomeModel | None, rates: Rates
) -> list[StrategyEstimate]:
    """Estimate each cell of one policy, PRM and difficulty.

    Args:
        table: cells; `planner.prediction.features.describe` must have described them if there is a
            model.
        model: predicts accuracies; None: a cell starts from the mean of all cells.
        rates: prices of tokens.
    """
    if model is None:
        # If all are right or all wrong, the mean is kept as far inside (0, 1) as Jeffreys' prior.
        edge = JEFFREYS / _PLAIN_PRIOR
        mean = np.clip(table["successes"].sum() / table["rows"].sum(), edge, 1 - edge)
        share = table["problems"] / table["rows"]
        right = (table["successes"] * share).to_numpy(float)
        total = table["problems"].to_numpy(float)
        a, b = _PLAIN_PRIOR * mean + right, _PLAIN_PRIOR * (1 - mean) + total - right
        weights = np.full(len(table), _PLAIN_PRIOR)
    else:
        a, b = model.posterior(table)
        weights = model.prior_weights(table)
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
            prior_weight=float(weights[i]),
        )
        for i, cell in enumerate(table.to_dict("records"))
    ]
