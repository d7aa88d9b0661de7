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

from executor.strategy import Strategy, key
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

    def compare(one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        difference = one.predicted_accuracy - other.predicted_accuracy
        paired = _paired(by_problem, one.strategy, other.strategy)
        if len(paired) < MIN_SHARED:
            return Contrast(
                difference,
                math.hypot(deviation(*one.beta), deviation(*other.beta)),
                probability_greater(one.beta, other.beta),
                0,
                ComparedBy.POSTERIORS,
            )
        # The posteriors give the difference and the paired problems its error: a problem that is
        # hard for both strategies does not add to the error.
        error = paired_moments(paired)[1]
        better = float(ndtr(difference / error))
        return Contrast(difference, error, better, len(paired), ComparedBy.PROBLEMS)

    return compare


def _paired(by_problem: pd.DataFrame, one: Strategy, other: Strategy) -> Floats:
    """Return the accuracy of `one` minus that of `other`, shape `(problems of both,)`."""
    first, second = key(one), key(other)
    if not {first, second} <= set(by_problem.columns):
        return np.empty(0)
    difference = by_problem[first].to_numpy(float) - by_problem[second].to_numpy(float)
    return np.asarray(difference[~np.isnan(difference)])
