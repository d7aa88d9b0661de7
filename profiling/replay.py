"""Sample once, replay everything: expected accuracy of smaller budgets from one pool of samples."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from executor.answers import Grader, Vote, group
from executor.outcome import SampleRecord, scores_of
from executor.strategy import Score

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SUBSETS = 512


@dataclass(frozen=True, slots=True)
class Pool:
    """The samples of one problem, as arrays of shape `(n,)`.

    Attributes:
        correct: whether each sample is right.
        answer_class: index of each sample's class of equal answers, -1 without an answer. Where
            another grader said that of two equal answers one is right, they are two classes.
        scores: for every score, one number a sample; empty where nothing was scored.
        tokens: length of each sample.
        step_tokens, step_samples: shape `(distinct steps,)`. A step is distinct by all that is
            written up to its end; how long it is, and how many samples have it. A PRM scores it
            once, however many have it.
    """

    correct: Bools
    answer_class: NDArray[np.int64]
    scores: dict[Score, Floats]
    tokens: NDArray[np.int64]
    step_tokens: NDArray[np.int64]
    step_samples: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.correct)

    @classmethod
    def of(cls, samples: tuple[SampleRecord, ...], grader: Grader) -> Pool:
        """The pool of graded samples."""
        scored = all(sample.rewards for sample in samples)
        steps = _distinct_steps(samples)
        return cls(
            correct=np.array([bool(sample.correct) for sample in samples]),
            answer_class=_classes(samples, grader),
            scores={s: np.array(scores_of(samples, s)) for s in Score} if scored else {},
            tokens=np.array([sample.n_tokens for sample in samples]),
            step_tokens=np.array([length for _, length in steps], dtype=np.int64),
            step_samples=np.array(list(steps.values()), dtype=np.int64),
        )

    def scored_share(self, k: int) -> float:
        """The share of the pool's distinct step tokens that k of its samples are expected to have.

        A step of m of n samples is among k drawn without replacement with probability
        1 - C(n-m, k) / C(n, k); so this is what scoring k samples costs, the pool being 1.
        """
        n = len(self)
        _check_k(k, n)
        missed = np.where(
            n - self.step_samples >= k,
            np.exp(_log_choose(n - self.step_samples, k) - _log_choose(n, k)),
            0.0,
        )
        total = self.step_tokens.sum()
        return float((self.step_tokens * (1 - missed)).sum() / total) if total else 0.0


def _classes(samples: tuple[SampleRecord, ...], grader: Grader) -> NDArray[np.int64]:
    """Index of the first sample with an equal answer, graded alike; -1 without an answer."""
    first: dict[tuple[int, bool], int] = {}
    equal = group([sample.answer for sample in samples], grader)
    return np.array(
        [
            -1 if leader < 0 else first.setdefault((leader, bool(sample.correct)), index)
            for index, (leader, sample) in enumerate(zip(equal, samples, strict=True))
        ]
    )


def _distinct_steps(samples: tuple[SampleRecord, ...]) -> Counter[tuple[tuple[int, ...], int]]:
    """`(all tokens up to a step's end, the step's length)`, with how many samples have it."""
    found: Counter[tuple[tuple[int, ...], int]] = Counter()
    for sample in samples:
        end = 0
        for length in sample.steps:
            end += length
            found[sample.token_ids[:end], length] += 1
    return found


def pass_at_k(correct: Bools, k: int) -> float:
    """P(at least one of k drawn without replacement is right) = 1 - C(n-c, k) / C(n, k)."""
    n, right = len(correct), int(correct.sum())
    _check_k(k, n)
    if n - right < k:
        return 1.0
    return float(1 - np.exp(_log_choose(n - right, k) - _log_choose(n, k)))


def best_of_k(correct: Bools, scores: Floats, k: int) -> float:
    """Expected correctness of the highest scored of k samples drawn without replacement.

    With samples sorted by score, the i-th worst of n is the best of a random k-subset with
    probability C(i-1, k-1) / C(n, k); samples with equal scores share theirs evenly.
    """
    n = len(correct)
    _check_k(k, n)
    order = np.argsort(scores, kind="stable")
    ranks = np.arange(1, n + 1)
    chance = np.where(ranks >= k, np.exp(_log_choose(ranks - 1, k - 1) - _log_choose(n, k)), 0.0)
    _, tie = np.unique(scores[order], return_inverse=True)
    shared = np.bincount(tie, chance) / np.bincount(tie)
    return float((shared[tie] * correct[order]).sum())


def vote_at_k(
    pool: Pool, k: int, vote: Vote, score: Score | None = None, *, random_state: int = 0
) -> float:
    """Expected correctness of a vote among k samples drawn without replacement.

    `max` is exact; the others are where there are at most 512 subsets, else the mean over 512
    random ones. As in `executor.answers.vote`, samples without an answer never win, of classes of
    equal weight the larger wins, and equally large ones share; a subset without answers is wrong.
    A k beyond the pool's size is the whole pool.
    """
    n = len(pool)
    k = min(k, n)
    _check_k(k, n)
    if vote is Vote.MAX:
        if score is None:
            raise ValueError("the vote max needs a score")
        answered = np.where(pool.answer_class < 0, -np.inf, pool.scores[score])
        return best_of_k(pool.correct, answered, k)
    weights = np.ones(n) if vote is Vote.MAJORITY else pool.scores[score or Score.LAST]
    classes, index = np.unique(pool.answer_class, return_inverse=True)
    if classes[-1] < 0:
        return 0.0
    drawn = _subsets(n, k, random_state)
    member = np.zeros((n, len(classes)))
    member[np.arange(n), index] = 1.0
    votes = drawn @ (member * weights[:, None])
    votes[:, classes < 0] = -1.0
    # An answer's correctness is that of its samples: equal answers are graded alike.
    right = np.array([pool.correct[index == c].any() for c in range(len(classes))])
    sizes = drawn @ member
    votes[sizes == 0] = -1.0
    best = votes.max(axis=1, keepdims=True)
    # No absolute tolerance: products of many rewards are tiny.
    heaviest = np.where(np.isclose(votes, best, rtol=1e-12, atol=0) & (best >= 0), sizes, 0)
    winners = (heaviest > 0) & (heaviest == heaviest.max(axis=1, keepdims=True))
    shares = winners / np.maximum(winners.sum(axis=1, keepdims=True), 1)
    return float((shares @ right).mean())


@lru_cache(maxsize=16)
def _subsets(n: int, k: int, random_state: int) -> Floats:
    """All k-subsets of n samples, or 512 random ones.

    One row a subset, one column a sample: 1 where the sample is in the subset. Pools of one size
    share them.
    """
    if math.comb(n, k) <= _SUBSETS:
        chosen = np.array(list(itertools.combinations(range(n), k)))
    else:
        rng = np.random.default_rng(random_state)
        chosen = rng.random((_SUBSETS, n)).argpartition(k - 1, axis=1)[:, :k]
    drawn = np.zeros((len(chosen), n))
    np.put_along_axis(drawn, chosen, 1.0, axis=1)
    drawn.flags.writeable = False
    return drawn


def _check_k(k: int, n: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}: must be between 1 and the {n} samples there are")


def _log_choose(n: int | NDArray[np.int64], k: int) -> Floats:
    """log C(n, k) for n >= k; garbage, never an error, below (callers mask it)."""
    with np.errstate(all="ignore"):
        n = np.asarray(n, dtype=np.float64)
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1))
