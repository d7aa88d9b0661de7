"""Reward statistics: how well a PRM tells a policy's right samples from its wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_BINS = 10
_RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % interval from resampling whole problems."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class RewardStatistics:
    """What a PRM's scores are worth on a policy's own samples.

    Attributes:
        auc: P(a right sample outscores a wrong one), ties half; over all samples.
        auc_within: the same within one problem, mean over problems that have both kinds.
        calibration_error: expected calibration error over ten bins of equal width.
        brier: mean squared difference of score and correctness.
        problems, mixed_problems, samples: how many, and how many problems have both kinds.
        right: share of right samples.
    """

    auc: Estimate
    auc_within: Estimate
    calibration_error: Estimate
    brier: Estimate
    problems: int
    mixed_problems: int
    samples: int
    right: float

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)


def reward_statistics(
    scores: Floats, correct: Bools, problem: NDArray[np.int64], *, random_state: int = 0
) -> RewardStatistics:
    """Statistics of scores in [0, 1] against correctness, by problem.

    Args:
        scores: shape `(samples,)`.
        correct: shape `(samples,)`.
        problem: shape `(samples,)`, the index of each sample's problem.
        random_state: of the resampling.
    """
    groups = [np.flatnonzero(problem == p) for p in np.unique(problem)]

    def estimate(statistic: Callable[[list[NDArray[np.intp]]], float]) -> Estimate:
        rng = np.random.default_rng(random_state)
        draws = []
        for _ in range(_RESAMPLES):
            picked = rng.integers(len(groups), size=len(groups))
            draws.append(statistic([groups[i] for i in picked]))
        kept = [d for d in draws if np.isfinite(d)]
        low, high = np.quantile(kept, [0.025, 0.975]) if kept else (np.nan, np.nan)
        return Estimate(statistic(groups), float(low), float(high))

    def pooled(measure: Callable[[Floats, Bools], float]) -> Estimate:
        def statistic(picked: list[NDArray[np.intp]]) -> float:
            index = np.concatenate(picked)
            return measure(scores[index], correct[index])

        return estimate(statistic)

    within = {int(g[0]): auc(scores[g], correct[g]) for g in groups}

    def mean_within(picked: list[NDArray[np.intp]]) -> float:
        values = [within[int(g[0])] for g in picked]
        finite = [v for v in values if np.isfinite(v)]
        return float(np.mean(finite)) if finite else float("nan")

    return RewardStatistics(
        auc=pooled(auc),
        auc_within=estimate(mean_within),
        calibration_error=pooled(calibration_error),
        brier=pooled(lambda s, c: float(np.mean((s - c) ** 2))),
        problems=len(groups),
        mixed_problems=sum(bool(np.isfinite(v)) for v in within.values()),
        samples=len(scores),
        right=float(np.mean(correct)),
    )


def auc(scores: Floats, correct: Bools) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties half; NaN without both classes."""
    from scipy.stats import rankdata  # a third of a second: who asks for no AUC does not wait

    right = int(correct.sum())
    wrong = len(correct) - right
    if not right or not wrong:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[correct].sum() - right * (right + 1) / 2) / (right * wrong))


def calibration_error(scores: Floats, correct: Bools | Floats) -> float:
    """Expected calibration error: |mean score - share right| a bin, weighted by its samples."""
    bins = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    gap = 0.0
    for b in np.unique(bins):
        members = bins == b
        gap += members.mean() * abs(scores[members].mean() - correct[members].mean())
    return float(gap)
