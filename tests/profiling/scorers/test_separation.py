"""What one pool says of its problem, against counting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.strategy import Score
from profiling.pools.replay import Pool
from profiling.scorers.separation import rival_share, separation


def pool(correct: list[bool], classes: list[int], scores: list[float] | None = None) -> Pool:
    n, nothing = len(correct), np.zeros(0, dtype=np.int64)
    given = {} if scores is None else {score: np.array(scores) for score in Score}
    return Pool(np.array(correct), np.array(classes), given, np.ones(n, dtype=np.int64),
                nothing, nothing)  # fmt: skip


def test_the_rival_is_the_most_common_wrong_answer() -> None:
    # The right answer twice, one wrong one three times, another once, and two without an answer.
    correct = [True, True, False, False, False, False, False, False]
    assert rival_share(pool(correct, [0, 0, 2, 2, 2, 5, -1, -1])) == pytest.approx(3 / 8)


def test_without_a_wrong_answer_there_is_no_rival() -> None:
    assert rival_share(pool([True, True], [0, 0])) == 0.0
    assert rival_share(pool([False, False], [-1, -1])) == 0.0


@given(
    right=st.lists(st.floats(0, 1), min_size=1, max_size=8),
    wrong=st.lists(st.floats(0, 1), min_size=1, max_size=8),
)
def test_separation_is_what_all_pairs_say(right: list[float], wrong: list[float]) -> None:
    correct = [True] * len(right) + [False] * len(wrong)
    within, gap = separation(pool(correct, list(range(len(correct))), right + wrong), Score.MIN)
    pairs = [(r > w) + (r == w) / 2 for r in right for w in wrong]
    assert within == pytest.approx(np.mean(pairs))
    assert gap == pytest.approx(np.mean(right) - np.mean(wrong), abs=1e-12)


@pytest.mark.parametrize(
    ("correct", "scores"), [([True, True], [0.1, 0.2]), ([False], [0.3]), ([True, False], None)]
)
def test_one_kind_or_no_scores_say_nothing(correct: list[bool], scores: list[float] | None) -> None:
    found = separation(pool(correct, list(range(len(correct))), scores), Score.LAST)
    assert all(map(math.isnan, found))
