"""The shrinkage of a prediction from the measured accuracy toward its prior mean."""

from __future__ import annotations

import pandas as pd

from executor.strategy import key
from planner.choice.estimate import StrategyEstimate
from planner.notes import Note, NoteCode

_WORTH_A_NOTE = 0.01  # least shift of an accuracy that is reported


def shrinkage_notes(choice: StrategyEstimate, rows: pd.DataFrame) -> list[Note]:
    """Return a note if a prediction is a point or more away from the strategy's own outcomes.

    Args:
        choice: the strategy, with its posterior and the weight of its prior.
        rows: the evidence behind the estimate, of its difficulty.
    """
    own = rows[rows["strategy"] == key(choice.strategy)].groupby("problem")["accuracy"].mean()
    if own.empty or not choice.prior_weight:
        return []
    measured, predicted = float(own.mean()), choice.predicted_accuracy
    if abs(predicted - measured) < _WORTH_A_NOTE:
        return []
    right, wrong = choice.beta
    counted = right + wrong - choice.prior_weight
    return [
        Note.of(
            NoteCode.SHRUNK,
            strategy=key(choice.strategy),
            measured=measured,
            problems=len(own),
            predicted=predicted,
            prior_mean=(right - counted * measured) / choice.prior_weight,
            prior_problems=float(choice.prior_weight),
        )
    ]
