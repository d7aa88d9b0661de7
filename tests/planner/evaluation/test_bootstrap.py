"""Intervals by resampling problems: their width, their problems, and what they are of."""

from __future__ import annotations

import numpy as np
import pytest

from planner.evaluation.bootstrap import Interval, Problems

RNG = np.random.default_rng(0)


def test_the_interval_is_that_of_the_mean() -> None:
    names = [str(index) for index in range(400)]
    values = RNG.normal(0.3, 1.0, 400)
    found = Problems([names]).mean([values])
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)


def test_what_was_done_on_one_problem_goes_together() -> None:
    """The same values twice on the same problems are no more evidence than once."""
    names = [str(index) for index in range(100)]
    values = RNG.normal(size=100)
    once = Problems([names]).mean([values])
    same = Problems([names, names]).mean([values, values])
    other = Problems([names, [f"other {name}" for name in names]]).mean([values, values])
    assert (same.low, same.high) == pytest.approx((once.low, once.high))
    assert other.high - other.low < 0.8 * (same.high - same.low)


def test_pairs_are_weighted_by_their_problems() -> None:
    one, two = np.ones(30), np.zeros(10)
    problems = Problems([[f"a{i}" for i in range(30)], [f"b{i}" for i in range(10)]])
    assert problems.mean([one, two]).value == pytest.approx(0.75)
    assert problems.means([one, two]).mean() == pytest.approx(0.75, abs=0.01)


def test_infinite_draws_count_and_those_of_nothing_do_not() -> None:
    found = Interval.from_draws(1.0, np.array([np.nan, 1.0, 2.0, 3.0]))
    assert 1.0 <= found.low <= found.high <= 3.0
    found = Interval.from_draws(
        1.0, np.array([np.nan, *np.linspace(1, 2, 90), *np.full(10, np.inf)])
    )
    assert 1.0 <= found.low <= 1.1
    assert found.high == np.inf
    assert np.isnan(Interval.from_draws(1.0, np.array([np.nan])).low)
