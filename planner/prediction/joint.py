"""The joint estimate of all strategies of one policy, PRM and difficulty.

The strategies were run on the same problems, so their mean accuracies err together: by luck of the
draw, the problems are easier or harder for all of them. Two questions follow. The level, how hard
the problems are, rests on the problems alone, and no formula can tell it better. The contrasts
between strategies are known better than the level, and a formula predicts them well: the structural
prediction (`planner.prediction.features`), which reads pass@1 and rewards but no outcome of a
strategy. So no outcome counts twice.

Let y be the mean accuracies, R the covariance of their errors, and f the structural prediction,
with its log odds times FLAT and moved until its mean is that of y. The true accuracies are f +
level + contrasts. The level has a flat prior. The contrasts have the prior N(0, T) with

    T_st = d_s d_t (FAMILY^2 [same family] exp(-|log2 n_s - log2 n_t| / REACH) + OWN^2 [s = t])
           + SLOPE^2 (f_s - mean f) (f_t - mean f),

d_s^2 = f_s (1 - f_s). The slope is common to all strategies: formulas may tell them too far apart.
Their posterior mean is the best linear predictor (Henderson 1975, Biometrics 31(2); Efron and
Morris 1973, JASA 68(341)). A strategy that looks best by luck is shrunk the more, the less its
outcomes say, so the best posterior mean is overstated far less than the best measured mean
(winner's curse; Efron 2011, JASA 106(496)). `bench/coverage.py` measures what remains.

The variance of an estimate is that of this linear predictor, but at least that of the mean of the
strategy's own problems. The prior may move the estimate; it never narrows the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from profiling.arrays import Bools, Floats

# Deviations of true accuracies from the structural prediction, in units of d. The likelihood of the
# true accuracies in the three worlds of `bench/coverage.py` is highest near FAMILY .17 and OWN .04;
# .13 and .03 overstate the recommended strategy less, with the same error and regret.
FAMILY, REACH, OWN, SLOPE = 0.13, 6.0, 0.03, 0.3
# The formulas tell strategies apart a little too far: of those that look best to them, some do so
# by the formulas' errors.
FLAT = 0.85
# The covariance of a few problems is noise, so it is averaged with what such outcomes have on
# average, worth so many problems. Fewer give intervals that are too narrow for 3 to 10 problems.
_WORTH = 8.0
# A replayed expectation varies less between problems than an outcome of 0 or 1: its usual variance,
# relative to that of such an outcome (worth `_FIRST` problems), and its usual correlation.
_RELATIVE, _FIRST, _ALIKE = 0.35, 3.0, 0.7
_LEAST_VARIANCE = 0.01  # of an outcome of 0 or 1; a cell without a failure is not free of failures
_LEAST_SPREAD = 0.04  # least d^2: near 0 and 1 the structural prediction is not better than this
_EDGE = 1e-3  # least distance of a structural prediction from 0 and 1
# Least number of successes and of failures, among the measured problems and one more: without it,
# outcomes that are all right would give an interval without width.
_LEAST_COUNT = 0.2
_LEAST_WEIGHT = 0.3  # least a + b of a Beta posterior
_OWN_RANGE = 0.02, 0.99  # of the weight of a cell's own outcomes: neither side is ever nothing


@dataclass(frozen=True, slots=True)
class Joint:
    """Estimates of the strategies of one cell group, arrays of shape `(strategies,)`.

    Attributes:
        mean: estimated accuracy.
        variance: of the estimate's error.
        own: weight of the strategy's own outcomes in `mean`; the rest is the weight of what the
            other strategies and the structural prediction say.
    """

    mean: Floats
    variance: Floats
    own: Floats

    def beta(self) -> tuple[Floats, Floats]:
        """Return the parameters of the Beta distributions with this mean and variance."""
        plain = self.mean * (1 - self.mean)
        weight = np.maximum(plain / self.variance - 1, _LEAST_WEIGHT)
        return weight * self.mean, weight * (1 - self.mean)


def families(cells: pd.DataFrame) -> list[str]:
    """Return the family of each cell: strategies that differ in budget or score alone share it."""
    return [f"{name} {vote}" for name, vote in zip(cells["name"], cells["vote"], strict=True)]


def joint(expected: Floats, family: Sequence[str], n: Floats, outcomes: Floats) -> Joint:
    """Estimate the accuracy of every strategy from outcomes on shared problems.

    Args:
        expected: structural prediction, in (0, 1), shape `(strategies,)`.
        family: family of each strategy.
        n: budgets, shape `(strategies,)`.
        outcomes: accuracies in [0, 1], shape `(problems, strategies)`; NaN if a strategy was not
            run on a problem. At least one is not NaN.
    """
    run = ~np.isnan(outcomes)
    counts = run.sum(axis=0).astype(float)
    measured = counts > 0
    means = np.where(run, outcomes, 0.0).sum(axis=0)[measured] / counts[measured]
    centre = _levelled(expected, means, counts)
    spread = np.sqrt(np.maximum(centre * (1 - centre), _LEAST_SPREAD))
    prior = _prior(centre, spread, family, n)
    error = _error(outcomes[:, measured], run[:, measured], centre[measured])
    level = np.outer(spread, counts) / (counts @ spread)  # projects on the level
    rest = np.eye(len(counts)) - level
    prior = rest @ prior @ rest.T
    own = rest[np.ix_(measured, measured)]
    known = prior[np.ix_(measured, measured)] + own @ error @ own.T
    trusted = prior[:, measured] @ np.linalg.pinv(known, 1e-8, hermitian=True)
    weights = level[:, measured] + trusted @ own
    missed = np.eye(len(counts))
    missed[:, measured] -= weights
    variance = np.diag(weights @ error @ weights.T + missed @ prior @ missed.T).copy()
    variance[measured] = np.maximum(variance[measured], np.diag(error))
    mean = centre + weights @ (means - centre[measured])
    held = np.zeros(len(counts))
    held[measured] = np.diag(weights[measured])
    edge = _LEAST_COUNT / (counts.max() + 1)
    return Joint(np.clip(mean, edge, 1 - edge), variance, np.clip(held, *_OWN_RANGE))


def _levelled(expected: Floats, means: Floats, counts: Floats) -> Floats:
    """Return the structural prediction, moved along its log odds to the mean of the outcomes.

    Both means are over the measured strategies, weighted by their numbers of problems.
    """
    odds = FLAT * logit(np.clip(expected, _EDGE, 1 - _EDGE))
    measured = counts > 0
    weights = counts[measured] / counts.sum()
    target = float(np.clip(weights @ means, _EDGE, 1 - _EDGE))
    low, high = -20.0, 20.0
    for _ in range(50):  # bisection: the mean rises with the shift
        shift = (low + high) / 2
        if weights @ expit(odds[measured] + shift) < target:
            low = shift
        else:
            high = shift
    return np.asarray(expit(odds + shift))


def _prior(centre: Floats, spread: Floats, family: Sequence[str], n: Floats) -> Floats:
    """Return T, the prior covariance of the deviations from the structural prediction."""
    slope = SLOPE * (centre - centre.mean())
    names, size = np.array(family), np.log2(n)
    alike = (names[:, None] == names) * np.exp(-np.abs(size[:, None] - size) / REACH)
    own = FAMILY**2 * alike + OWN**2 * np.eye(len(n))
    return np.asarray(np.outer(spread, spread) * own + np.outer(slope, slope))


def _error(outcomes: Floats, run: Bools, centre: Floats) -> Floats:
    """Return R, the covariance of the mean accuracies over problems."""
    counts = run.sum(axis=0)
    about = np.where(run, outcomes - np.nanmean(outcomes, axis=0), 0.0)
    shared = run.T.astype(float) @ run
    sums = about.T @ about
    usual = _usual(np.diag(sums), counts, _decided(outcomes, run), centre)
    covariance = (sums + _WORTH * usual) / (np.maximum(shared - 1, 0) + _WORTH)
    return np.asarray(covariance * shared / np.outer(counts, counts))


def _decided(outcomes: Floats, run: Bools) -> Bools:
    """Return whether all outcomes of a strategy are 0 or 1, as those of live runs."""
    return np.asarray((~run | np.isclose(outcomes, np.round(outcomes))).all(axis=0))


def _usual(squares: Floats, counts: Floats, decided: Bools, centre: Floats) -> Floats:
    """Return the covariance between problems that such outcomes have on average.

    A replayed accuracy varies as pass@1 does, and correlates with the others. A live outcome varies
    also by chance on its problem, which it shares with no other strategy.
    """
    plain = np.maximum(centre * (1 - centre), _LEAST_VARIANCE)
    relative = _RELATIVE
    if not decided.all():
        rest = ~decided
        degrees = np.maximum(counts[rest] - 1, 0) @ plain[rest]
        first = _FIRST * plain[rest].sum()
        relative = (squares[rest].sum() + first * _RELATIVE) / (degrees + first)
    varied = np.clip(relative, 0.02, 1.0) * plain
    usual = _ALIKE * np.sqrt(np.outer(varied, varied))
    np.fill_diagonal(usual, np.where(decided, plain, varied))
    return np.asarray(usual)
