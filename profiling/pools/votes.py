"""What a vote among k of a pool's samples is expected to be worth, for every k at once.

Drawn are k of n samples without replacement. As in `executor.answers.voting.vote`, samples without
an answer never win, of classes of equal weight the larger wins, and equally large ones share
(which of them is seen first is a matter of the draw); a draw without answers is wrong.

Majority is exact: the draws that a class wins are counted by multiplying polynomials. A weighted
vote is exact where all subsets are few. Else the samples are put into random orders: the first k of
an order are a draw for every k, so that one pass over an order votes at every k.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from profiling.arrays import Floats, Ints
from profiling.pools.ballots import Ballots
from profiling.pools.vote_counting import MOST_COUNTED, counted_majority
from profiling.pools.vote_orders import subsampled


@dataclass(frozen=True, slots=True)
class Curve:
    """Expected accuracy over k, arrays of shape `(ks,)`.

    Attributes:
        accuracy: the expectation over all draws of k samples.
        variance: squared standard error of `accuracy` from looking at some draws only; 0 where
            it is exact.
    """

    accuracy: Floats
    variance: Floats

    @classmethod
    def exact(cls, accuracy: Floats) -> Curve:
        """A curve without error."""
        return cls(accuracy, np.zeros_like(accuracy))

    @classmethod
    def total(cls, parts: Sequence[tuple[float, Curve]]) -> Curve:
        """A sum of curves, each so many times; their errors are taken to go together."""
        accuracy = sum((times * one.accuracy for times, one in parts), np.zeros(()))
        error = sum((times * np.sqrt(one.variance) for times, one in parts), np.zeros(()))
        return cls(accuracy, error**2)


def majority(ballots: Ballots, ks: Ints, *, orders: int, random_state: int) -> Curve:
    """Accuracy of the answer given most often; exact up to 1000 samples."""
    settled = ballots.settled(ks)
    if settled is not None:
        return Curve.exact(settled)
    if len(ballots) <= MOST_COUNTED:
        return Curve.exact(counted_majority(ballots)[ks - 1])
    alike = np.ones((1, len(ballots)))
    [curve] = weighted(ballots, alike, ks, orders=orders, random_state=random_state)
    return curve


def weighted(
    ballots: Ballots, weights: Floats, ks: Ints, *, orders: int, random_state: int
) -> list[Curve]:
    """Accuracy of the answer whose samples' weights add up to most, a curve for each row.

    All rows see the same draws, so that they are compared with less noise than each has. Exact for
    one sample, for all of them, and wherever there are at most `orders` subsets.

    Args:
        ballots: the answers.
        weights: shape `(rows, n)`, finite and not negative.
        ks: shape `(ks,)`, sizes of the draws.
        orders: random orders, at least 2.
        random_state: of the orders.

    Raises:
        ValueError: a weight is negative or not finite.
    """
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("a weighted vote needs finite scores of 0 or more")
    n = len(ballots)
    settled = ballots.settled(ks)
    if settled is not None:
        return [Curve.exact(settled)] * len(weights)
    few = np.array([math.comb(n, k) <= orders for k in ks.tolist()])
    accuracy, variance = np.empty((2, len(weights), len(ks)))
    for column, k in enumerate(ks.tolist()):
        if k == 1:
            accuracy[:, column] = ballots.sizes[ballots.right].sum() / n
        elif few[column]:
            drawn = _all_subsets(n, k)
            accuracy[:, column] = [ballots.won(row, drawn).mean() for row in weights]
    exact = few | (ks == 1)
    variance[:, exact] = 0
    if not exact.all():
        accuracy[:, ~exact], variance[:, ~exact] = subsampled(
            ballots, weights, ks[~exact], orders, np.random.default_rng(random_state)
        )
    return [Curve(*row) for row in zip(accuracy, variance, strict=True)]


@lru_cache(maxsize=32)
def _all_subsets(n: int, k: int) -> Floats:
    """Every k-subset of n samples: one row a subset, one column a sample."""
    chosen = np.array(list(itertools.combinations(range(n), k)))
    drawn = np.zeros((len(chosen), n))
    np.put_along_axis(drawn, chosen, 1.0, axis=1)
    drawn.flags.writeable = False
    return drawn
