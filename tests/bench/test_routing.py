"""The routing bench: how its curves are read, on curves whose answer is known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from planner.evaluation.bootstrap import TwoWayBootstrap

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from routing import foreseen, read, told

NAMES = [f"p{i}" for i in range(40)]
PROBLEMS = TwoWayBootstrap([NAMES])
FOLDS = [np.arange(40) % 5]
RIGHT = (np.arange(40) % 4 > 0).astype(float)  # 30 of 40
FIXED = ([RIGHT], [np.full(40, 100.0)])


def curve(*points: tuple[float, float]) -> list[tuple[list[np.ndarray], list[np.ndarray]]]:
    """Points of (accuracy over that of the fixed strategy, tokens), the same on every problem."""
    return [([RIGHT + more], [np.full(40, tokens)]) for more, tokens in points]


def test_a_curve_that_is_always_better_is_read_where_it_crosses() -> None:
    row = read(curve((0.1, 80.0), (-0.1, 20.0)), FIXED, PROBLEMS)
    assert row["tokens"] == pytest.approx({"value": 0.5, "low": 0.5, "high": 0.5})
    assert row["reached"] == 1.0
    assert row["at_half"]["value"] == pytest.approx(0.0)
    assert row["most_accurate"] == pytest.approx(0.1)


def test_draws_that_do_not_reach_it_are_in_the_interval() -> None:
    better = RIGHT.copy()
    better[0] = 1.0  # one problem more: in every third draw it is not there
    row = read([([better], [np.full(40, 30.0)])], ([RIGHT + 1e-9], FIXED[1]), PROBLEMS)
    assert row["tokens"]["value"] == pytest.approx(0.3)
    assert 0.5 < row["reached"] < 0.8
    assert row["tokens"]["high"] == np.inf
    row["foreseen"] = foreseen([([better], [np.full(40, 30.0)])], FIXED, FOLDS, PROBLEMS)
    assert "not reached in" in told(row)


def test_a_price_is_chosen_on_other_folds() -> None:
    """The cheap point is as accurate on all folds but the first, the dear one everywhere."""
    worse = RIGHT.copy()
    worse[FOLDS[0] == 0] -= 0.5
    points = [([worse], [np.full(40, 10.0)]), ([RIGHT], [np.full(40, 50.0)])]
    found = foreseen(points, FIXED, FOLDS, PROBLEMS)
    # The first fold is judged at the price that did well on the others; they saw what it did there.
    assert found["tokens"]["value"] == pytest.approx((8 * 10 + 32 * 50) / 40 / 100)
    assert found["accuracy"]["value"] == pytest.approx(-0.5 * 8 / 40)


def test_where_no_price_reaches_it_the_most_accurate_is_taken() -> None:
    found = foreseen(curve((-0.1, 80.0), (-0.2, 20.0)), FIXED, FOLDS, PROBLEMS)
    assert found["tokens"]["value"] == pytest.approx(0.8)
    assert found["accuracy"]["value"] == pytest.approx(-0.1)
