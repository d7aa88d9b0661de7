"""Reward statistics: how well a PRM separates a policy's right samples from its wrong ones.

All intervals are 95 % bootstrap intervals over whole problems, because the samples of one problem
are not independent.
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

# Largest number of samples per problem in a vote.
VOTES_AT = 16
_BINS = 10
_RESAMPLES = 400
# Number of random orders of a pool for weighted votes that are not exact.
_ORDERS = 512


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % bootstrap interval over whole problems."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class Verdict(StrEnum):
    """Verdict on a PRM, from a policy's own samples."""

    HELPS = "helps"  # a vote weighted by its scores beats majority
    TELLS = "tells right from wrong"  # within a problem; votes show no gain
    BLIND = "does not tell right from wrong"  # within a problem: use majority
    HURTS = "hurts"  # scores wrong samples above right ones, or worsens votes: use majority
    UNKNOWN = "unknown"  # no problem has both right and wrong samples


def verdict_of(within: Estimate | None, gain: Estimate | None) -> Verdict:
    """Return the verdict that the 95 % intervals support.

    Args:
        within: AUC within problems; None or NaN if unknown.
        gain: accuracy of a weighted vote minus that of majority; None if unknown.
    """
    # Comparisons with NaN are false.
    if (gain is not None and gain.high < 0) or (within is not None and within.high < 0.5):
        return Verdict.HURTS
    if gain is not None and gain.low > 0:
        return Verdict.HELPS
    if within is None or not np.isfinite(within.low):
        return Verdict.UNKNOWN
    return Verdict.TELLS if within.low > 0.5 else Verdict.BLIND


@dataclass(frozen=True, slots=True)
class RewardStatistics:
    """Statistics of a PRM's scores on a policy's own samples.

    Attributes:
        auc: P(a right sample outscores a wrong one) over all samples; a tie counts half.
        auc_within: AUC within one problem, mean over mixed problems.
        calibration_error: expected calibration error over ten bins of equal width. It has no
            interval: it exceeds 0 by chance, and resampling would increase it further.
        brier: mean squared difference of score and correctness.
        spread: standard deviation of the scores within a problem, mean over problems.
        ties: share of pairs of a right and a wrong sample of one problem with equal scores, mean
            over mixed problems.
        problems: number of problems.
        mixed_problems: number of problems that have both right and wrong samples.
        samples: number of samples.
        right: share of right samples.
        length_bias: partial association of score and length given problem and correctness, in
            [-1, 1]: Davis' partial gamma (1967, JASA 62, 189-193). It is 1 if, of two samples of
            one problem that are both right or both wrong, the longer always has the higher score.
            None if lengths are unknown.
        gain: accuracy of a vote weighted by the scores minus that of majority, among `votes_at`
            samples, mean over problems (paired); None if answers are unknown.
        votes_at: number of samples in a vote; None if `gain` is None.
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
        """Verdict on the PRM; `planner.report.wording.verdict` puts it into a sentence."""
        return verdict_of(self.auc_within, self.gain)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
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
    """Return statistics of scores against correctness, by problem.

    Args:
        scores: scores in [0, 1], shape `(samples,)`.
        correct: whether each sample is right, shape `(samples,)`.
        problem: problem index of each sample, shape `(samples,)`.
        lengths: length of each sample in tokens, shape `(samples,)`.
        pools: scored pools for the votes.
        score: score that weights the votes.
        random_state: seed of the resampling.
    """
    groups = [np.flatnonzero(problem == p) for p in np.unique(problem)]
    resampled = _Resampled(len(groups), random_state)
    within = _within(scores, correct, groups)
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
    """Return the mean of one value per problem, with its interval; NaN values are skipped."""
    return _Resampled(len(values), random_state).mean(values)


def vote_gains(pools: Sequence[Pool], k: int, score: Score) -> Floats:
    """Return the accuracy of a weighted vote of k samples minus majority's, shape `(pools,)`."""
    gains = []
    for index, pool in enumerate(pools):
        size = np.array([min(k, len(pool))])
        alone = replace(pool, scores={score: pool.scores[score]})
        curves = replay(alone, size, orders=_ORDERS, random_state=index)
        weighted, plain = curves[Rule(Vote.WEIGHTED, score)], curves[MAJORITY]
        gains.append(weighted.accuracy[0] - plain.accuracy[0])
    return np.array(gains)


