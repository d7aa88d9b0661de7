"""Regret: what a plan loses, and two bounds on what was to be had."""

from __future__ import annotations

import numpy as np
import pytest

from executor.strategy import Greedy, Majority
from planner.evaluation.regret import honest_oracle, regrets
from tests.helpers.arena import arena_of

TRUTH = {
    "easy": {Greedy(): 1.0, Majority(4): 0.0, Majority(16): 1.0},
    "hard": {Greedy(): 0.0, Majority(4): 1.0, Majority(16): 1.0},
}
COUNTS = {"easy": 6, "hard": 10}


def test_regret_is_the_best_in_hindsight_minus_the_plan() -> None:
    always_greedy = {"all": {Greedy(): 0.9, Majority(4): 0.1, Majority(16): 0.1}}
    arena = arena_of(TRUTH, COUNTS, [always_greedy])
    found = {r.difficulty: r for r in regrets(arena, 4, arena.planned(4))}
    assert set(found) == {"easy", "hard"}
    assert (found["easy"].plan, found["easy"].naive) == (1.0, 1.0)
    assert (found["hard"].plan, found["hard"].naive, found["hard"].honest) == (0.0, 1.0, 1.0)
    assert found["hard"].problems == 10


def test_a_best_strategy_out_of_the_budget_is_no_regret() -> None:
    truth = {"easy": {Greedy(): 0.0, Majority(16): 1.0}}
    arena = arena_of(truth, {"easy": 8}, [{"all": truth["easy"]}])
    assert next(regrets(arena, 4, arena.planned(4))).naive == 0.0
    assert next(regrets(arena, 16, arena.planned(16))).naive == 1.0


def test_oracles_bracket_the_best_strategy() -> None:
    """Of 30 strategies that are all right half the time, the naive best looks much better, and the
    honest one is no better than any."""
    rng = np.random.default_rng(0)
    naive, honest = [], []
    for _ in range(40):
        accuracy = (rng.random((40, 30)) < 0.5).astype(float)
        naive.append(accuracy.mean(axis=0).max())
        honest.append(honest_oracle(accuracy, rng).mean())
    assert np.mean(naive) > 0.62
    assert np.mean(honest) == pytest.approx(0.5, abs=0.02)
    clear = np.column_stack([np.ones(20), np.zeros(20)])
    assert honest_oracle(clear, rng).tolist() == [1.0] * 20
