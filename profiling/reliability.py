"""Reliability of predicted probabilities: the observed share of right predictions in each bin.

Bins have equal width (DeGroot and Fellner 1983, The Statistician 32(1)); a predictor is calibrated
if the share of right predictions in each bin equals its mean prediction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from profiling.arrays import Bools, Floats
from profiling.pass_rate import LEVEL

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Bin of predictions of similar probability.

    Attributes:
        predicted: mean prediction, in [0, 1].
        right: share of predictions that came true, in [0, 1].
        low, high: interval of `right` with the coverage `LEVEL`.
        predictions: number of predictions.
        problems: number of problems that the predictions are about.
    """

    predicted: float
    right: float
    low: float
    high: float
    predictions: int
    problems: int


def reliability(predicted: Floats, right: Floats | Bools, problem: NDArray[np.int64]) -> list[Bin]:
    """Return the nonempty bins, lowest probability first.

    Predictions on one problem tend to come true together. The intervals assume that they always
    do, and so are slightly too wide: they are Jeffreys' intervals in which the effective number of
    problems (sum m)^2 / sum m^2 (Kish 1965, Survey Sampling, Sec. 8.2) replaces the number of
    predictions; m is the number of predictions on a problem in the bin.

    Args:
        predicted: predicted probabilities in [0, 1], shape `(predictions,)`.
        right: 1 for a prediction that came true, else 0, or the expectation; shape
            `(predictions,)`.
        problem: index of the problem of each prediction, shape `(predictions,)`.
    """
    place = np.minimum((predicted * BINS).astype(np.int64), BINS - 1)
    found = []
    for number in np.unique(place):
        members = place == number
        share = float(right[members].mean())
        sizes = np.bincount(problem[members]).astype(float)
        effective = sizes.sum() ** 2 / (sizes**2).sum()
        a, b = 0.5 + share * effective, 0.5 + (1 - share) * effective
        tail = (1 - LEVEL) / 2
        low, high = float(betaincinv(a, b, tail)), float(betaincinv(a, b, 1 - tail))
        found.append(
            Bin(
                predicted=float(predicted[members].mean()),
                right=share,
                # Close to 0 or 1, Jeffreys' interval may exclude the observed share itself.
                low=min(low, share),
                high=max(high, share),
                predictions=int(members.sum()),
                problems=int((sizes > 0).sum()),
            )
        )
    return found
