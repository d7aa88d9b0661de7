"""Coverage of intervals, measured on held-out problems.

The true accuracy of a cell is unknown; its mean over some held-out problems is known. Coverage is
therefore that of this mean, whose predictive distribution has two sources of spread: the posterior,
and the draw of the problems.

With few held-out problems their draw hides the posterior: predictions of any width, even none,
then seem right. So this coverage judges a prediction only if the mean is over many more problems
than the posterior is worth, as that of a policy or PRM that was left out whole. It cannot judge
the intervals of recommendations; `bench/coverage.py` does, against a truth that is known.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import betainc

from planner.prediction.beta import LEVEL
from profiling.arrays import Floats

# Replay averages over some hundred subsets, so a replayed mean is known to about 0.1 points.
_REPLAY_RESOLUTION = 1e-3


def covered(
    a: Floats, b: Floats, varied: Floats, held_out: pd.DataFrame, level: float = LEVEL
) -> Floats:
    """Return the covered share of each held-out mean, in [0, 1].

    The predictive distribution is the Beta whose mean and variance follow from the posterior
    Beta(a, b) and from the variance of a mean of `rows` outcomes. A mean of m outcomes of 0 and 1
    is discrete, so it stands for the range within half an outcome of it (a replayed mean for the
    range within its resolution). The result is the share of that range's predicted mass inside the
    central
    interval: the expectation of the randomised probability integral transform (Czado et al. 2009).
    If the predictions are right its average is `level`.

    Args:
        a, b: posterior parameters, shape `(cells,)`.
        varied: relative variance of outcomes in each cell, shape `(cells,)`
            (`planner.prediction.outcome_model.variation`).
        held_out: columns `successes`, `squares` and `rows` of the held-out outcomes.
        level: coverage of the interval.
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