class _Resampled:
    """Bootstrap over problems: each draw has as many problems, with replacement."""

    def __init__(self, problems: int, random_state: int) -> None:
        rng = np.random.default_rng(random_state)
        self._problems = problems
        # Number of times that each draw has each problem, shape (draws, problems).
        self._times = np.array(
            [
                np.bincount(rng.integers(problems, size=problems), minlength=problems)
                for _ in range(_RESAMPLES)
            ],
            dtype=np.float64,
        )

    def estimate(self, statistic: Callable[[Floats], float]) -> Estimate:
        """Return the estimate of a function of the problem weights, shape `(problems,)`."""
        return self._summary(
            statistic(np.ones(self._problems)), [statistic(times) for times in self._times]
        )

    def ratio(self, numerator: Floats, denominator: Floats) -> Estimate:
        """Return the estimate of the ratio of two sums over problems.

        It is NaN if the denominator is 0.

        Args:
            numerator, denominator: terms of the sums, shape `(problems,)`.
        """
        times = np.vstack([np.ones(self._problems), self._times])
        above, below = times @ numerator, times @ denominator
        values = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
        return self._summary(float(values[0]), values[1:])

    def mean(self, values: Floats) -> Estimate:
        """Return the estimate of the mean over problems with a finite value."""
        finite = np.isfinite(values)
        return self.ratio(np.where(finite, values, 0.0), finite.astype(float))

    def _summary(self, value: float, draws: Sequence[float] | Floats) -> Estimate:
        kept = np.asarray(draws)[np.isfinite(draws)]
        low, high = np.quantile(kept, [0.025, 0.975]) if len(kept) else (np.nan, np.nan)
        return Estimate(value, float(low), float(high))


def _pooled_auc(
    scores: Floats, correct: Bools, groups: Sequence[NDArray[np.intp]]
) -> Callable[[Floats], float]:
    """Return the AUC over all samples as a function of the problem weights.

    The samples are sorted once, not in each draw.
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
    """Return P(a right sample outscores a wrong one) from counts per score, lowest first."""
    pairs = right.sum() * wrong.sum()
    below = np.cumsum(wrong) - wrong / 2
    return float((right * below).sum() / pairs) if pairs else float("nan")


def auc(scores: Floats, correct: Bools) -> float:
    """Return the area under the ROC curve (Mann-Whitney; a tie counts half).

    It is NaN if all samples are right or all are wrong.
    """
    return _share_in_order(*_by_score(scores, correct))


def auc_within(scores: Floats, correct: Bools, problem: Ints) -> float:
    """Return the mean over problems of the AUC among a problem's samples.

    It is NaN if no problem has right and wrong samples.
    """
    found = _within(scores, correct, [np.flatnonzero(problem == p) for p in np.unique(problem)])
    known = found[np.isfinite(found)]
    return float(known.mean()) if len(known) else float("nan")


def _within(scores: Floats, correct: Bools, groups: Sequence[Ints]) -> Floats:
    return np.array([auc(scores[g], correct[g]) for g in groups])


def _by_score(scores: Floats, correct: Bools) -> tuple[Floats, Floats]:
    """Return the numbers of right and of wrong samples with each score, lowest first."""
    values, place = np.unique(scores, return_inverse=True)
    right = np.bincount(place[correct], minlength=len(values)).astype(np.float64)
    return right, np.bincount(place, minlength=len(values)) - right


def calibration_error(scores: Floats, correct: Bools | Floats) -> float:
    """Return the expected calibration error.

    It is the mean over bins of |mean score - share right|, weighted by the samples of each bin.
    """
    bins = _bin(scores)
    gap = 0.0
    for b in np.unique(bins):
        members = bins == b
        gap += members.mean() * abs(scores[members].mean() - correct[members].mean())
    return float(gap)


def tie_share(scores: Floats, correct: Bools) -> float:
    """Return the share of pairs of a right and a wrong sample with equal scores.

    It is NaN if all samples are right or all are wrong.
    """
    right, wrong = _by_score(scores, correct)
    pairs = right.sum() * wrong.sum()
    return float(right @ wrong / pairs) if pairs else float("nan")


def concordance(scores: Floats, lengths: Ints, correct: Bools) -> tuple[int, int]:
    """Count the pairs of equally correct samples whose longer one has the higher, or lower, score.

    Pairs with equal scores or equal lengths are not counted.
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
