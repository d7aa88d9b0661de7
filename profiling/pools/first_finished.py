"""Exact replay of short-m@k: k responses are generated side by side, and the first m to end vote.

The method is that of Hassid, Synnaeve, Adi and Schwartz, "Don't Overthink it" (arXiv 2505.17813):
generation stops as soon as m of k responses have ended, and the most common answer among them wins.
Of answers with equally many votes, the one that a shorter response gave wins.

All k responses grow by one token at a time, so the first m to end are the m shortest. A response
that is cut at a token limit has not finished and gives no answer: it comes after all others
(`ranks`). Responses of equal length count as ending in the order of the pool.

The k samples are drawn from n without replacement, as in `profiling.pools.votes`. With the samples
sorted by length, m given ones of which the longest has rank r (0, 1, ...) are the m shortest of
C(n-1-r, k-m) draws. So the number of right votes by r gives the accuracy at every k.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.class_part import ClassPart, log_choose


def short_m_of_k(
    answer_class: Ints,
    correct: Bools,
    tokens: Ints,
    m: int,
    ks: Ints,
    part: ClassPart | None = None,
) -> Floats:
    """Return the expected accuracy of short-m@k, shape `(ks,)`.

    The time grows with the number of sets of m - 1 samples.

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
    answers, right = answer_class[order], correct[order]
    wins = _wins(answers, right, m)
    if part is not None:
        return np.array([_in_class(wins, right, m, k, part) for k in ks.tolist()])
    longer = n - 1 - np.arange(n)[:, None]
    return np.asarray(wins.sum(axis=1) @ np.exp(log_choose(longer, ks - m) - log_choose(n, ks)))


def ranks(tokens: Ints, finished: Bools) -> Ints:
    """Return the places of responses in the order in which they finish, shape `(n,)`.

    Those that a limit cut come last; of equally long ones, the earlier in the pool comes first.
    """
    places = np.empty(len(tokens), dtype=np.int64)
    places[np.lexsort((tokens, ~finished))] = np.arange(len(tokens))
    return places


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
    # P(the sample of rank r is the j-th shortest of k), for one j, shape (ks, n)
    rank, size = np.arange(n), ks[:, None]
    expected = np.array([
        np.exp(
            log_choose(rank, np.array(j)) + log_choose(n - 1 - rank, size - 1 - j)
            - log_choose(n, size)
        ) @ lengths
        for j in range(m)
    ])  # fmt: skip
    return expected.sum(axis=0) + (ks - m) * expected[-1], expected[-1]


def _check(m: int, ks: Ints, largest: int) -> None:
    for k in ks.tolist():
        if not 1 <= m <= k <= largest:
            raise ValueError(
                f"m is {m} and k is {k}; expected 1 <= m <= k <= {largest}, the samples that can "
                "be drawn"
            )


def _wins(answers: Ints, right: Bools, m: int) -> Floats:
    """Count the sets of m responses whose vote is right, shape `(n, m + 1)`.

    Rows are the rank of the longest response, columns the number of right responses in the set.
    Only the sets of the m - 1 longer responses are listed. The shortest one, which may be any of
    lower rank, is counted by its answer; it comes first, so that its answer wins ties.

    Args:
        answers: classes of the answers, shortest response first; -1 without an answer; shape
            `(n,)`.
        right: whether each is right, shape `(n,)`.
    """
    n, answered = len(answers), answers >= 0
    if m == 1:
        return np.column_stack([np.zeros(n), answered & right]).astype(float)
    longer = _sets(n, m - 1)
    chosen, shortest = answers[longer], longer[0]
    same = (chosen[:, None] == chosen) & (chosen >= 0)
    votes = same.sum(axis=0, dtype=np.int16)
    most = votes.max(axis=0)
    winner = np.take_along_axis(longer, votes.argmax(axis=0)[None], axis=0)[0]
    wins_else = (most > 0) & right[winner]
    # An answer that wins with one vote more, at its first place in the set
    first_place = same.argmax(axis=0) == np.arange(m - 1)[:, None]
    leads = (votes >= most - 1) & (votes > 0) & first_place

    def shorter(of: Bools) -> tuple[Ints, Ints]:
        """Count some of the shorter responses: those whose answer wins, and the others."""
        alike = _before(of[:, None] & (answers[:, None] == answers))[shortest, longer]
        any_answer = _before(of & answered)[shortest]
        winners = np.where(most <= 1, any_answer, (alike * leads).sum(axis=0))
        return winners, _before(of)[shortest] - winners

    (winners, others), (_, wrong_others) = shorter(right), shorter(~right)
    at = longer[-1] * (m + 1) + right[longer].sum(axis=0)
    counts = np.bincount(at + 1, winners + wins_else * others, minlength=n * (m + 1))
    counts += np.bincount(at, wins_else * wrong_others, minlength=n * (m + 1))
    return np.asarray(counts.reshape(n, m + 1), dtype=np.float64)


@lru_cache(maxsize=8)
def _sets(n: int, size: int) -> Ints:
    """Return all sets of `size` of n numbers, each in rising order; shape `(size, C(n, size))`."""
    sets = np.array(list(itertools.combinations(range(n), size)), dtype=np.int64)
    sets = np.ascontiguousarray(sets.reshape(-1, size).T)
    sets.flags.writeable = False
    return sets


def _before(which: Bools) -> Ints:
    """Count those in the rows above each row, shape as `which`."""
    return np.asarray(np.cumsum(which, axis=0) - which)


def _in_class(wins: Floats, right: Bools, m: int, k: int, part: ClassPart) -> float:
    """Return the mean over all draws of k, weighted by their odds in the class."""
    n = len(right)
    longer = n - 1 - np.arange(n)
    longer_right = int(right.sum()) - np.cumsum(right)
    # Axes: rank of the longest of m, right ones among the m, right ones among the other k - m
    voted, more = np.arange(m + 1)[None, :, None], np.arange(k - m + 1)[None, None, :]
    log = log_choose(longer_right[:, None, None], more)
    log = log + log_choose((longer - longer_right)[:, None, None], k - m - more)
    log -= log_choose(n, np.array(k))
    return float((wins[:, :, None] * np.exp(log) * part.odds[voted + more, k]).sum())
