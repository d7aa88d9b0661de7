"""Exact replay of short-m@k: k responses are generated side by side, and the first m to end vote.

The method is that of Hassid, Synnaeve, Adi and Schwartz, "Don't Overthink it" (arXiv 2505.17813):
generation stops as soon as m of k responses have ended, and the most common answer among them wins.
Of answers with equally many votes, the one that a shorter response gave wins.

All k responses grow by one token at a time, so the first m to end are the m shortest. A response
that is cut at a token limit ends there, without an answer. Responses of equal length count as
ending in the order of the pool.

The k samples are drawn from n without replacement, as in `profiling.pools.votes`. With the samples
sorted by length, m given ones of which the longest has rank r (0, 1, ...) are the m shortest of
C(n-1-r, k-m) draws. So the votes of all sets of m samples, rather than those of all draws, give the
accuracy at every k.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.class_part import ClassPart


def short_m_of_k(
    answer_class: Ints,
    correct: Bools,
    tokens: Ints,
    m: int,
    ks: Ints,
    part: ClassPart | None = None,
) -> Floats:
    """Return the expected accuracy of short-m@k, shape `(ks,)`.

    The time grows with the number of sets of m samples, C(n, m).

    Args:
        answer_class: class of equal answers of each sample, -1 without an answer; shape `(n,)`.
        correct: whether each sample is right, shape `(n,)`.
        tokens: length of each sample, shape `(n,)`.
        m: number of responses that vote.
        ks: sizes of the draws, each at least m; shape `(ks,)`.
        part: class part of the samples, for the accuracy in the class: the draws are those of the
            other samples (`profiling.pools.class_part`); None: the draws are from all samples.

    Raises:
        ValueError: a k is below m or above the number of samples that can be drawn.
    """
    n = len(tokens)
    _check(m, ks, n if part is None else part.largest)
    order = np.argsort(tokens, kind="stable")
    answers, right = answer_class[order].tolist(), correct[order].tolist()
    # Sets of m samples that answer rightly, by the rank of the longest and the number of right ones
    wins = np.zeros((n, m + 1))
    for chosen in itertools.combinations(range(n), m):
        winner = _winner([answers[i] for i in chosen])
        if winner is not None and right[chosen[winner]]:
            wins[chosen[-1], sum(right[i] for i in chosen)] += 1
    return np.array([_expected(wins, right, m, k, part) for k in ks.tolist()])


def tokens_until(tokens: Ints, m: int, ks: Ints) -> tuple[Floats, Floats]:
    """Return what short-m@k generates, in tokens: in all, and one after the other.

    All k responses grow until the m-th ends. So the tokens in all are the lengths of the m shortest
    and, for each of the others, the length of the m-th. The tokens one after the other are that
    length alone: they set the time if all k responses grow side by side. With m = k, it is that of
    the longest response, as a vote of all k needs it.

    Args:
        tokens: length of each sample, shape `(n,)`.
        m: number of responses that vote.
        ks: sizes of the draws, each at least m; shape `(ks,)`.

    Returns:
        Expectations over all draws, shape `(ks,)` each.

    Raises:
        ValueError: a k is below m or above n.
    """
    n = len(tokens)
    _check(m, ks, n)
    lengths = np.sort(tokens)
    total, last = np.empty((2, len(ks)))
    for column, k in enumerate(ks.tolist()):
        # P(the sample of rank r is the j-th shortest of k), shape (m, n)
        chance = [
            [math.comb(r, j) * math.comb(n - 1 - r, k - 1 - j) / math.comb(n, k) for r in range(n)]
            for j in range(m)
        ]
        expected = np.array(chance) @ lengths
        last[column] = expected[-1]
        total[column] = expected.sum() + (k - m) * expected[-1]
    return total, last


def _check(m: int, ks: Ints, largest: int) -> None:
    for k in ks.tolist():
        if not 1 <= m <= k <= largest:
            raise ValueError(
                f"m is {m} and k is {k}; expected 1 <= m <= k <= {largest}, the samples that can "
                "be drawn"
            )


def _winner(answers: list[int]) -> int | None:
    """Return the index of the first response with the most common answer; None without answers.

    Args:
        answers: classes of the answers, shortest response first; -1 without an answer.
    """
    votes = [answers.count(answer) if answer >= 0 else 0 for answer in answers]
    most = max(votes)
    return votes.index(most) if most else None


def _expected(wins: Floats, right: list[bool], m: int, k: int, part: ClassPart | None) -> float:
    """Return the mean over all draws of k; those of a class are weighted by their odds."""
    n, total = len(right), 0.0
    for rank, voted in zip(*(axis.tolist() for axis in np.nonzero(wins)), strict=True):
        longer_right = sum(right[rank + 1 :])
        longer_wrong = n - 1 - rank - longer_right
        if part is None:
            ways = float(math.comb(n - 1 - rank, k - m))
        else:
            ways = sum(
                math.comb(longer_right, more)
                * math.comb(longer_wrong, k - m - more)
                * float(part.odds[voted + more, k])
                for more in range(k - m + 1)
            )
        total += float(wins[rank, voted]) * ways
    return total / math.comb(n, k)
