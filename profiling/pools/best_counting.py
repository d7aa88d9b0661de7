"""Exact vote for the best-scored sample in a class: counts the draws that a right sample wins."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.class_part import ClassPart, log_choose


def best_in_class(part: ClassPart, scores: Floats, ks: Ints) -> Floats:
    """Return the expected correctness of the best-scored of k samples, given the class.

    The r-th right sample from below (r = 0, 1, ...), with w wrong samples below it, is the best of
    C(r, t-1) C(w, k-t) draws of k samples with t right ones. Among equal scores the order is
    random, so that w is negative hypergeometric. A sample with the score minus infinity never wins.

    Args:
        part: class part of the pool.
        scores: score of each sample, shape `(n,)`.
        ks: sizes of the draws, from 1 to `part.largest`; shape `(ks,)`.

    Returns:
        Shape `(ks,)`.
    """
    n, most = len(scores), part.largest
    below = _wrong_below(part.correct, scores)
    shares, log_ways = _shares(n, most)
    # The mean of C(w, j) over the wrong samples below each right one, by r and j; then summed over
    # the right samples, by t - 1 and j. Both binomials are relative to those of all n samples.
    wins = shares[: len(below)].T @ (below @ shares[: below.shape[1]])
    accuracy = np.empty(len(ks))
    for column, k in enumerate(ks.tolist()):
        t = np.arange(1, k + 1)
        ways = np.exp(log_ways[t - 1] + log_ways[k - t] - log_choose(n, np.array(k)))
        accuracy[column] = (wins[t - 1, k - t] * ways * part.odds[t, k]).sum()
    return np.minimum(accuracy, 1.0)


def _wrong_below(correct: Bools, scores: Floats) -> Floats:
    """Return P(the r-th right sample from below has w wrong ones below it), by r and w.

    The row of a sample that cannot win is 0.
    """
    right, wrong = int(correct.sum()), int((~correct).sum())
    chance = np.zeros((right, wrong + 1))
    r = w = 0
    values, members = np.unique(scores, return_inverse=True)
    rights = np.bincount(members, correct, minlength=len(values)).astype(int)
    sizes = np.bincount(members, minlength=len(values))
    for value, good, size in zip(values, rights.tolist(), sizes.tolist(), strict=True):
        bad = size - good
        if value > -np.inf:
            for x in range(good):
                for y in range(bad + 1):
                    ways = math.comb(x + y, y) * math.comb(size - 1 - x - y, bad - y)
                    chance[r + x, w + y] = ways / math.comb(size, bad)
        r, w = r + good, w + bad
    return chance


@lru_cache(maxsize=8)
def _shares(n: int, most: int) -> tuple[Floats, Floats]:
    """Return C(w, j) / C(n, j), shape `(n + 1, most + 1)`, and log C(n, j), `(most + 1,)`."""
    w, j = np.ogrid[: n + 1, : most + 1]
    log_ways = log_choose(n, np.arange(most + 1))
    shares = np.exp(log_choose(w, j) - log_ways)
    shares.flags.writeable = False
    return shares, log_ways
