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


def of(table: Floats) -> Differences:
    """With the measured means as estimates."""
    return Differences.of(table, table.mean(axis=0))


def drawn(table: Floats, problems: int, draws: int = DRAWS) -> Floats:
    return of(table).draw(problems, draws, np.random.default_rng(0))


def test_of_two_strategies_the_difference_is_student_t() -> None:
    """Mean, half a problem of either disagreement, and both errors: of the mean and of sampling."""
    table = np.array([(1, 0), (0, 1), (0, 1), *[(1, 1)] * 9, *[(0, 0)] * 8], dtype=float)
    seen, further = len(table), 50
    apart = table[:, 1] - table[:, 0]
    squares = float(((apart - apart.mean()) ** 2).sum()) + 2 * 0.5
    scale = sqrt(squares / (seen - 1) * (1 / seen + 1 / further))
    values = drawn(table, further)[:, 0]
    exact = student(seen - 1, loc=apart.mean(), scale=scale)
    assert kstest(values, exact.cdf).statistic < 1.9 / sqrt(DRAWS)  # of a chance below .002


def test_covariances_are_those_of_the_measured_problems() -> None:
    rng = np.random.default_rng(1)
    table = (rng.random((400, 1)) + 0.1 * rng.standard_normal((400, 4)) * [1, 1, 2, 3]).clip(0, 1)
    found = of(table)
    apart = table[:, 1:] - table[:, :1]
    departures = (np.eye(3) + 1) / 4 / 399
    assert found.spread == pytest.approx(np.cov(apart.T) + departures)
    values = found.draw(50, DRAWS, rng)
    expected = found.spread * (1 / 50 + 1 / 400) * 399 / 397
    assert np.cov(values.T) == pytest.approx(expected, rel=0.05, abs=4e-5)


@pytest.mark.parametrize("strategies", [2, 5, 40])
def test_strategies_that_always_agreed_may_still_part(strategies: int) -> None:
    """A problem in K departs alone; the more problems agreed, the less likely is it."""
    few, many = (
        drawn(np.repeat(np.arange(seen)[:, None] % 2, strategies, axis=1).astype(float), 50)
        for seen in (20, 80)
    )
    assert few.std() > many.std() > 0
    assert few.mean() == pytest.approx(0, abs=0.01)


def test_expected_differences_are_those_of_the_estimates() -> None:
    table = np.array([(1, 0), (0, 1), (0, 1), (1, 1)], dtype=float)
    found = Differences.of(table, np.array([0.6, 0.65]))
    assert found.mean == pytest.approx([0.05])
    values = found.draw(30, DRAWS, np.random.default_rng(0))
    assert np.median(values) == pytest.approx(0.05, abs=0.01)


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=8), st.integers(1, 60))
def test_draws_are_finite_differences_however_few_the_problems(
    rows: list[tuple[float, ...]], problems: int
) -> None:
    values = drawn(np.array(rows), problems, 200)
    assert values.shape == (200, 3)
    assert np.isfinite(values).all() and (abs(values) <= 1).all()
