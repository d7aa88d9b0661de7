"""Reward statistics: how well a PRM tells a policy's right samples from its wrong ones.

All intervals are 95 %, from resampling whole problems: samples of one problem are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.answers.voting import Vote
from executor.strategy import Score
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.replay import MAJORITY, Pool, Rule, replay

# So many samples a problem are voted among, where there are as many.
VOTES_AT = 16
_BINS = 10
_RESAMPLES = 400
# Random orders of a pool that weighted votes are held in, where they are not exact.
_ORDERS = 512


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % interval from resampling whole problems."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Verdict(StrEnum):
    """What a PRM is worth on a policy's own samples, as far as they show."""

    HELPS = "helps"  # a vote weighted by it beats a plain one
    TELLS = "tells right from wrong"  # within a problem; votes do not show it
    BLIND = "does not tell right from wrong"  # within a problem: use majority
    HURTS = "hurts"  # scores wrong above right, or makes votes worse: use majority
    UNKNOWN = "unknown"  # no problem has both right and wrong samples


def verdict_of(within: Estimate | None, gain: Estimate | None) -> Verdict:
    """The verdict by 95 % intervals.

    Args:
        within: AUC within problems; None or NaN where it is not known.
        gain: accuracy of a weighted vote minus a plain one's; None where it is not known.
    """
    # NaN is neither above nor below anything.
    if (gain is not None and gain.high < 0) or (within is not None and within.high < 0.5):
        return Verdict.HURTS
    if gain is not None and gain.low > 0:
        return Verdict.HELPS
    if within is None or not np.isfinite(within.low):
        return Verdict.UNKNOWN
    return Verdict.TELLS if within.low > 0.5 else Verdict.BLIND


@dataclass(frozen=True, slots=True)
class RewardStatistics:
    """What a PRM's scores are worth on a policy's own samples.

    Attributes:
        auc: P(a right sample outscores a wrong one), ties half; over all samples.
        auc_within: the same within one problem, mean over problems that have both kinds.
        calibration_error: expected calibration error over ten bins of equal width. Without an
            interval: it is above 0 by chance alone, and resampled it is further above.
        brier: mean squared difference of score and correctness.
        spread: standard deviation of the scores within a problem, mean over problems.
        ties: share of the pairs of a right and a wrong sample of one problem that it scores
            equally, mean over problems that have both kinds.
        problems, mixed_problems, samples: how many, and how many problems have both kinds.
        right: share of right samples.
        length_bias: how far the scores go with length rather than with correctness, in [-1, 1]: the
            partial association of score and length given problem and correctness, as Davis' partial
            gamma (1967, JASA 62, 189-193). 1: of two samples of one problem that are both right or
            both wrong, the longer always has the higher score. None where lengths are not known.
        gain: accuracy of a vote weighted by the scores minus a plain one's, among `votes_at`
            samples, mean over problems (paired); None where answers are not known.
        votes_at: see `gain`.
    """

    auc: Estimate
    auc_within: Estimate
    calibration_error: float
    brier: Estimate
    spread: Estimate
    ties: Estimate
    problems: int
    mixed_problems: int
    samples: int
    right: float
    length_bias: Estimate | None = None
    gain: Estimate | None = None
    votes_at: int | None = None

    @property
    def verdict(self) -> Verdict:
        """In a word; in a sentence by `planner.report.wording.verdict`."""
        return verdict_of(self.auc_within, self.gain)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"verdict": self.verdict.value}


def reward_statistics(
    scores: Floats,
    correct: Bools,
    problem: Ints,
    *,
    lengths: Ints | None = None,
    pools: Sequence[Pool] = (),
    score: Score = Score.LAST,
    random_state: int = 0,
) -> RewardStatistics:
    """Statistics of scores in [0, 1] against correctness, by problem.

    Args:
        scores: shape `(samples,)`.
        correct: shape `(samples,)`.
        problem: shape `(samples,)`, the index of each sample's problem.
        lengths: shape `(samples,)`, in tokens.
        pools: scored pools to hold votes in.
        score: of the pools' samples that weighs the votes.
        random_state: of the resampling.
    """
    groups = [np.flatnonzero(problem == p) for p in np.unique(problem)]
    resampled = _Resampled(len(groups), random_state)
    within = np.array([auc(scores[g], correct[g]) for g in groups])
    tied = np.array([tie_share(scores[g], correct[g]) for g in groups])
    sizes = np.array([float(len(g)) for g in groups])

    def total(values: Floats) -> Floats:
        return np.array([values[g].sum() for g in groups])

    bias = None
    if lengths is not None:
        pairs = np.array([concordance(scores[g], lengths[g], correct[g]) for g in groups])
        bias = resampled.ratio(pairs[:, 0] - pairs[:, 1], pairs.sum(axis=1))
    votes_at = min(VOTES_AT, *(len(pool) for pool in pools)) if pools else None
    gains = None if votes_at is None else vote_gains(pools, votes_at, score)
    return RewardStatistics(
        auc=resampled.estimate(_pooled_auc(scores, correct, groups)),
        auc_within=resampled.mean(within),
        calibration_error=calibration_error(scores, correct),
        brier=resampled.ratio(total((scores - correct) ** 2), sizes),
        spread=resampled.mean(np.array([float(scores[g].std()) for g in groups])),
        ties=resampled.mean(tied),
        problems=len(groups),
        mixed_problems=int(np.isfinite(within).sum()),
        samples=len(scores),
        right=float(np.mean(correct)),
        length_bias=bias,
        gain=None if gains is None else mean_over_problems(gains, random_state=random_state),
        votes_at=votes_at,
    )


