"""What page and cards stand on: intervals, and choices judged where they were not made."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def matrix(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("matrix")


def test_an_accuracys_interval_covers_the_mean_as_often_as_it_says(matrix: ModuleType) -> None:
    rng = np.random.default_rng(0)
    for p in (0.02, 0.3, 0.9):
        covered = 0
        for _ in range(400):
            low, high = matrix.accuracy_interval((rng.random(100) < p).astype(float))
            covered += low <= p <= high
        assert covered >= 0.93 * 400


def test_problems_that_all_agree_still_leave_room(matrix: ModuleType) -> None:
    low, high = matrix.accuracy_interval(np.ones(60))
    assert high == 1 and 0.9 < low < 0.96
    assert matrix.Difference.of(np.zeros(60), np.zeros(60)).told == "not told apart from"


@pytest.mark.parametrize("share", [0.01, 0.05, 0.4])
def test_equal_strategies_are_rarely_told_apart(matrix: ModuleType, share: float) -> None:
    """Two strategies that differ on few problems, each as often better as the other."""
    rng = np.random.default_rng(1)
    told = 0
    for _ in range(1000):
        differ = rng.random(400) < share
        first = rng.random(400) < 0.5
        one = np.where(differ, first, 0).astype(float)
        other = np.where(differ, ~first, 0).astype(float)
        told += matrix.Difference.of(one, other).told != "not told apart from"
    assert told <= 60


def test_a_difference_that_is_there_is_told_and_more_looks_ask_for_more(
    matrix: ModuleType,
) -> None:
    better, worse = np.array([1.0] * 14 + [0.0] * 86), np.array([0.0] * 12 + [1.0] * 2 + [0.0] * 86)
    one, many = (matrix.Difference.of(better, worse, looks) for looks in (1, 800))
    assert one.value == many.value == pytest.approx(0.12)
    assert one.told == "above" and matrix.Difference.of(worse, better).told == "below"
    assert many.low < one.low and many.told == "not told apart from"


def test_a_choice_is_judged_on_problems_that_did_not_make_it(matrix: ModuleType) -> None:
    # Each half has a strategy that shines there alone, as noise does.
    accuracy = pd.DataFrame({"a": [1.0, 0.0] * 4, "b": [0.0, 1.0] * 4, "c": [0.4] * 8})
    choice = matrix.choose(accuracy, pd.Series({"a": 1.0, "b": 1.0, "c": 1.0}))
    assert choice.judge(accuracy).tolist() == [0.0] * 8
    assert set(choice.strategies) == {"a", "b"}


def test_of_equally_good_strategies_the_cheapest_is_chosen(matrix: ModuleType) -> None:
    accuracy = pd.DataFrame({"a": [1.0] * 6, "b": [1.0] * 6, "c": [0.995] * 6, "d": [0.5] * 6})
    flops = pd.Series({"a": 5.0, "b": 3.0, "c": 2.0, "d": 1.0})
    assert matrix.choose(accuracy, flops).strategies == ("b", "b")
    cheap = matrix.choose(accuracy, flops, slack=0.01)
    assert (cheap.strategies, cheap.flops) == (("c", "c"), 2.0)
    assert cheap.names() == "c"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("greedy", "greedy"),
        ("majority(n=16)", "majority@16"),
        ("best_of_n(n=64,score=last,vote=max)", "best_of_n@64 last/max"),
        ("dvts(n=4,width=4,score=last,vote=weighted)", "dvts@4 last/weighted"),
    ],
)
def test_a_strategy_has_a_short_name(matrix: ModuleType, key: str, name: str) -> None:
    assert matrix.short(key) == name
