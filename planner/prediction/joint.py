"""The joint estimate of all strategies of one policy, PRM and difficulty.

The strategies were run on the same problems. Two questions follow. The level, how hard the problems
are, rests on the problems alone. The contrasts between strategies are predicted well by formulas:
the structural prediction (`planner.prediction.features`) reads pass@1 and rewards, but no outcome
of a strategy, so no outcome counts twice. The prediction of a model that learnt from other policies
may take its place (`planner.prediction.measured`).

Let y_s be the mean accuracy of a strategy, R_s the variance of its error, and f_s the structural
prediction, with its log odds times FLAT and moved until the mean of f is that of y. The true
accuracy is f_s plus a deviation with the prior N(0, T_s),

    T_s = DEVIATION^2 d_s^2 + SLOPE^2 (f_s - mean f)^2,    d_s^2 = f_s (1 - f_s),

and its posterior mean is f_s + h_s (y_s - f_s) with h_s = T_s / (T_s + R_s) (Efron and Morris 1973,
JASA 68(341)). A strategy that looks best by luck is shrunk the more, the less its outcomes say, so
the best posterior mean is overstated far less than the best measured mean (winner's curse; Efron
2011, JASA 106(496)). With many problems h_s is 1. `bench/coverage.py` measures what remains.

The variance of an estimate is R_s, although its posterior variance is h_s R_s: that a prediction
agrees with the outcomes makes no interval narrower. The level errs with all strategies together,
and the prior says nothing of it. R_s is the variance between the strategy's own problems, averaged
with the usual one of such outcomes if they are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from profiling.arrays import Bools, Floats

# Standard deviations of true accuracies about the structural prediction, in units of d, and of the
# slope, by which formulas tell strategies too far apart or not far enough. The likelihood of the
# true accuracies in the three worlds of `bench/coverage.py` is highest near a DEVIATION of .17;
# .133 overstates the recommended strategy less, with the same error and regret.
DEVIATION, SLOPE = 0.13342, 0.3
# Of the strategies that look best to the formulas, some do so by the formulas' errors.
FLAT = 0.85
# The variance of a few outcomes is noise, so it is averaged with the usual one, worth so many
# problems. With less weight, intervals of 3 to 10 problems are too narrow.
_WORTH = 12.0
# A replayed expectation varies less between problems than an outcome of 0 or 1: its usual variance,
# relative to that of such an outcome, worth `_FIRST` problems.
_RELATIVE, _FIRST = 0.35, 3.0
_LEAST_VARIANCE = 0.03  # of an outcome of 0 or 1; a cell without a failure is not free of failures
_LEAST_SPREAD = 0.04  # least d^2: near 0 and 1 the structural prediction is not better than this
_EDGE = 1e-3  # least distance of a structural prediction from 0 and 1
# Least number of successes and of failures, among the measured problems and one more: without it,
# outcomes that are all right would give an interval without width.
_LEAST_COUNT = 0.2
_LEAST_WEIGHT = 0.3  # least a + b of a Beta distribution
_OWN_RANGE = 0.02, 0.99  # of the weight of a cell's own outcomes: neither side is ever nothing


@dataclass(frozen=True, slots=True)
class Joint:
    """Estimates of the strategies of one policy, PRM and difficulty, arrays of `(strategies,)`.

    Attributes:
        mean: estimated accuracy.
        variance: of the estimate's error.
        centre: prediction that the outcomes are shrunk toward, at their level.
        own: weight of the strategy's own outcomes in `mean`; the rest is that of the structural
            prediction. It is 0 for a strategy that was not run.
    """

    mean: Floats
    variance: Floats
    centre: Floats
    own: Floats

    def beta(self) -> tuple[Floats, Floats]:
        """Return the parameters of the Beta distributions with this mean and variance."""
        plain = self.mean * (1 - self.mean)
        weight = np.maximum(plain / self.variance - 1, _LEAST_WEIGHT)
        return weight * self.mean, weight * (1 - self.mean)


def joint(expected: Floats, outcomes: Floats) -> Joint:
    """Estimate the accuracy of every strategy from outcomes on shared problems.

    Args:
        expected: prediction that read none of these outcomes, in (0, 1), shape `(strategies,)`.
        outcomes: accuracies in [0, 1], shape `(problems, strategies)`; NaN if a strategy was not
            run on a problem. At least one is not NaN.
    """
    run = ~np.isnan(outcomes)
    counts = run.sum(axis=0).astype(float)
    measured = counts > 0
    means = np.where(run, outcomes, 0.0).sum(axis=0) / np.maximum(counts, 1)
    centre = _levelled(expected, means, counts)
    spread = np.maximum(centre * (1 - centre), _LEAST_SPREAD)
    prior = DEVIATION**2 * spread + SLOPE**2 * (centre - centre.mean()) ** 2
    decided = _decided(outcomes, run)
    error = np.ones(len(counts))
    error[measured] = _error(outcomes[:, measured], decided[measured], centre[measured])
    own = np.where(measured, np.clip(prior / (prior + error), *_OWN_RANGE), 0.0)
    edge = _LEAST_COUNT / (counts.max() + 1)
    mean = np.clip(centre + own * (means - centre), edge, 1 - edge)
    # A live outcome of 0 or 1 has the variance that its accuracy gives.
    plain = mean * (1 - mean) / np.maximum(counts, 1)
    variance = np.where(decided, np.maximum(error, plain), error)
    # A strategy that was not run errs with the level and by its own deviation.
    level = spread * (error[measured] / spread[measured]).mean()
    return Joint(mean, np.where(measured, variance, level + prior), centre, own)


def _levelled(expected: Floats, means: Floats, counts: Floats) -> Floats:
    """Return the structural prediction, moved along its log odds to the mean of the outcomes.

    Both means are over the measured strategies, weighted by their numbers of problems.
    """
    odds = FLAT * logit(np.clip(expected, _EDGE, 1 - _EDGE))
    weights = counts / counts.sum()
    target = float(np.clip(weights @ means, _EDGE, 1 - _EDGE))
    low, high = -20.0, 20.0
    for _ in range(50):  # bisection: the mean rises with the shift
        shift = (low + high) / 2
        if weights @ expit(odds + shift) < target:
            low = shift
        else:
            high = shift
    return np.asarray(expit(odds + shift))


def _decided(outcomes: Floats, run: Bools) -> Bools:
    """Return whether all outcomes of a strategy are 0 or 1, as those of live runs."""
    return np.asarray((~run | np.isclose(outcomes, np.round(outcomes))).all(axis=0))


def _error(outcomes: Floats, decided: Bools, centre: Floats) -> Floats:
    """Return R, the variance of each mean accuracy, shape `(strategies,)`.

    The variance between problems is averaged with the usual one: for an outcome of 0 or 1 that of
    its accuracy, for a replayed expectation the same share of it in all strategies.
    """
    counts = (~np.isnan(outcomes)).sum(axis=0)
    squares = np.nansum((outcomes - np.nanmean(outcomes, axis=0)) ** 2, axis=0)
    plain = np.maximum(centre * (1 - centre), _LEAST_VARIANCE)
    rest = ~decided
    first = _FIRST * plain[rest].sum()
    degrees = (counts[rest] - 1) @ plain[rest]
    relative = (squares[rest].sum() + first * _RELATIVE) / (degrees + first) if rest.any() else 1.0
    usual = np.where(decided, plain, np.clip(relative, 0.02, 1.0) * plain)
    return np.asarray((squares + _WORTH * usual) / (counts - 1 + _WORTH) / counts)
