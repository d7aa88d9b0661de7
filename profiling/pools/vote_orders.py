"""Weighted votes in random orders of the samples: each order gives one draw for each k."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import ROUNDING, Ballots
from profiling.pools.class_part import ClassPart

_BLOCK = 64  # orders per block; a block fits into the processor's cache
_BLOCK_CELLS = 2**21  # entries of a matrix of draws per block


def subsampled(
    ballots: Ballots,
    weights: Floats,
    ks: Ints,
    orders: int,
    rng: np.random.Generator,
    part: ClassPart | None = None,
) -> tuple[Floats, Floats]:
    """Estimate the share that right answers win, from random orders.

    Args:
        ballots: the answers; at least one is right and one is wrong.
        weights: nonnegative weights of the samples, shape `(rows, n)`.
        ks: sizes of the draws, shape `(ks,)`.
        orders: number of random orders, at least 2.
        rng: generator of the orders.
        part: class part of the pool; it gets the last places of each order.

    Returns:
        Means over the orders and their squared standard errors, each of shape `(rows, ks)`.
    """
    total, squares = np.zeros((2, len(weights), len(ks)))
    for drawn in random_orders(len(ballots), orders, rng, part):
        shares = shares_in(ballots, weights, ks, drawn)
        total += shares.sum(axis=2)
        squares += np.einsum("wko,wko->wk", shares, shares)
    spread = np.maximum(squares - total**2 / orders, 0) / (orders - 1)
    return total / orders, spread / orders


def random_orders(
    n: int, orders: int, rng: np.random.Generator, part: ClassPart | None
) -> Iterator[Ints]:
    """Yield blocks of random orders of n samples; for the arguments see `subsampled`.

    Yields:
        Indices of samples in each order, shape `(orders of the block, n)`.
    """
    for first in range(0, orders, _BLOCK):
        drawn = rng.random((min(_BLOCK, orders - first), n)).argsort(axis=1)
        yield drawn if part is None else part.arrange(drawn, rng)


def shares_in(ballots: Ballots, weights: Floats, ks: Ints, order: Ints) -> Floats:
    """Return the share that right answers win among the first k samples of each order.

    The weight of a class can only grow from sample to sample. The weight of the heaviest wrong
    class is therefore a running maximum over the wrong samples, each with the weight of its class
    after this sample. The time does not depend on the number of classes. Ties are decided one by
    one.

    Args:
        ballots: the answers; at least one is right and one is wrong.
        weights: nonnegative weights of the samples, shape `(rows, n)`.
        ks: sizes of the draws, shape `(ks,)`.
        order: indices of samples in each order, shape `(orders, n)`.

    Returns:
        Shape `(rows, ks, orders)`, each from 0 to 1.
    """
    orders, n = order.shape
    place, weight = _class_weights(ballots, weights, order)
    cell = place * orders + np.arange(orders)
    wrong_samples = int(ballots.sizes[~ballots.right].sum())
    heaviest = np.full((2, len(weights), n * orders), -1.0)
    for side, part in enumerate((slice(wrong_samples), slice(wrong_samples, None))):
        heaviest[side][:, cell[part].ravel()] = weight[:, part].reshape(len(weights), -1)
    heaviest = heaviest.reshape(2, len(weights), n, orders)
    for now in range(1, n):  # much faster than `np.maximum.accumulate` along this axis
        before = heaviest[:, :, now - 1]
        np.maximum(before, heaviest[:, :, now], out=heaviest[:, :, now])
    wrong, right = heaviest[:, :, ks - 1]
    shares: Floats = (right > wrong).astype(np.float64)
    tied = (wrong >= 0) & (np.abs(right - wrong) <= ROUNDING * wrong)
    if tied.any():
        _decide(ballots, weights, ks, order, tied, shares)
    return shares


def _class_weights(ballots: Ballots, weights: Floats, order: Ints) -> tuple[Ints, Floats]:
    """Return the place of each sample in each order, and the weight of its class at that place.

    Returns:
        Places, ascending within a class, shape `(n_answers, orders)`; and cumulative weights of the
        class, shape `(rows, n_answers, orders)`. Samples are sorted by class.
    """
    # numpy sorts integers of one or two bytes in linear time.
    label = ballots.index.astype(np.min_scalar_type(len(ballots.sizes)))
    place = label[order].argsort(axis=1, kind="stable")
    sample = np.take_along_axis(order, place, axis=1)
    ends = np.cumsum(ballots.sizes)
    n_answers = int(ends[-1])
    weight = weights[:, sample[:, :n_answers].T]
    for now in np.setdiff1d(np.arange(1, n_answers), ends).tolist():
        weight[:, now] += weight[:, now - 1]
    return place[:, :n_answers].T, weight


def _decide(
    ballots: Ballots, weights: Floats, ks: Ints, order: Ints, tied: Bools, shares: Floats
) -> None:
    """Write into `shares` the share that right answers win in the draws that are `tied`."""
    place = np.argsort(order, axis=1)
    at_a_time = max(1, _BLOCK_CELLS // len(ballots))
    for row, weight in enumerate(weights):
        column, one = np.nonzero(tied[row])
        for first in range(0, len(one), at_a_time):
            part = slice(first, first + at_a_time)
            drawn = (place[one[part]] < ks[column[part], None]).astype(np.float64)
            shares[row, column[part], one[part]] = ballots.won(weight, drawn)
