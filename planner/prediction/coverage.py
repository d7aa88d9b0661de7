"""Whether intervals hold what they say: outcomes of problems left out against what was predicted.

A cell's accuracy is never seen, only its mean over some problems. So what is covered is that mean:
its predictive distribution has the posterior's spread and that of drawing so many problems.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import betainc

from planner.prediction.beta import LEVEL
from profiling.arrays import Floats

# Expectations are replayed from some hundred subsets: a mean of them is known to about a tenth of a
# percentage point.
_REPLAY_RESOLUTION = 1e-3


def covered(
    a: Floats, b: Floats, varied: Floats, held_out: pd.DataFrame, level: float = LEVEL
) -> Floats:
    """How much of each held-out mean lies in its central predictive interval, in [0, 1].

    The predictive distribution is the Beta of the mean and variance that follow from the posterior
    Beta(a, b) of the accuracy and the variance of a mean of so many outcomes. A mean of m outcomes
    of 0 and 1 stands for all within half an outcome of it (a replayed one within its resolution):
    the part of that range's predicted mass that is inside the interval counts, which on average is
    `level` where predictions are right, and does not depend on luck (the expectation of the
    randomised probability integral transform; Czado et al. 2009).

    Args:
        a, b: of the posterior of each cell, shape `(cells,)`.
        varied: how much outcomes vary in each cell (`planner.prediction.outcome_model.variation`).
        held_out: columns `successes`, `squares` and `rows` of the outcomes that it has not seen.
        level: of the interval.
    """
    mean = a / (a + b)
    plain = mean * (1 - mean)
    rows = held_out["rows"].to_numpy(float)
    right = held_out["successes"].to_numpy(float)
    # The law of total variance, the spread of outcomes averaged over the posterior.
    variance = plain / (a + b + 1) + varied * plain * (a + b) / (a + b + 1) / rows
    weight = np.maximum(plain / variance - 1, 1e-3)
    decided = np.isclose(held_out["squares"].to_numpy(float), right)
    half = np.where(decided, 0.5 / rows, _REPLAY_RESOLUTION)
    low, high = (
        betainc(weight * mean, weight * (1 - mean), np.clip(right / rows + side * half, 0, 1))
        for side in (-1, 1)
    )
    tail = (1 - level) / 2
    inside = np.minimum(high, 1 - tail) - np.maximum(low, tail)
    return np.asarray(np.clip(inside, 0, None) / np.maximum(high - low, 1e-12))
