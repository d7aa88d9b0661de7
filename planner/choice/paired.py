"""How two choices differ in accuracy: the difference, its error, and what both rest on."""

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

    PROBLEMS = "problems"  # problems that both strategies were run on, paired
    POSTERIORS = "posteriors"  # the posteriors of both, taken as independent
    FIGURES = "figures"  # the joint prediction from published figures


@dataclass(frozen=True, slots=True)
class Contrast:
    """Accuracy of one choice minus that of another.

    Attributes:
        difference: of the predicted accuracies.
        error: its standard error.
        better: probability that the first is truly the more accurate one.
        paired: problems both were run on, if `error` is taken from them; else 0.
        basis: the source of `error` and `better`.
    """

    difference: float
    error: float
    better: float
    paired: int
    basis: ComparedBy

    @property
    def interval(self) -> tuple[float, float]:
        """90 % interval of the difference, normal."""
        reach = NormalDist().inv_cdf(0.5 + LEVEL / 2) * self.error
        return max(-1.0, self.difference - reach), min(1.0, self.difference + reach)

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves zero out."""
        low, high = self.interval
        return low > 0 or high < 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "difference": self.difference,
            "difference_interval": list(self.interval),
            "probability_better": self.better,
            "paired_problems": self.paired,
        }


# Of the first choice against the second.
Compare = Callable[[StrategyEstimate, StrategyEstimate], Contrast]


def measured(rows: pd.DataFrame) -> Compare:
    """Compares by the problems that both were run on, where they are enough; else by independent
    posteriors.

    Args:
        rows: the evidence that all choices rest on, of their difficulty.
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
        # The posteriors say where the difference lies, and the shared problems how far it may be
        # off: what is hard for both is in neither's favour.
        error = paired_moments(paired)[1]
        better = float(ndtr(difference / error))
        return Contrast(difference, error, better, len(paired), ComparedBy.PROBLEMS)

    return compare


def _paired(by_problem: pd.DataFrame, one: Strategy, other: Strategy) -> Floats:
    """Accuracy of one strategy minus that of another, a number a problem both were run on."""
    first, second = key(one), key(other)
    if not {first, second} <= set(by_problem.columns):
        return np.empty(0)
    difference = by_problem[first].to_numpy(float) - by_problem[second].to_numpy(float)
    return np.asarray(difference[~np.isnan(difference)])