def mean_over_problems(values: Floats, *, random_state: int = 0) -> Estimate:
    """The mean of one value a problem (NaN: not known), with its interval."""
    return _Resampled(len(values), random_state).mean(values)


def vote_gains(pools: Sequence[Pool], k: int, score: Score) -> Floats:
    """Accuracy of a weighted vote among k samples minus a plain one's, shape `(pools,)`."""
    gains = []
    for index, pool in enumerate(pools):
        size = np.array([min(k, len(pool))])
        alone = replace(pool, scores={score: pool.scores[score]})
        curves = replay(alone, size, orders=_ORDERS, random_state=index)
        weighted, plain = curves[Rule(Vote.WEIGHTED, score)], curves[MAJORITY]
        gains.append(weighted.accuracy[0] - plain.accuracy[0])
    return np.array(gains)


class _Resampled:
    """Problems drawn with replacement, as often as there are problems, many times."""

    def __init__(self, problems: int, random_state: int) -> None:
        rng = np.random.default_rng(random_state)
        self._problems = problems
        # How often each draw has each problem, shape (draws, problems).
        self._times = np.array(
            [
                np.bincount(rng.integers(problems, size=problems), minlength=problems)
                for _ in range(_RESAMPLES)
            ],
            dtype=np.float64,
        )

    def estimate(self, statistic: Callable[[Floats], float]) -> Estimate:
        """Of a statistic of how often each problem counts."""
        return self._summary(
            statistic(np.ones(self._problems)), [statistic(times) for times in self._times]
        )

    def ratio(self, numerator: Floats, denominator: Floats) -> Estimate:
        """Of a sum over problems by another one, both of shape `(problems,)`.

        NaN for nothing by nothing.
        """
        times = np.vstack([np.ones(self._problems), self._times])
        above, below = times @ numerator, times @ denominator
        values = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
        return self._summary(float(values[0]), values[1:])

    def mean(self, values: Floats) -> Estimate:
        """Over the problems whose value is known."""
        known = np.isfinite(values)
        return self.ratio(np.where(known, values, 0.0), known.astype(float))

    def _summary(self, value: float, draws: Sequence[float] | Floats) -> Estimate:
        kept = np.asarray(draws)[np.isfinite(draws)]
        low, high = np.quantile(kept, [0.025, 0.975]) if len(kept) else (np.nan, np.nan)
        return Estimate(value, float(low), float(high))


def _pooled_auc(
    scores: Floats, correct: Bools, groups: Sequence[NDArray[np.intp]]
) -> Callable[[Floats], float]:
    """The AUC over all samples as a function of how often each problem counts.

    Samples are sorted once, not for every draw.
    """
    problem = np.empty(len(scores), dtype=np.intp)
    for number, group in enumerate(groups):
        problem[group] = number
    values, place = np.unique(scores, return_inverse=True)

    def statistic(times: Floats) -> float:
        weight = times[problem]
        total = np.bincount(place, weight, len(values)).astype(np.float64)
        right = np.bincount(place, weight * correct, len(values)).astype(np.float64)
        return _share_in_order(right, total - right)

    return statistic


def _share_in_order(right: Floats, wrong: Floats) -> float:
    """P(a right sample outscores a wrong one) by how many have each score, lowest first."""
    pairs = right.sum() * wrong.sum()
    below = np.cumsum(wrong) - wrong / 2
    return float((right * below).sum() / pairs) if pairs else float("nan")


def auc(scores: Floats, correct: Bools) -> float:
    """Area under the ROC curve (Mann-Whitney), ties half; NaN without both classes."""
    return _share_in_order(*_by_score(scores, correct))


def _by_score(scores: Floats, correct: Bools) -> tuple[Floats, Floats]:
    """How many right and wrong samples have each score, the lowest first."""
    values, place = np.unique(scores, return_inverse=True)
    right = np.bincount(place[correct], minlength=len(values)).astype(np.float64)
    return right, np.bincount(place, minlength=len(values)) - right


def calibration_error(scores: Floats, correct: Bools | Floats) -> float:
    """Expected calibration error: |mean score - share right| a bin, weighted by its samples."""
    bins = _bin(scores)
    gap = 0.0
    for b in np.unique(bins):
        members = bins == b
        gap += members.mean() * abs(scores[members].mean() - correct[members].mean())
    return float(gap)


def tie_share(scores: Floats, correct: Bools) -> float:
    """Share of pairs of a right and a wrong sample with equal scores; NaN without both."""
    right, wrong = _by_score(scores, correct)
    pairs = right.sum() * wrong.sum()
    return float(right @ wrong / pairs) if pairs else float("nan")


def concordance(scores: Floats, lengths: Ints, correct: Bools) -> tuple[int, int]:
    """Pairs of equally correct samples of which the longer has the higher score, and the lower.

    Pairs that are level in either say nothing.
    """
    agree = differ = 0
    for kind in (True, False):
        score, length = scores[correct == kind], lengths[correct == kind]
        order = np.sign(score[:, None] - score) * np.sign(length[:, None] - length)
        agree += int((order > 0).sum()) // 2
        differ += int((order < 0).sum()) // 2
    return agree, differ


def _bin(scores: Floats) -> Ints:
    return np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
