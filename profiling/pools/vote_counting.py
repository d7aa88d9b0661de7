"""Exact majority vote: counts the draws that an answer wins without enumerating them."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from profiling.arrays import Floats, Ints
from profiling.pools.ballots import Ballots

MOST_COUNTED = 1000
"""Largest pool, in samples; binomial coefficients of more samples overflow a float."""


def counted_majority(ballots: Ballots, odds: Floats | None = None) -> Floats:
    """Return the accuracy of majority at each k from 1 to n, shape `(n,)`.

    The function counts the draws that a right class wins. A class of c samples gets m votes in
    C(c, m) ways. No rival, i.e. no other class of at least m samples, may get more votes;
    `_outvoted` counts the ways to draw the rivals, and weights a tie with t of them by 1 / (t + 1).
    All other samples are free. If x marks a drawn sample, the number of ways to draw k samples is
    the coefficient of x^k in the product of these three polynomials. All terms are positive, so
    there is no cancellation.

    Args:
        ballots: the answers; at least one is right and one is wrong.
        odds: weight of a draw of k samples with t right ones, shape `(largest + 1, largest + 1)`,
            for k up to `largest` (`profiling.pools.class_part.ClassPart.odds`); the result then has
            the shape `(largest,)`, and only one answer may be right. None: all weights are 1.
    """
    n = len(ballots)
    if odds is not None:
        return _counted_in_class(ballots, odds)
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
        if size > most:  # with more votes than any rival has samples, all other samples are free
            ahead = np.where(np.arange(size + 1) > most, _choose(size), 0.0)
            wins += np.convolve(ahead, _choose(n - size))
    return wins[1:] / _choose(n)[1:]


def _counted_in_class(ballots: Ballots, odds: Floats) -> Floats:
    """Return the weighted accuracy; the votes of the only right answer are the right samples."""
    n, most = len(ballots), len(odds) - 1
    size, others = int(ballots.sizes[-1]), ballots.sizes[:-1]
    wins = np.zeros(most + 1)
    for votes in range(1, min(size, most) + 1):
        rivals = others[others >= votes]
        free = _choose(n - size - int(rivals.sum()))
        outvoted = _outvoted(votes, rivals) if len(rivals) else np.ones(1)
        ways = (np.convolve(outvoted, free) * _choose(size)[votes])[: most + 1 - votes]
        drawn = slice(votes, votes + len(ways))
        wins[drawn] += ways * odds[votes, drawn]
    return np.minimum(wins[1:] / _choose(n)[1 : most + 1], 1.0)


def _outvoted(votes: int, rivals: Ints) -> Floats:
    """Count the ways to draw s = 0, 1, ... samples of rivals so that none gets more than `votes`.

    A way in which t rivals get exactly `votes` has the weight 1 / (t + 1), the integral of y^t from
    0 to 1. So y marks a tie, and Gauss-Legendre quadrature integrates the product of the rivals'
    polynomials, of degree `len(rivals)` in y, exactly.

    Args:
        votes: votes of the right class, at least 1.
        rivals: samples of each rival, at least `votes`; shape `(rivals,)`.
    """
    if votes == 1:  # each drawn sample is of another rival and ties: t = s
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
    """Return C(n, 0), ..., C(n, n)."""
    row = np.array([math.comb(n, m) for m in range(n + 1)], dtype=np.float64)
    row.flags.writeable = False
    return row


@cache
def _legendre(nodes: int) -> tuple[Floats, Floats]:
    """Return nodes and weights on [0, 1], exact for polynomials of degree 2 `nodes` - 1."""
    at, parts = np.polynomial.legendre.leggauss(nodes)
    return (at + 1) / 2, parts / 2
