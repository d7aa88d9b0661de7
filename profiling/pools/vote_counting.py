"""Majority vote exactly: the draws that an answer wins are counted, not looked at."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from profiling.arrays import Floats, Ints
from profiling.pools.ballots import Ballots

MOST_COUNTED = 1000
"""Binomial coefficients of more samples do not fit into a float."""


def counted_majority(ballots: Ballots) -> Floats:
    """Majority at every k from 1 to n, by counting the draws that a right class wins.

    A class of c samples gets m votes in C(c, m) ways. Its rivals, which have at least m samples,
    must not get more; `_outvoted` counts how they can be drawn, a tie of t of them as 1 / (t + 1).
    All other samples are free. With x marking a drawn sample, the ways to draw k in all are the
    coefficient of x^k in the product of the three. Every term is positive: nothing cancels.
    """
    n = len(ballots)
    wins = np.zeros(n + 1)
    for number in np.flatnonzero(ballots.right):
        size = int(ballots.sizes[number])
        others = np.delete(ballots.sizes, number)
        most = int(others.max())
        for votes in range(1, min(size, most) + 1):
            rivals = others[others >= votes]
            free = n - size - int(rivals.sum())
            ways = np.convolve(_outvoted(votes, rivals), _choose(free)) * _choose(size)[votes]
            wins[votes : votes + len(ways)] += ways
        if size > most:  # with more votes than any rival has samples, the rest is free
            ahead = np.where(np.arange(size + 1) > most, _choose(size), 0.0)
            wins += np.convolve(ahead, _choose(n - size))
    return wins[1:] / _choose(n)[1:]


def _outvoted(votes: int, rivals: Ints) -> Floats:
    """Ways to draw s = 0, 1, ... samples of rivals, none of whom gets more than `votes`.

    A way in which t rivals get just as many counts 1 / (t + 1). That is the integral of y^t from 0
    to 1; so y marks a tie, and Gauss and Legendre's rule integrates the product of the rivals'
    polynomials, of degree `len(rivals)` in y, exactly.

    Args:
        votes: at least 1.
        rivals: samples each has; at least `votes`.
    """
    if votes == 1:  # every sample drawn is a tie of its own: t = s
        ways = np.ones(1)
        for size in rivals.tolist():
            ways = np.convolve(ways, (1.0, size))
        return ways / np.arange(1, len(ways) + 1)
    integral = np.zeros(int(rivals.size) * votes + 1)
    for y, part in zip(*_legendre((len(rivals) + 2) // 2), strict=True):
        product = np.array([part])
        for size in rivals.tolist():
            factor = _choose(size)[: votes + 1].copy()
            factor[votes] *= y
            product = np.convolve(product, factor)
        integral += product
    return integral


@cache
def _choose(n: int) -> Floats:
    """C(n, 0), ..., C(n, n)."""
    row = np.array([math.comb(n, m) for m in range(n + 1)], dtype=np.float64)
    row.flags.writeable = False
    return row


@cache
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    """Nodes and weights on [0, 1], exact for polynomials of degree 2 `nodes` - 1."""
    at, parts = np.polynomial.legendre.leggauss(nodes)
    return (at + 1) / 2, parts / 2
