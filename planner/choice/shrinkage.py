"""Why a prediction is not what was measured: what was believed before weighs too."""

from __future__ import annotations

import pandas as pd

from executor.strategy import key
from planner.choice.estimate import StrategyEstimate

_WORTH_SAYING = 0.01  # of accuracy


def drawn(choice: StrategyEstimate, rows: pd.DataFrame) -> list[str]:
    """A line where a prediction is a point or more off the strategy's own outcomes.

    Args:
        choice: with its posterior, and what the belief before any outcome weighs in it.
        rows: the evidence it rests on, of its difficulty.
    """
    own = rows[rows["strategy"] == key(choice.strategy)].groupby("problem")["accuracy"].mean()
    if own.empty or not choice.prior_weight:
        return []
    measured, predicted = float(own.mean()), choice.predicted_accuracy
    if abs(predicted - measured) < _WORTH_SAYING:
        return []
    right, wrong = choice.beta
    counted = right + wrong - choice.prior_weight
    believed = (right - counted * measured) / choice.prior_weight
    return [
        f"{key(choice.strategy)} solved {measured:.3f} of {len(own)} problems; the prediction, "
        f"{predicted:.3f}, is drawn towards what other evidence let expect, {believed:.3f}, which "
        f"weighs as much as {choice.prior_weight:.3g} problems"
    ]
