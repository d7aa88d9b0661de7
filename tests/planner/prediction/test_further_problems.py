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
    size = np.sqrt(((apart**2).sum(axis=0) + 1) / (np.abs(apart).sum(axis=0) + 1))
    departures = (np.eye(3) + 1) / 2 / 399 * np.outer(size, size)
    assert found.spread == pytest.approx(np.cov(apart.T) + departures)
    values = found.draw(50, DRAWS, rng)
    expected = found.spread * (1 / 50 + 1 / 400) * 399 / 397
    assert np.cov(values.T) == pytest.approx(expected, rel=0.05, abs=4e-5)


@pytest.mark.parametrize("strategies", [2, 5, 40])
def test_strategies_that_always_agreed_may_still_part(strategies: int) -> None:
    """The more problems agreed, the less likely is it."""
    few, many = (
        drawn(np.repeat(np.arange(seen)[:, None] % 2, strategies, axis=1).astype(float), 50)
        for seen in (20, 80)
    )
    assert few.std() > many.std() > 0
    assert few.mean() == pytest.approx(0, abs=0.01)


def test_others_do_not_change_what_is_believed_of_some() -> None:
    rng = np.random.default_rng(2)
    table = rng.random((30, 40))
    some, every = of(table[:, :3]), of(table)
    assert every.spread[:2, :2] == pytest.approx(some.spread)
    assert every.mean[:2] == pytest.approx(some.mean)
    one, other = (found.draw(50, DRAWS, np.random.default_rng(3))[:, 0] for found in (some, every))
    assert np.quantile(one, [0.1, 0.9]) == pytest.approx(np.quantile(other, [0.1, 0.9]), abs=0.005)


def test_of_any_two_strategies_half_a_problem_is_either_disagreement() -> None:
    """As of two strategies alone (Agresti and Min)."""
    agreed = np.repeat(np.arange(20)[:, None] % 2, 7, axis=1).astype(float)
    spread = 19 * of(agreed).spread
    assert np.diag(spread) == pytest.approx(1.0)  # to the first
    pairs = np.diag(spread)[:, None] + np.diag(spread) - 2 * spread
    assert pairs[~np.eye(6, dtype=bool)] == pytest.approx(1.0)  # to each other


def test_expectations_that_differ_by_little_are_expected_to_part_by_little() -> None:
    """Differences of a tenth depart by a tenth of a problem squared, nearly; outcomes by all."""
    sign = np.where(np.arange(100) % 2 == 0, 1.0, -1.0)
    for difference, square in ((0.1, (1 + 1.0) / (1 + 10.0)), (1.0, 1.0)):
        table = 0.5 + np.column_stack([-sign, sign]) * difference / 2
        [[spread]] = 99 * of(table).spread
        assert spread == pytest.approx(100 * difference**2 + square)


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
