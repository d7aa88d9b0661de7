"""Intervals on means over problems that count by a weight, e.g. the chance of a difficulty."""

from __future__ import annotations

import sys
from statistics import NormalDist

import numpy as np
from common import ROOT

sys.path.insert(0, str(ROOT))

from profiling.arrays import Floats
from profiling.pass_rate import LEVEL


def weighted_accuracy(values: Floats, weights: Floats) -> tuple[float, float, float]:
    """Weighted mean of accuracies in [0, 1], with its 95 % interval.

    Agresti and Coull's, as in `bench/matrix.py`: two problems that are right and two that are wrong
    are added. The variance is that of a ratio of sums to first order (Cochran, Sampling Techniques,
    Sec. 6.4): that of the weighted residuals.
    """
    low, high = _interval(values, weights, np.array([1.0, 1.0, 0.0, 0.0]), np.ones(4))
    return float(values @ weights / weights.sum()), max(0.0, low), min(1.0, high)


def weighted_difference(values: Floats, weights: Floats) -> tuple[float, float, float]:
    """Weighted mean of differences in [-1, 1], with its 95 % interval.

    Agresti and Min's, as in `planner.prediction.paired_statistics`: half a problem is added to each
    of the cells (both right, one, the other, none). The variance is that of `weighted_accuracy`.
    """
    low, high = _interval(values, weights, np.array([0.0, 1.0, -1.0, 0.0]), np.full(4, 0.5))
    return float(values @ weights / weights.sum()), max(-1.0, low), min(1.0, high)


def _interval(
    values: Floats, weights: Floats, added: Floats, added_weights: Floats
) -> tuple[float, float]:
    """Interval on the weighted mean of values and of added ones.

    An added value is `added_weights` problems, each of weight 1; a problem of weight w is one
    problem whose residual counts w times.
    """
    total = weights.sum() + added_weights.sum()
    mean = (values @ weights + added @ added_weights) / total
    squares = (weights * (values - mean)) ** 2
    variance = (squares.sum() + added_weights @ (added - mean) ** 2) / total**2
    reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * float(np.sqrt(variance))
    return float(mean) - reach, float(mean) + reach
