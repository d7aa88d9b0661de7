"""Reliability: of what was predicted to happen with a chance near p, the share that did.

Predictions are put into bins of equal width (DeGroot and Fellner 1983, The Statistician 32(1)); a
predictor is calibrated where the share right of each bin is its mean prediction.
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
    """Predictions of about the same chance.

    Attributes:
        predicted: their mean.
        right: the share of them that came true.
        low, high: its `LEVEL` interval.
        predictions, problems: how many there are, and of how many problems.
    """

    predicted: float
    right: float
    low: float
    high: float
    predictions: int
    problems: int


def reliability(predicted: Floats, right: Floats | Bools, problem: NDArray[np.int64]) -> list[Bin]:
    """The bins that hold predictions, the lowest chance first.

    Predictions on one problem come true together more often than not. Intervals take them as if
    they always did, so that they are rather too wide: Jeffreys' interval with the effective number
    of problems (sum m)^2 / sum m^2 of a bin that holds m predictions of a problem (Kish 1965,
    Survey Sampling, Sec. 8.2) in place of its number of predictions.

    Args:
        predicted: shape `(predictions,)`, in [0, 1].
        right: shape `(predictions,)`, 1 where it came true, or an expectation of that.
        problem: shape `(predictions,)`, the index of each one's problem.
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
                # Of a share this near to 0 or 1 the prior would leave out the share itself.
                low=min(low, share),
                high=max(high, share),
                predictions=int(members.sum()),
                problems=int((sizes > 0).sum()),
            )
        )
    return found
