"""Votes in which the weight of a sample depends on its rank among those drawn with it.

They are the votes of `executor.answers.voting` that keep a share of the samples, or give Borda
votes. Which samples are kept, and how many votes each has, differs from draw to draw, so that the
weights are computed for each draw. As for weighted votes, small draws are all enumerated, and large
ones are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from executor.answers.voting import Vote, kept
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import Ballots
from profiling.pools.class_part import ClassPart
from profiling.pools.vote_orders import random_orders
from profiling.pools.votes import Curve, all_subsets, has_few_subsets, right_among


@dataclass(frozen=True, slots=True)
class RankedVote:
    """A vote by rank; see `executor.answers.voting.vote`.

    Attributes:
        vote: rule of choice among the kept samples: `majority`, `weighted` or `borda`.
        keep: share of the answered samples that vote; 1 for `borda`.
        power: power of Borda votes.
    """

    vote: Vote
    keep: float = 1.0
    power: float = 1.0

    def weights(self, scores: Floats, answered: Bools, drawn: Floats) -> Floats:
        """Return the weight of each sample in each draw, shape `(draws, n)`; -1 if it has no vote.

        Args:
            scores: score of each sample, shape `(n,)`.
            answered: whether each sample has an answer, shape `(n,)`.
            drawn: 1 for each drawn sample, else 0; shape `(draws, n)`.
        """
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        begins = np.searchsorted(-ranked, -ranked, side="left")
        ends = np.searchsorted(-ranked, -ranked, side="right")
        voters = drawn if self.vote is Vote.BORDA else drawn * answered
        # Drawn samples with a higher score, and with one at least as high, shape (draws, n).
        counted = np.cumsum(voters[:, order], axis=1, dtype=np.int64)
        counted = np.concatenate([np.zeros((len(drawn), 1), np.int64), counted], axis=1)
        above, reached, total = counted[:, begins], counted[:, ends], counted[:, -1:]
        if self.vote is Vote.BORDA:
            weight = _borda(above, reached, total, self.power)
        else:
            places = np.array([kept(n, self.keep) for n in range(len(scores) + 1)])
            own = ranked if self.vote is Vote.WEIGHTED else np.ones(len(scores))
            weight = np.where(above < places[total], own, -1.0)
        found = np.empty_like(weight)
        found[:, order] = weight
        return np.where((drawn > 0) & answered, found, -1.0)

    def won(self, ballots: Ballots, scores: Floats, drawn: Floats) -> Floats:
        """Return the share of the vote that right answers win, for each draw, shape `(draws,)`."""
        weights = self.weights(scores, ballots.index < len(ballots.sizes), drawn)
        return ballots.won_by(np.maximum(weights, 0.0), (weights >= 0).astype(np.float64))


def _borda(above: Ints, reached: Ints, total: Ints, power: float) -> Floats:
    """Return Borda votes; samples with equal scores share those of their places."""
    sums = np.cumsum(np.arange(total.max() + 1, dtype=np.float64) ** power)
    if power == 0:
        sums -= 1.0  # 0 ** 0 is 1, and no place has the rank 0
    shared = np.maximum(reached - above, 1)
    return np.asarray((sums[total - above] - sums[total - reached]) / shared)


def ranked(
    ballots: Ballots,
    scores: Floats,
    ks: Ints,
    rule: RankedVote,
    *,
    orders: int,
    random_state: int,
    part: ClassPart | None = None,
) -> Curve:
    """Return the accuracy of a vote by rank.

    It is exact if there are at most `orders` subsets of size k.

    Args:
        ballots: the answers.
        scores: finite, nonnegative scores of the samples, shape `(n,)`.
        ks: sizes of the draws, shape `(ks,)`.
        rule: the vote.
        orders, random_state, part: see `profiling.pools.votes.weighted`.
    """
    settled = ballots.settled(ks, part)
    if settled is not None:
        return Curve.exact(settled)
    n = len(ballots)
    accuracy, variance = np.zeros((2, len(ks)))
    few = np.array([has_few_subsets(n, k, orders) for k in ks.tolist()])
    for column, k in enumerate(ks.tolist()):
        if few[column]:
            drawn = all_subsets(n, k)
            odds = 1.0 if part is None else part.odds[right_among(drawn, part.correct), k]
            accuracy[column] = min(float((rule.won(ballots, scores, drawn) * odds).mean()), 1.0)
    if not few.all():
        rng = np.random.default_rng(random_state)
        won = []
        for order in random_orders(n, orders, rng, part):
            place = np.argsort(order, axis=1)
            draws = [(place < k).astype(np.float64) for k in ks[~few].tolist()]
            won.append([rule.won(ballots, scores, drawn) for drawn in draws])
        shares = np.concatenate(won, axis=1)  # (ks, orders)
        accuracy[~few] = shares.mean(axis=1)
        variance[~few] = shares.var(axis=1, ddof=1) / orders
    return Curve(accuracy, variance)
