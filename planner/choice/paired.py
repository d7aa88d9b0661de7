"""The contrast of two strategies: their difference in accuracy, its error, and its source."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from executor.strategy import key
from planner.choice.estimate import StrategyEstimate
from planner.evidence.comparable import MIN_SHARED
from planner.prediction.beta import LEVEL, deviation, probability_greater
from planner.prediction.paired_statistics import paired_moments
from profiling.arrays import Floats


class ComparedBy(StrEnum):
    """The source of a difference's error."""

    PROBLEMS = "problems"  # paired outcomes on the problems that both strategies were run on
    POSTERIORS = "posteriors"  # the two posteriors, taken as independent
    FIGURES = "figures"  # the joint prediction from published figures


@dataclass(frozen=True, slots=True)
class Contrast:
    """Accuracy of one strategy minus that of another.

    Attributes:
        difference: difference of the predicted accuracies.
        error: standard error of the difference.
        better: probability that the first strategy is the more accurate one.
        paired: number of problems that both were run on, if they give `error`; else 0.
        basis: the source of `error` and `better`.
    """

    difference: float
    error: float
    better: float
    paired: int
    basis: ComparedBy

    @property
    def interval(self) -> tuple[float, float]:
        """Normal 90 % interval of the difference."""
        reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * self.error
        return max(-1.0, self.difference - reach), min(1.0, self.difference + reach)

    @property
    def told_apart(self) -> bool:
        """Whether the interval excludes zero."""
        low, high = self.interval
        return low > 0 or high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "difference": self.difference,
            "difference_interval": list(self.interval),
            "probability_better": self.better,
            "paired_problems": self.paired,
        }


# A function that returns the contrast of its first argument with its second.
Compare = Callable[[StrategyEstimate, StrategyEstimate], Contrast]


def measured(rows: pd.DataFrame) -> Compare:
    """Return a function that contrasts strategies by measured outcomes.

    The function pairs the problems that both strategies were run on. If there are fewer than
    `MIN_SHARED`, it takes the two posteriors as independent.

    Args:
        rows: the evidence behind all estimates, of their difficulty.
    """
    by_problem = rows.groupby(["problem", "strategy"])["accuracy"].mean().unstack()

    def outcomes(one: StrategyEstimate) -> Floats | None:
        name = key(one.strategy)
        return by_problem[name].to_numpy(float) if name in by_problem.columns else None

    return by_outcomes(outcomes)


def by_outcomes(outcomes: Callable[[StrategyEstimate], Floats | None]) -> Compare:
    """Return a function that contrasts strategies by their outcomes; see `measured`.

    Args:
        outcomes: function that returns a strategy's accuracies on the problems of all strategies,
            shape `(problems,)`, NaN if it was not run on a problem; None if it has no outcomes.
    """

    def compare(one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        difference = one.predicted_accuracy - other.predicted_accuracy
        paired = _paired(outcomes(one), outcomes(other))
        if len(paired) < MIN_SHARED:
            return independent(one, other)
        # The posteriors give the difference and the paired problems its error: a problem that is
        # hard for both strategies does not add to the error.
        error = paired_moments(paired)[1]
        better = float(ndtr(difference / error))
        return Contrast(difference, error, better, len(paired), ComparedBy.PROBLEMS)

    return compare


def independent(one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
    """Return the contrast by the two posteriors, taken as independent."""
    return Contrast(
        one.predicted_accuracy - other.predicted_accuracy,
        math.hypot(deviation(*one.beta), deviation(*other.beta)),
        probability_greater(one.beta, other.beta),
        0,
        ComparedBy.POSTERIORS,
    )


def _paired(one: Floats | None, other: Floats | None) -> Floats:
    """Return the first accuracies minus the others, shape `(problems of both,)`."""
    if one is None or other is None:
        return np.empty(0)
    difference = one - other
    return np.asarray(difference[~np.isnan(difference)])
