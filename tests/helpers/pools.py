"""Small pools, and votes among every ordered draw from them."""

from __future__ import annotations

import itertools

import numpy as np

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, vote
from executor.strategy import Score
from profiling.pools.replay import Pool

GRADER = MathGrader()  # never needs its child: the answers are whole numbers
RIGHT = "1"


def pool_of(pairs: list[tuple[str | None, float]]) -> Pool:
    answers = [answer for answer, _ in pairs]
    scores = np.array([score for _, score in pairs])
    return Pool(
        correct=np.array([answer == RIGHT for answer in answers]),
        answer_class=np.array([-1 if a is None else answers.index(a) for a in answers]),
        scores={Score.LAST: scores, Score.MIN: np.ones(len(pairs))},
        tokens=np.ones(len(pairs), dtype=np.int64),
        step_tokens=np.array([1]),
        step_samples=np.array([len(pairs)]),
    )


def by_hand(
    pairs: list[tuple[str | None, float]],
    k: int,
    method: Vote | None,
    *,
    keep: float = 1.0,
    power: float = 1.0,
) -> float:
    """The mean over every ordered draw of k samples, as the executor votes on them."""
    won = []
    for drawn in itertools.permutations(pairs, k):
        answers, scores = [a for a, _ in drawn], [s for _, s in drawn]
        if method is None:
            won.append(RIGHT in answers)
        else:
            voted = None if method is Vote.MAJORITY and keep == 1 else scores
            chosen = vote(answers, voted, method, GRADER, keep=keep, power=power)
            won.append(answers[chosen] == RIGHT)
    return sum(won) / len(won)
