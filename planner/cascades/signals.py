"""What a stage of a cascade knows for free: its agreement, and the leading answer's score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Majority, Strategy
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.replay import Pool

_VOTES = (Vote.MAJORITY, Vote.WEIGHTED, Vote.MAX)
_ROUNDING = 1e-9  # relative; sums of equal weights in another order are equal


def gives_signals(strategy: Strategy) -> bool:
    """Whether a strategy may be a stage that decides: a vote, of which the votes are known."""
    if isinstance(strategy, BestOfN):
        return strategy.vote in _VOTES and strategy.keep == 1
    return isinstance(strategy, Majority)


@dataclass(frozen=True, slots=True)
class Signals:
    """What some draws of a vote tell, and whether they are right.

    Attributes:
        right: correctness of the leading answer, shape `(draws,)`; answers that tie share.
        agreement: share of the votes (of their weights, if they have some) that the leading answer
            has, shape `(draws,)`; samples without an answer count among the others.
        score: best score of a sample with the leading answer, shape `(draws,)`; None if the
            strategy needs no scorer.
    """

    right: Floats
    agreement: Floats
    score: Floats | None

    def features(self, n: int) -> Floats:
        """The signals as a logistic model reads them, shape `(draws, features)`.

        The agreement of n votes is smoothed by half a vote for and against, so that its log-odds
        are finite.
        """
        smoothed = (self.agreement * n + 0.5) / (n + 1)
        columns = [logit(smoothed)]
        if self.score is not None:
            columns.append(self.score)
        return np.stack(columns, axis=-1)


def signals_of(pool: Pool, strategy: Strategy, order: Ints) -> Signals:
    """Replay draws of a vote.

    Args:
        pool: the samples of a problem.
        strategy: a vote (`gives_signals`).
        order: indices of the samples of each draw, shape `(draws, n)`.
    """
    classes = pool.answer_class[order]
    answered = classes >= 0
    scores = pool.scores[strategy.score][order] if isinstance(strategy, BestOfN) else None
    weights = np.ones(order.shape)
    if scores is not None and isinstance(strategy, BestOfN) and strategy.vote is Vote.WEIGHTED:
        weights = np.maximum(scores, 0.0)
    count = int(pool.answer_class.max(initial=-1)) + 1
    if not count:
        nothing = np.zeros(len(order))
        return Signals(nothing, nothing, None if scores is None else nothing)
    votes = _by_class(classes, answered, weights, count)
    sizes = _by_class(classes, answered, np.ones(order.shape), count)
    if scores is not None and isinstance(strategy, BestOfN) and strategy.vote is Vote.MAX:
        right, leads = _best_scored(pool, order, classes, answered, scores, count)
    else:
        most = np.where(sizes > 0, votes, -1.0).max(axis=1, keepdims=True)
        # Of classes with equal weight the larger wins, as in the executor's vote.
        heaviest = np.where((sizes > 0) & (votes >= most * (1 - _ROUNDING)), sizes, 0.0)
        leads = (heaviest > 0) & (heaviest == heaviest.max(axis=1, keepdims=True))
        right = (leads * _worth(pool, count)).sum(axis=1) / np.maximum(leads.sum(axis=1), 1)
    first = leads.argmax(axis=1)
    total = weights.sum(axis=1)
    agreement = votes[np.arange(len(order)), first] / np.where(total > 0, total, 1.0)
    score = None
    if scores is not None:
        mine = answered & (classes == first[:, None])
        best = np.where(mine, scores, -np.inf).max(axis=1)
        score = np.where(np.isfinite(best), best, 0.0)
    return Signals(right, agreement, score)


def _by_class(classes: Ints, answered: Bools, weights: Floats, count: int) -> Floats:
    """Sum weights by draw and class of equal answers, shape `(draws, classes)`."""
    draws = len(classes)
    at = (np.arange(draws)[:, None] * count + classes)[answered]
    summed = np.bincount(at, weights[answered], minlength=draws * count)
    return np.asarray(summed.reshape(draws, count), dtype=np.float64)


def _worth(pool: Pool, count: int) -> Floats:
    """Share of each class that is right, shape `(classes,)`; 0 or 1 unless grades disagree."""
    has = pool.answer_class >= 0
    sizes = np.bincount(pool.answer_class[has], minlength=count)
    right = np.bincount(pool.answer_class[has], pool.correct[has], minlength=count)
    return np.asarray(right / np.maximum(sizes, 1))


def _best_scored(
    pool: Pool, order: Ints, classes: Ints, answered: Bools, scores: Floats, count: int
) -> tuple[Floats, Bools]:
    """Correctness of the best-scored samples, and the class of the first of them."""
    ranked = np.where(answered, scores, -np.inf)
    top = answered & (ranked == ranked.max(axis=1, keepdims=True))
    right = (pool.correct[order] * top).sum(axis=1) / np.maximum(top.sum(axis=1), 1)
    leads = np.zeros((len(order), count), dtype=np.bool_)
    some = np.flatnonzero(top.any(axis=1))
    leads[some, classes[some, top[some].argmax(axis=1)]] = True
    return np.asarray(right), leads
