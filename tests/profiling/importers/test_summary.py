"""Shares of records that are alike within a problem, with intervals that know it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiling.importers.summary import clustered_share
from profiling.pass_rate import PassRate


@given(st.lists(st.booleans(), min_size=2, max_size=60).filter(lambda c: 0 < sum(c) < len(c)))
def test_one_record_a_problem_has_nearly_jeffreys_interval(correct: list[bool]) -> None:
    """The variance between m problems is m / (m - 1) of that of m independent records."""
    found = clustered_share([[c] for c in correct])
    plain = PassRate(sum(correct), len(correct)).interval()
    assert found.value == pytest.approx(np.mean(correct))
    slack = 2 / len(correct)
    assert plain[0] - slack < found.low <= plain[0] + 1e-9
    assert plain[1] - 1e-9 <= found.high < plain[1] + slack


@given(st.lists(st.booleans(), min_size=3, max_size=40), st.integers(2, 5))
def test_copies_of_a_record_make_no_interval_narrower(correct: list[bool], copies: int) -> None:
    once = clustered_share([[c] for c in correct])
    again = clustered_share([[c] * copies for c in correct])
    assert (again.value, again.low, again.high) == pytest.approx((once.value, once.low, once.high))


def test_independent_records_make_it_narrower() -> None:
    rng = np.random.default_rng(0)
    few = clustered_share([[bool(c)] for c in rng.random(500) < 0.4])
    many = clustered_share([list(map(bool, c)) for c in rng.random((500, 8)) < 0.4])
    assert many.high - many.low < (few.high - few.low) / 2


def test_its_coverage_is_about_what_it_says_where_problems_differ() -> None:
    """Two records of each of 60 problems, pass@1 uniform: the mean is 1/2."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        chance = rng.random((60, 1))
        found = clustered_share((rng.random((60, 2)) < chance).tolist())
        covered += found.low <= 0.5 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize("right", [True, False])
def test_where_all_are_alike_a_problem_counts_once(right: bool) -> None:
    found = clustered_share([[right] * 8] * 5)
    assert (found.low, found.high) == PassRate(5 * right, 5).interval()
