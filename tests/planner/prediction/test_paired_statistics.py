"""Paired differences: the moments and the interval by hand, and with agreement everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planner.prediction.paired_statistics import paired_interval, paired_moments


def test_the_moments_by_hand() -> None:
    """Two more right, one fewer, one equal; half a problem in each cell makes six."""
    centre, error = paired_moments(np.array([1.0, 1.0, -1.0, 0.0]))
    assert centre == pytest.approx(1 / 6)
    assert error == pytest.approx(math.sqrt(4 - 1 / 6) / 6)


def test_runs_that_agree_everywhere_have_an_interval_around_zero() -> None:
    low, high = paired_interval(np.zeros(98))
    assert low == pytest.approx(-high) == pytest.approx(-1.959964 / 100)


def test_a_lower_level_is_a_narrower_interval_within_the_possible() -> None:
    differences = np.ones(3)
    wide, narrow = paired_interval(differences), paired_interval(differences, 0.5)
    assert -1 <= wide[0] < narrow[0] < narrow[1] < wide[1] <= 1
