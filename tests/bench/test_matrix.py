"""What page and cards stand on: intervals, and choices judged where they were not made."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as a module."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    monkeypatch.delitem(sys.modules, "matrix", raising=False)
    import matrix  # type: ignore[import-not-found]

    return matrix


def test_an_interval_covers_the_mean_as_often_as_it_says(matrix: ModuleType) -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        e = matrix.estimate((rng.random(100) < 0.3).astype(float))
        covered += e.low <= 0.3 <= e.high
    assert covered >= 180


def test_problems_that_all_agree_still_leave_room(matrix: ModuleType) -> None:
    e = matrix.estimate(np.ones(60))
    assert e.value == 1 and e.low == pytest.approx(1 - 3 / 60, abs=0.001)
    assert matrix.told(matrix.estimate(np.zeros(60))) == "not told apart from"


def test_a_choice_is_judged_on_problems_that_did_not_make_it(matrix: ModuleType) -> None:
    # Each half has a strategy that shines there alone, as noise does.
    accuracy = pd.DataFrame({"a": [1.0, 0.0] * 4, "b": [0.0, 1.0] * 4, "c": [0.4] * 8})
    choice = matrix.choose(accuracy, pd.Series({"a": 1.0, "b": 1.0, "c": 1.0}))
    assert choice.judged.tolist() == [0.0] * 8
    assert set(choice.strategies) == {"a", "b"}


def test_of_equally_good_strategies_the_cheapest_is_chosen(matrix: ModuleType) -> None:
    accuracy = pd.DataFrame({"a": [1.0] * 6, "b": [1.0] * 6, "c": [0.995] * 6, "d": [0.5] * 6})
    flops = pd.Series({"a": 5.0, "b": 3.0, "c": 2.0, "d": 1.0})
    assert matrix.choose(accuracy, flops).strategies == ("b",)
    cheap = matrix.choose(accuracy, flops, slack=0.01)
    assert (cheap.strategies, cheap.flops) == (("c",), 2.0)


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
