"""Differences on further problems: closed forms, and disagreements that were never seen."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest
from scipy.stats import t as student

from planner.prediction.further_problems import Differences
from profiling.arrays import Floats

DRAWS = 20_000


def drawn(table: Floats, problems: int, draws: int = DRAWS) -> tuple[Floats, Floats]:
    return Differences.of(table).draw(problems, draws, np.random.default_rng(0))


def test_of_two_strategies_the_difference_is_student_t() -> None:
    """Mean, half a problem of either disagreement, and both errors: of the mean and of sampling."""
    table = np.array([(1, 0), (0, 1), (0, 1), *[(1, 1)] * 9, *[(0, 0)] * 8], dtype=float)
    seen, further = len(table), 50
    apart = table[:, 1] - table[:, 0]
    squares = float(((apart - apart.mean()) ** 2).sum()) + 2 * 0.5
    scale = sqrt(squares / (seen - 1) * (1 / seen + 1 / further))
    values = drawn(table, further)[0][:, 0]
    exact = student(seen - 1, loc=apart.mean(), scale=scale)
    assert kstest(values, exact.cdf).statistic < 1.9 / sqrt(DRAWS)  # of a chance below .002


def test_covariances_are_those_of_the_measured_problems() -> None:
    rng = np.random.default_rng(1)
    table = (rng.random((400, 1)) + 0.1 * rng.standard_normal((400, 4)) * [1, 1, 2, 3]).clip(0, 1)
    found = Differences.of(table)
    apart = table[:, 1:] - table[:, :1]
    departures = (np.eye(3) + 1) / 4 / 399
    assert found.spread == pytest.approx(np.cov(apart.T) + departures)
    values, _ = found.draw(50, DRAWS, rng)
    expected = found.spread * (1 / 50 + 1 / (found.prior + 400)) * 399 / 397
    assert np.cov(values.T) == pytest.approx(expected, rel=0.05, abs=4e-5)


@pytest.mark.parametrize("strategies", [2, 5, 40])
def test_strategies_that_always_agreed_may_still_part(strategies: int) -> None:
    """A problem in K departs alone; the more problems agreed, the less likely is it."""
    few, many = (
        drawn(np.repeat(np.arange(seen)[:, None] % 2, strategies, axis=1).astype(float), 50)[0]
        for seen in (20, 80)
    )
    assert few.std() > many.std() > 0
    assert few.mean() == pytest.approx(0, abs=0.01)


def test_differences_are_shrunk_by_the_factor_of_james_and_stein() -> None:
    """Independent strategies of one accuracy: what is kept is noise, and mostly nothing is."""
    rng = np.random.default_rng(2)
    same = [Differences.of((rng.random((30, 12)) < 0.5).astype(float)) for _ in range(40)]
    assert np.mean([one.prior / (one.prior + one.seen) for one in same]) > 0.6
    table = (rng.random((60, 8)) < np.linspace(0.1, 0.9, 8)).astype(float)
    found = Differences.of(table)
    means = table.mean(axis=0)
    noise = (table.var(axis=0, ddof=0).sum() * 60 + 1) / 59 / 60 * 7 / 8  # about: independent
    factor = 1 - 5 / 7 * noise / ((means - means.mean()) ** 2).sum()
    assert found.mean == pytest.approx(factor * (means[1:] - means[0]), rel=0.03)
    assert found.mean / (means[1:] - means[0]) == pytest.approx(
        np.full(7, found.seen / (found.seen + found.prior))
    )


def test_two_strategies_are_not_shrunk() -> None:
    table = np.array([(1, 0), (0, 1), (0, 1), (1, 1)], dtype=float)
    found = Differences.of(table)
    assert (found.prior, found.mean[0]) == (0.0, pytest.approx(0.25))


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=8), st.integers(1, 60))
def test_draws_are_finite_differences_however_few_the_problems(
    rows: list[tuple[float, ...]], problems: int
) -> None:
    values, expected = drawn(np.array(rows), problems, 200)
    assert values.shape == expected.shape == (200, 3)
    assert np.isfinite(values).all() and np.isfinite(expected).all()
    assert (abs(values) <= 1).all() and (abs(expected) <= 1).all()


def test_what_is_expected_after_a_draw_lies_between_belief_and_draw() -> None:
    table = np.array([(0.7, 0.2, 0.4, 0.9), (0.1, 0.9, 0.3, 0.2), (1.0, 0.0, 0.6, 0.5)])
    found = Differences.of(table)
    values, expected = found.draw(6, 50, np.random.default_rng(0))
    weight = found.seen + found.prior
    assert expected == pytest.approx((weight * found.mean + 6 * values) / (weight + 6))
