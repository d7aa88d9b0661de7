"""Reliability bins: what they hold, and that their intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from profiling.pass_rate import PassRate
from profiling.reliability import BINS, reliability

SHARES = arrays(np.float64, 30, elements=st.floats(0, 1))


@given(SHARES, SHARES, arrays(np.int64, 30, elements=st.integers(0, 6)))
def test_every_prediction_is_in_one_bin_and_means_are_kept(
    predicted: np.ndarray, right: np.ndarray, problem: np.ndarray
) -> None:
    bins = reliability(predicted, right, problem)
    assert sum(one.predictions for one in bins) == 30
    assert sum(one.predictions * one.predicted for one in bins) == pytest.approx(predicted.sum())
    assert sum(one.predictions * one.right for one in bins) == pytest.approx(right.sum())
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)
    for one in bins:
        assert 0 <= one.low <= one.right <= one.high <= 1
        assert one.problems <= one.predictions


def test_one_prediction_a_problem_has_jeffreys_interval() -> None:
    right = np.array([True] * 3 + [False] * 7)
    (only,) = reliability(np.full(10, 0.25), right, np.arange(10))
    assert (only.low, only.high) == pytest.approx(PassRate(3, 10).interval())


def test_many_predictions_of_few_problems_say_no_more_than_the_problems() -> None:
    """Copies of ten problems' outcomes are ten outcomes."""
    right = np.array([True] * 3 + [False] * 7)
    (once,) = reliability(np.full(10, 0.25), right, np.arange(10))
    (often,) = reliability(np.full(400, 0.25), np.tile(right, 40), np.tile(np.arange(10), 40))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert (often.predictions, often.problems) == (400, 10)


def test_the_ends_of_the_scale_are_in_the_outer_bins() -> None:
    found = reliability(np.array([0.0, 1.0]), np.array([0.0, 1.0]), np.array([0, 1]))
    assert [one.predicted for one in found] == [0.0, 1.0]
    assert len(found) < BINS


def test_intervals_cover_where_samples_of_a_problem_go_together() -> None:
    """Twenty samples of each of thirty problems, whose chances differ around 0.35."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        chances = rng.beta(1.4, 2.6, size=30)
        right = rng.random((30, 20)) < chances[:, None]
        (only,) = reliability(np.full(600, 0.35), right.ravel(), np.repeat(np.arange(30), 20))
        covered += only.low <= 0.35 <= only.high
    assert covered >= 0.95 * 200


def test_nothing_has_no_bins() -> None:
    empty = np.array([])
    assert reliability(empty, empty, np.array([], dtype=np.int64)) == []
