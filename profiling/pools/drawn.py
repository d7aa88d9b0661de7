"""The vote of some samples that were drawn, rather than its expectation over all draws."""

from __future__ import annotations

import numpy as np

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Strategy
from profiling.arrays import Floats, Ints
from profiling.pools.ballots import Ballots
from profiling.pools.ranked import RankedVote
from profiling.pools.replay import Pool


def part(pool: Pool, chosen: Ints) -> Pool:
    """Some samples of a pool, without the cost of their steps."""
    nothing = np.zeros(0, dtype=np.int64)
    return Pool(
        correct=pool.correct[chosen],
        answer_class=pool.answer_class[chosen],
        scores={score: values[chosen] for score, values in pool.scores.items()},
        tokens=pool.tokens[chosen],
        step_tokens=nothing,
        step_samples=nothing,
        cut=None if pool.cut is None else pool.cut[chosen],
        further=pool.further,
    )


def voted(drawn: Pool, strategy: Strategy) -> float:
    """Correctness of a vote among all of some samples; answers that are equally good share."""
    if not isinstance(strategy, BestOfN):
        return _shares(drawn, np.ones(len(drawn)))
    scores = drawn.scores[strategy.score]
    if strategy.vote is Vote.MAX:
        answered = drawn.answer_class >= 0
        best = np.where(answered, scores, -np.inf)
        right = drawn.correct & answered
        return float(right[best == best.max()].mean())
    every = np.ones((1, len(drawn)))
    how = RankedVote(strategy.vote, strategy.keep, strategy.power)
    return _shares(drawn, how.weights(scores, drawn.answer_class >= 0, every)[0])


def _shares(drawn: Pool, weights: Floats) -> float:
    """Return the correctness of a vote; samples with a weight below 0 have none."""
    votes = weights >= 0
    if not (votes & (drawn.answer_class >= 0)).any():
        return 0.0
    voting = votes[None].astype(np.float64)
    levels = Ballots.by_worth(drawn.answer_class, drawn.correct)
    return sum(
        worth * float(ballots.won(np.maximum(weights, 0.0), voting)[0]) for worth, ballots in levels
    )
