"""Votes along random orders: each prefix voted on for real."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, group, vote
from profiling.pools.ballots import Ballots
from profiling.pools.vote_orders import shares_in

GRADER = MathGrader()  # never needs its child: the answers are whole numbers
ANSWERS = [None, "1", "2", "3", "4"]
RIGHT = "1"

# Few values, zero among them: classes are often as heavy as each other. Eighths add up exactly.
samples = st.lists(
    st.tuples(st.sampled_from(ANSWERS), st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0])),
    min_size=2,
    max_size=12,
)


def ballots_of(answers: list[str | None]) -> Ballots:
    correct = np.array([answer == RIGHT for answer in answers])
    return Ballots.of(np.array(group(answers, GRADER)), correct)


@given(samples, st.integers(0, 1000), st.sampled_from([1.0, 2.0**-60]))
def test_each_prefix_of_an_order_is_decided_as_the_executor_votes(
    pairs: list[tuple[str | None, float]], seed: int, scale: float
) -> None:
    """Where heavier or larger classes decide, to the letter; equal ones share."""
    answers, scores = [a for a, _ in pairs], np.array([s * scale for _, s in pairs])
    ballots = ballots_of(answers)
    assume(ballots.right.any() and not ballots.right.all())
    n = len(pairs)
    order = np.random.default_rng(seed).random((3, n)).argsort(axis=1)
    shares = shares_in(ballots, scores[None], np.arange(1, n + 1), order)[0]
    for number, one in enumerate(order):
        for k in range(1, n + 1):
            # Whoever comes first wins among equals: so every answer's samples come first once.
            first = [
                sorted(one[:k], key=lambda i, a=answer: answers[i] != a) for answer in ANSWERS[1:]
            ]
            chosen = {
                drawn[vote([answers[i] for i in drawn], scores[drawn].tolist(),
                           Vote.WEIGHTED, GRADER)]
                for drawn in first
            }  # fmt: skip
            winners = {answers[i] for i in chosen}
            assert shares[k - 1, number] == (RIGHT in winners) / len(winners)
