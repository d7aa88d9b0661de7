"""Plans beside a fixed strategy: at its tokens, and at its accuracy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from executor.strategy import Majority, key
from planner.evaluation.comparison import running
from planner.evaluation.crossfit import Run
from planner.evaluation.exchange import exchange, mix_for_tokens, tokens_for
from tests.helpers.arena import arena_of

CHANCES = {Majority(4): 0.5, Majority(16): 0.5}
MAJORITY = running(lambda arena, n: arena.fixed(key(Majority(n))))
ARENA = arena_of({"easy": CHANCES}, {"easy": 40}, [{"all": CHANCES}, {"all": CHANCES}])


def routed(*points: tuple[float, float]) -> dict[int, Run]:
    """Plans of budgets 1, 2, ...: accuracy above that of majority of 16, and tokens."""
    own = ARENA.score(ARENA.fixed(key(Majority(16))))
    return {n: Run(own + more, np.full(40, tokens), None)
            for n, (more, tokens) in enumerate(points, start=1)}  # fmt: skip


def test_a_plan_is_read_at_equal_tokens_and_at_equal_accuracy() -> None:
    arena = replace(ARENA, routed=routed((-0.1, 400.0), (0.1, 2000.0)))
    row = exchange([arena], "it", MAJORITY, 16, (1, 2))
    assert (row.against, row.budget, row.arenas) == ("it", 16, 1)
    assert row.accuracy.value == pytest.approx(0.05)  # at 1600 of 400 to 2000 tokens
    assert row.spent.value == pytest.approx(1.0)
    assert row.tokens.value == pytest.approx(0.75)  # 1200 of 1600 tokens
    assert row.kept.value == pytest.approx(0.0, abs=1e-9)
    assert row.tokens.low == pytest.approx(0.75) and row.reached == 1.0


def test_an_accuracy_that_is_not_reached_is_answered_by_the_most_accurate_plan() -> None:
    arena = replace(ARENA, routed=routed((-0.1, 400.0), (-0.05, 2000.0)))
    row = exchange([arena], "it", MAJORITY, 16, (1, 2))
    assert row.reached == 0.0
    assert row.tokens.value == pytest.approx(1.25)
    assert row.kept.value == pytest.approx(-0.05)
    assert row.accuracy.value == pytest.approx(-0.0625)


def test_a_rule_that_costs_less_than_every_plan_is_answered_by_the_cheapest() -> None:
    arena = replace(ARENA, routed=routed((0.1, 3200.0), (0.2, 4800.0)))
    row = exchange([arena], "it", MAJORITY, 16, (1, 2))
    assert row.accuracy.value == pytest.approx(0.1)
    assert row.spent.value == pytest.approx(2.0)


def test_places_on_the_curve_are_not_chosen_by_the_problems_that_judge_them() -> None:
    """Plans that differ from the strategy by noise alone gain nothing; in hindsight they do."""
    rng = np.random.default_rng(0)
    gained, spared = [], []
    for _ in range(200):
        own = rng.random(40)
        fold = np.arange(40) % 2
        arena = replace(
            ARENA,
            folds=fold,
            accuracy=np.column_stack([own, own]),
            routed={n: Run(own + rng.normal(0, 0.3, 40), np.full(40, 1600.0), None)
                    for n in range(1, 9)},
        )  # fmt: skip
        row = exchange([arena], "it", MAJORITY, 16, range(1, 9))
        gained.append(row.accuracy.value)
        spared.append(row.kept.value)
    error = 0.3 / np.sqrt(40 * 200)
    assert abs(np.mean(gained)) < 4 * error
    assert abs(np.mean(spared)) < 4 * error


def test_a_rule_that_nobody_can_run_is_left_out() -> None:
    assert exchange([ARENA], "it", lambda a, n: None, 16, (4, 16)) is None


def test_one_fold_leaves_nothing_to_choose_by() -> None:
    alone = replace(ARENA, folds=np.zeros(40, dtype=np.intp))
    assert exchange([alone], "it", MAJORITY, 16, (4, 16)) is None


@pytest.mark.parametrize(("cost", "accuracy"), [(100.0, 0.5), (150.0, 0.55), (900.0, 0.7)])
def test_a_curve_is_read_at_a_cost(cost: float, accuracy: float) -> None:
    points = np.array([0.5, 0.6, 0.7]), np.array([100.0, 200.0, 300.0])
    mix = mix_for_tokens(cost, *points)
    assert mix is not None and mix.of(points[0]) == pytest.approx(accuracy)
    assert mix_for_tokens(99.0, *points) is None


@pytest.mark.parametrize(
    ("target", "tokens"), [(0.5, 100.0), (0.55, 150.0), (0.6, 200.0), (0.65, 250.0), (0.7, 300.0)]
)
def test_a_curve_is_read_between_its_points(target: float, tokens: float) -> None:
    accuracy, spent = np.array([0.7, 0.6, 0.5]), np.array([300.0, 200.0, 100.0])
    assert tokens_for(target, accuracy, spent) == pytest.approx(tokens)
    assert np.isinf(tokens_for(0.71, accuracy, spent))


def test_of_several_places_the_cheapest_counts() -> None:
    accuracy, spent = np.array([0.6, 0.4, 0.8]), np.array([500.0, 100.0, 300.0])
    assert tokens_for(0.6, accuracy, spent) == pytest.approx(200.0)
