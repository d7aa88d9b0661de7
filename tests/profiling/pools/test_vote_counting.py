"""Majority by counting: against every subset of small pools, and against closed forms of large."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from profiling.pools.ballots import Ballots
from profiling.pools.vote_counting import MOST_COUNTED, counted_majority


def ballots_of(sizes: list[int], right: list[bool], unanswered: int = 0) -> Ballots:
    """A pool of classes of these sizes."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    correct = np.repeat(right, sizes)
    return Ballots.of(
        np.concatenate([of, np.full(unanswered, -1)]),
        np.concatenate([correct, np.zeros(unanswered, dtype=bool)]),
    )


@given(
    st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=2, max_size=6),
    st.integers(0, 3),
)
def test_counted_is_the_mean_over_all_subsets(
    classes: list[tuple[int, bool]], unanswered: int
) -> None:
    sizes, right = [size for size, _ in classes], [one for _, one in classes]
    n = sum(sizes) + unanswered
    assume(any(right) and not all(right) and n <= 12)
    member = np.repeat(np.eye(len(sizes) + 1), [*sizes, unanswered], axis=0)[:, :-1]
    expected = []
    for k in range(1, n + 1):
        drawn = [member[list(subset)].sum(axis=0) for subset in itertools.combinations(range(n), k)]
        votes = np.array(drawn)
        winners = (votes == votes.max(axis=1, keepdims=True)) & (votes > 0)
        shares = (winners & right).sum(axis=1) / np.maximum(winners.sum(axis=1), 1)
        expected.append(shares.mean())
    found = counted_majority(ballots_of(sizes, right, unanswered))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("right", "wrong"), [(3, 2), (128, 128), (100, 156), (400, 600)])
def test_two_answers_are_a_hypergeometric_tail(right: int, wrong: int) -> None:
    """Right wins with more than half of the k drawn; of just half, one time in two."""
    n = right + wrong
    ks = np.arange(1, n + 1)
    half = ks / 2
    expected = hypergeom.sf(np.floor(half), n, right, ks)
    even = ks % 2 == 0
    expected[even] += hypergeom.pmf(half[even], n, right, ks[even]) / 2
    found = counted_majority(ballots_of([right, wrong], [True, False]))
    assert found == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize(("classes", "size"), [(200, 1), (60, 2), (50, 4), (6, 40), (2, 500)])
def test_of_equally_large_answers_each_wins_as_often(classes: int, size: int) -> None:
    """Many rivals, and ties of many: at every k each has the same chance."""
    assert classes * size <= MOST_COUNTED
    found = counted_majority(ballots_of([size] * classes, [True] + [False] * (classes - 1)))
    assert found == pytest.approx(np.full(classes * size, 1 / classes), abs=1e-13)


def test_samples_without_an_answer_only_take_places() -> None:
    """With one right and one wrong sample, whoever is drawn alone wins, and both share."""
    n = 100
    found = counted_majority(ballots_of([1, 1], [True, False], n - 2))
    ks = np.arange(1, n + 1)
    alone, both = ks * (n - ks), ks * (ks - 1) / 2
    assert found == pytest.approx((alone + both) / (n * (n - 1)), abs=1e-13)
