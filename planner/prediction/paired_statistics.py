"""Statistics of paired differences: two strategies or two runs on the same problems."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from profiling.pass_rate import LEVEL


def paired_interval(differences: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Interval on the mean of paired differences, each in [-1, 1]; see `paired_moments`.

    Args:
        differences: shape `(problems,)`.
        level: coverage of the interval.
    """
    mean, error = paired_moments(differences)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * error
    return max(-1.0, mean - reach), min(1.0, mean + reach)


def paired_moments(differences: NDArray[np.float64]) -> tuple[float, float]:
    """Centre and standard error of the mean of paired differences, each in [-1, 1].

    Agresti and Min (2005): half a problem is added to each of the four cells (both right, one, the
    other, none), so that runs that agree on every problem still have an interval. Their formula is
    stated for right and wrong; written with the sum of squares it takes expected accuracies too.

    Args:
        differences: shape `(problems,)`.
    """
    n = len(differences) + 2
    total, squares = float(differences.sum()), float((differences**2).sum()) + 1
    return total / n, math.sqrt(squares - total**2 / n) / n
