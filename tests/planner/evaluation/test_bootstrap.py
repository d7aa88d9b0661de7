"""Intervals by resampling problems: their width, their problems, and what they are of."""

from __future__ import annotations

import numpy as np
import pytest

from planner.evaluation.bootstrap import Interval, ProblemBootstrap, TwoWayBootstrap

RNG = np.random.default_rng(0)


def test_the_interval_is_that_of_the_mean() -> None:
    names = [str(index) for index in range(400)]
    values = RNG.normal(0.3, 1.0, 400)
    found = ProblemBootstrap([names]).mean([values])
    error = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - error, abs=0.02)
    assert found.high == pytest.approx(values.mean() + error, abs=0.02)


def test_what_was_done_on_one_problem_goes_together() -> None:
    """The same values twice on the same problems are no more evidence than once."""
    names = [str(index) for index in range(100)]
    values = RNG.normal(size=100)
    once = ProblemBootstrap([names]).mean([values])
    same = ProblemBootstrap([names, names]).mean([values, values])
    other = ProblemBootstrap([names, [f"other {name}" for name in names]]).mean([values, values])
    assert (same.low, same.high) == pytest.approx((once.low, once.high))
    assert other.high - other.low < 0.8 * (same.high - same.low)


def test_pairs_are_weighted_by_their_problems() -> None:
    one, two = np.ones(30), np.zeros(10)
    problems = ProblemBootstrap([[f"a{i}" for i in range(30)], [f"b{i}" for i in range(10)]])
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


def test_two_ways_a_difference_between_pairs_is_uncertain_too() -> None:
    """Every problem has the value of its pair: problems alone show no uncertainty at all."""
    names = [str(index) for index in range(400)]
    effects = RNG.normal(0.0, 1.0, 9)
    values = [np.full(400, effect) for effect in effects]
    problems = ProblemBootstrap([names] * 9).mean(values)
    assert problems.high - problems.low == pytest.approx(0.0, abs=1e-9)
    both = TwoWayBootstrap([names] * 9).mean(values)
    # A bootstrap of nine values: their standard deviation over three, whatever the problems.
    assert both.value == pytest.approx(effects.mean())
    assert both.high - both.low == pytest.approx(2 * 1.96 * effects.std() / 3, rel=0.1)


def test_two_ways_the_variance_is_the_sum_of_both_and_of_single_values() -> None:
    """Owen 2007, Theorem 3, in balanced data: the draws' variance is the plug-in one of rows plus
    that of columns plus, for residuals alone, three times what independent values have."""
    pairs, count = 40, 60
    names = [str(index) for index in range(count)]
    table = RNG.normal(size=(pairs, 1)) + RNG.normal(size=(1, count))
    draws = TwoWayBootstrap([names] * pairs).means(list(table))
    rows, columns = table.mean(axis=1).var() / pairs, table.mean(axis=0).var() / count
    assert draws.var() == pytest.approx(rows + columns, rel=0.1)
    noise = RNG.normal(size=(pairs, count))
    draws = TwoWayBootstrap([names] * pairs).means(list(noise))
    assert draws.var() == pytest.approx(3 * noise.var() / noise.size, rel=0.25)


def test_two_ways_with_one_pair_only_problems_vary() -> None:
    names = [str(index) for index in range(100)]
    values = [RNG.normal(size=100)]
    one, both = ProblemBootstrap([names]).mean(values), TwoWayBootstrap([names]).mean(values)
    assert (both.low, both.high) == pytest.approx((one.low, one.high))


def test_two_ways_pairs_of_unlike_size_are_weighted_by_their_problems() -> None:
    asked = [[f"a{i}" for i in range(30)], [f"b{i}" for i in range(10)]]
    found = TwoWayBootstrap(asked).mean([np.ones(30), np.zeros(10)])
    assert found.value == pytest.approx(0.75)
    assert (found.low, found.high) == (0.0, 1.0)  # either pair may be drawn twice
