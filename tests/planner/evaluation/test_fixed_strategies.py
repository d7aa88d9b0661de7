"""Fixed strategies: chosen in hindsight, and chosen on the problems of other folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from executor.strategy import BestOfN, Greedy, Majority, key
from planner.evaluation.crossfit import Arena, Indices
from planner.evaluation.fixed_strategies import best_own, best_single, trained_own, trained_single
from tests.helpers.arena import arena_of

RIGHT = {"all": {Greedy(): 0.4, Majority(4): 0.6, Majority(16): 1.0}}


def names(arena: Arena, picked: Indices) -> list[str]:
    return [arena.strategies[index] for index in picked]


def test_the_best_single_strategy_is_of_all_arenas_and_its_own_of_one() -> None:
    one = arena_of({"easy": {Greedy(): 1.0, Majority(4): 0.0}}, {"easy": 5}, [RIGHT])
    other = arena_of({"easy": {Greedy(): 0.0, Majority(4): 1.0, BestOfN(4): 1.0}}, {"easy": 9},
                     [RIGHT])  # fmt: skip
    assert best_single([one, other], 4) == key(Majority(4))
    assert best_single([one, other], 1) == "greedy"
    assert set(names(one, best_own(one, 4))) == {"greedy"}
    apart = arena_of({"easy": {BestOfN(4): 1.0}}, {"easy": 5}, [RIGHT])
    with pytest.raises(ValueError, match="no strategy"):
        best_single([one, apart], 4)


def in_two_folds(greedy: list[float], majority: list[float]) -> Arena:
    """The first half of the problems is held out in fold 0, the second in fold 1."""
    count = len(greedy)
    arena = arena_of({"easy": {Greedy(): 1.0, Majority(4): 0.0}}, {"easy": count}, [RIGHT, RIGHT])
    accuracy = np.empty((count, 2))
    accuracy[:, arena.strategies.index("greedy")] = greedy
    accuracy[:, arena.strategies.index(key(Majority(4)))] = majority
    return replace(arena, accuracy=accuracy, folds=np.repeat([0, 1], count // 2))


def test_what_training_chose_is_blind_to_the_problems_that_it_is_judged_by() -> None:
    arena = in_two_folds([1, 1, 0, 0], [0, 0, 1, 1])  # each is best in one fold
    assert names(arena, best_own(arena, 1)) == ["greedy"] * 4
    assert names(arena, trained_own(arena, 4)) == [key(Majority(4))] * 2 + ["greedy"] * 2
    assert arena.score(trained_own(arena, 4)).mean() == 0.0


def test_one_strategy_for_all_pairs_is_chosen_over_all_of_them() -> None:
    much = in_two_folds([1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0])
    little = in_two_folds([0, 0], [1, 1])
    for arena, picked in zip([much, little], trained_single([much, little], 4), strict=True):
        assert set(names(arena, picked)) == {"greedy"}
    assert set(names(little, trained_own(little, 4))) == {key(Majority(4))}


def test_with_one_fold_there_is_nothing_to_choose_by() -> None:
    arena = arena_of({"easy": {Greedy(): 1.0}}, {"easy": 5}, [RIGHT])
    assert trained_own(arena, 1) is None
    with pytest.raises(ValueError, match="one fold"):
        trained_single([arena], 1)
