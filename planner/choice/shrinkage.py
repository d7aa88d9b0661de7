"""The shrinkage of a prediction from the measured accuracy toward its prior mean."""

from __future__ import annotations

import pandas as pd

from executor.strategy import key
from planner.choice.estimate import StrategyEstimate
from planner.notes import Note, NoteCode

_WORTH_A_NOTE = 0.01  # least shift of an accuracy that is reported
_ROUNDING = 1e-6


def shrinkage_notes(choice: StrategyEstimate, rows: pd.DataFrame) -> list[Note]:
    """Return a note if a prediction is a point or more away from the strategy's own outcomes.

    Args:
        choice: the strategy, with what it is shrunk toward.
        rows: the evidence behind the estimate, of its difficulty.
    """
    own = rows[rows["strategy"] == key(choice.strategy)].groupby("problem")["accuracy"].mean()
    if own.empty or choice.shrunk is None:
        return []
    measured, predicted = float(own.mean()), choice.predicted_accuracy
    if abs(predicted - measured) < _WORTH_A_NOTE:
        return []
    prior, weight = choice.shrunk.prior, choice.shrunk.own
    mixed = weight * measured + (1 - weight) * prior
    return [
        Note.of(
            NoteCode.SHRUNK,
            strategy=key(choice.strategy),
            measured=measured,
            problems=len(own),
            predicted=predicted,
            prior_mean=prior,
            prior_problems=len(own) * (1 - weight) / weight,
            kept_inside=abs(predicted - mixed) > _ROUNDING,
        )
    ]
