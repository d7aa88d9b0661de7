"""Expected accuracy of a vote among k samples of a pool, for several k at once.

The k samples are drawn from n without replacement. As in `executor.answers.voting.vote`, a sample
without an answer never wins, and the larger of two classes of equal weight wins. Classes of equal
weight and size share the win, because the order of the draw decides between them. A draw without
answers is wrong.

Majority is exact: products of polynomials count the draws that a class wins. A weighted vote is
exact if there are few subsets of size k. Otherwise the samples are put into random orders; the
first k samples of an order are a draw for each k, so one pass over an order gives votes for all k.

With a class part (`profiling.pools.class_part`) the draws are those of the other samples, given the
class of the problem.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import Ballots
from profiling.pools.class_part import ClassPart
from profiling.pools.vote_counting import MOST_COUNTED, counted_majority
from profiling.pools.vote_orders import subsampled


@dataclass(frozen=True, slots=True)
class Curve:
    """Expected accuracy over k, arrays of shape `(ks,)`.

    Attributes:
        accuracy: expectation over all draws of k samples.
        variance: squared standard error of `accuracy` due to the sampling of draws; 0 if exact.
    """

    accuracy: Floats
    variance: Floats

    @classmethod
    def exact(cls, accuracy: Floats) -> Curve:
        """Return a curve without error."""
        return cls(accuracy, np.zeros_like(accuracy))

    @classmethod
    def total(cls, parts: Sequence[tuple[float, Curve]]) -> Curve:
        """Return the weighted sum of curves; their errors are assumed to be fully correlated.

        Args:
            parts: pairs of a weight and a curve.
        """
        accuracy = sum((times * one.accuracy for times, one in parts), np.zeros(()))
        error = sum((times * np.sqrt(one.variance) for times, one in parts), np.zeros(()))
        return cls(accuracy, error**2)


def majority(
    ballots: Ballots, ks: Ints, *, orders: int, random_state: int, part: ClassPart | None = None
) -> Curve:
    """Return the accuracy of the most common answer; exact up to `MOST_COUNTED` samples.

    In a class it is exact if all right samples have one answer, and drawn otherwise. For the
    arguments see `weighted`.
    """
    settled = ballots.settled(ks, part)
    if settled is not None:
        return Curve.exact(settled)
    if len(ballots) <= MOST_COUNTED and (part is None or _one_right_answer(ballots, part)):
        return Curve.exact(counted_majority(ballots, None if part is None else part.odds)[ks - 1])
    alike = np.ones((1, len(ballots)))
    [curve] = weighted(ballots, alike, ks, orders=orders, random_state=random_state, part=part)
    return curve


def _one_right_answer(ballots: Ballots, part: ClassPart) -> bool:
    """Return whether the right samples of the pool are those of one answer."""
    members = ballots.index == len(ballots.sizes) - 1  # the right answers come last
    return int(ballots.right.sum()) == 1 and bool((members == part.correct).all())


def weighted(
    ballots: Ballots,
    weights: Floats,
    ks: Ints,
    *,
    orders: int,
    random_state: int,
    part: ClassPart | None = None,
) -> list[Curve]:
    """Return the accuracy of the answer with the largest sum of weights, one curve per row.

    All rows use the same draws, which reduces the noise of comparisons between rows. The accuracy
    is exact for k = 1 and k = n, and if there are at most `orders` subsets of size k.

    Args:
        ballots: the answers.
        weights: finite, nonnegative weights of the samples, shape `(rows, n)`.
        ks: sizes of the draws, shape `(ks,)`.
        orders: number of random orders, at least 2.
        random_state: seed of the orders.
        part: class part of the pool, so that the draws are those of the other samples, given the
            class; None: the draws are from the whole pool.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("a weighted vote needs finite scores of 0 or more")
    n = len(ballots)
    settled = ballots.settled(ks, part)
    if settled is not None:
        return [Curve.exact(settled)] * len(weights)
    few = np.array([has_few_subsets(n, k, orders) for k in ks.tolist()])
    accuracy, variance = np.empty((2, len(weights), len(ks)))
    for column, k in enumerate(ks.tolist()):
        if k == 1 and part is None:
            accuracy[:, column] = ballots.sizes[ballots.right].sum() / n
        elif few[column]:
            drawn = all_subsets(n, k)
            odds = 1.0 if part is None else part.odds[right_among(drawn, part.correct), k]
            won = [(ballots.won(row, drawn) * odds).mean() for row in weights]
            accuracy[:, column] = np.minimum(won, 1.0)
    variance[:, few] = 0
    if not few.all():
        accuracy[:, ~few], variance[:, ~few] = subsampled(
            ballots, weights, ks[~few], orders, np.random.default_rng(random_state), part
        )
    return [Curve(*row) for row in zip(accuracy, variance, strict=True)]


def has_few_subsets(n: int, k: int, orders: int) -> bool:
    """Whether all subsets of size k are decided, rather than random orders."""
    return k == 1 or math.comb(n, k) <= orders


def right_among(drawn: Floats, correct: Bools) -> Ints:
    """Return the number of right samples in each draw, shape `(draws,)`."""
    return np.asarray((drawn @ correct).astype(np.int64))


@lru_cache(maxsize=32)
def all_subsets(n: int, k: int) -> Floats:
    """Return all k-subsets of n samples as 0/1 rows, shape `(subsets, n)`."""
    chosen = np.array(list(itertools.combinations(range(n), k)))
    drawn = np.zeros((len(chosen), n))
    np.put_along_axis(drawn, chosen, 1.0, axis=1)
    drawn.flags.writeable = False
    return drawn
