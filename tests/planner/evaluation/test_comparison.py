"""The plan beside everything else: paired, on the same problems, and areas between curves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from executor.strategy import BeamSearch, BestOfN, Greedy, Majority, key
from planner.evaluation.comparison import (
    RULE_OF_THUMB,
    TOLD,
    TRAINED_OWN,
    TRAINED_SINGLE,
    against_oracle,
    area,
    compare,
    families,
    rules,
)
from planner.evaluation.crossfit import Run
from tests.helpers.arena import arena_of

CHANCES = {Greedy(): 0.2, Majority(4): 0.3, Majority(16): 0.5, BestOfN(16): 0.9}
EXPECTED = [{"all": CHANCES}]
SCORED = arena_of({"easy": CHANCES}, {"easy": 300}, EXPECTED)
PLAIN = arena_of(
    {"easy": {Greedy(): 0.6, Majority(4): 0.6, Majority(16): 0.7}}, {"easy": 100},
    [{"all": {Greedy(): 0.6, Majority(4): 0.6, Majority(16): 0.7}}], prm=None, prefix="plain ",
)  # fmt: skip
BOTH = [SCORED, PLAIN]


def test_a_comparison_is_paired_and_over_those_that_can_run_it() -> None:
    named = rules(BOTH, 16)
    everywhere = compare(BOTH, "majority", named["majority of 16"], 16)
    assert everywhere.arenas == 2
    ours = np.concatenate([a.score(a.planned(16)) for a in BOTH])
    theirs = np.concatenate([a.score(a.fixed(key(Majority(16)))) for a in BOTH])
    assert everywhere.difference.value == pytest.approx(ours.mean() - theirs.mean())
    assert everywhere.difference.low < everywhere.difference.value < everywhere.difference.high
    assert everywhere.tokens == (1600.0, 1600.0)
    assert everywhere.flops == (3200.0, 3200.0)
    # Of two pairs, either may be drawn twice: the interval reaches from one's gain to the other's.
    assert everywhere.difference.low == pytest.approx(0.0, abs=0.02)
    assert everywhere.difference.high > everywhere.difference.value + 0.1
    alone = compare([SCORED], "majority", named["majority of 16"], 16)
    gaps = SCORED.score(SCORED.planned(16)) - SCORED.score(SCORED.fixed(key(Majority(16))))
    assert alone.difference.high - alone.difference.low == pytest.approx(
        2 * 1.96 * gaps.std() / math.sqrt(len(gaps)), rel=0.15
    )
    scored = compare(BOTH, "best of n", named[key(BestOfN(16))], 16)
    assert scored.arenas == 1
    assert scored.difference.value == scored.difference.low == scored.difference.high == 0.0


def test_the_plan_is_judged_as_it_runs_and_told_it_is_a_bound() -> None:
    """What a plan gains by the difficulty is not its own unless the router got it."""
    truth = {
        "easy": {Majority(4): 0.9, BestOfN(4): 0.1},
        "hard": {Majority(4): 0.1, BestOfN(4): 0.9},
    }
    expected = [{**truth, "all": {Majority(4): 0.5, BestOfN(4): 0.4}}] * 2
    arena = arena_of(truth, {"easy": 100, "hard": 100}, expected)
    named = rules([arena], 4)
    row = compare([arena], TOLD, named[TOLD], 4)
    assert row.plan.value == pytest.approx(0.5, abs=0.1)  # one strategy for all: no router ran
    assert row.other.value == pytest.approx(0.9, abs=0.1)
    got = Run(np.full(200, 0.7), np.full(200, 900.0), None)
    row = compare([replace(arena, routed={4: got})], TOLD, named[TOLD], 4)
    assert row.plan.value == pytest.approx(0.7)
    assert row.tokens == (pytest.approx(900.0), pytest.approx(400.0))
    assert row.flops is None  # those of the router are not known


def test_the_best_on_training_problems_is_chosen_without_the_judged_ones() -> None:
    """In each of two folds another strategy is best: what is best in one is run in the other."""
    chances = {Majority(4): 0.5, Majority(16): 0.5}
    arena = arena_of({"easy": chances}, {"easy": 40}, [{"all": chances}] * 2)
    right = np.array([[fold == 0, fold == 1] for fold in arena.folds], dtype=float)
    arena = replace(arena, accuracy=right)
    named = rules([arena], 16)
    for name in (TRAINED_OWN, TRAINED_SINGLE):
        assert compare([arena], name, named[name], 16).other.value == 0.0
    [best] = [name for name in named if name.startswith("best in hindsight for everything")]
    assert compare([arena], best, named[best], 16).other.value == 0.5
    assert compare([arena], TRAINED_OWN, named[TRAINED_OWN], 4).other.value == 0.5  # only one fits


def test_what_nobody_ran_is_not_compared() -> None:
    assert compare(BOTH, "thumb", rules(BOTH, 16)[f"{RULE_OF_THUMB} (reply)"], 16) is None


def test_rules_name_every_fixed_strategy_of_the_budget_and_the_best_in_hindsight() -> None:
    named = rules(BOTH, 16)
    assert key(BestOfN(16)) in named and key(Majority(4)) not in named
    [single] = [name for name in named if name.startswith("best in hindsight for everything")]
    assert single.endswith(key(Majority(16)))  # not best of n: without a PRM there is none
    own = compare(BOTH, "own", named["best in hindsight for each policy and PRM"], 16)
    assert own.difference.value == pytest.approx(0.0)


def test_against_the_oracle_a_plan_that_is_right_loses_nothing_but_luck() -> None:
    row = against_oracle([SCORED], 16)
    assert row.difference.value == pytest.approx(0.0, abs=1e-9)
    wrong = arena_of({"easy": CHANCES}, {"easy": 300},
                     [{"all": {s: 1 - p for s, p in CHANCES.items()}}])  # fmt: skip
    assert against_oracle([wrong], 16).difference.value == pytest.approx(-0.7, abs=0.08)


def test_families_are_curves_over_the_budget() -> None:
    found = families(BOTH)
    assert set(found) == {
        "majority", "best_of_n score=last vote=max", f"{RULE_OF_THUMB} (reply)",
        f"{RULE_OF_THUMB} (paper)",
    }  # fmt: skip
    majority = found["majority"]
    assert [majority(SCORED, n) is not None for n in (1, 4, 16)] == [False, True, True]
    beams = arena_of({"easy": {BeamSearch(4): 0.5, BeamSearch(16): 0.5}}, {"easy": 5}, EXPECTED)
    [search] = [rule for name, rule in families([beams]).items() if name.startswith("beam")]
    assert search(beams, 4) is not None
    assert search(beams, 6) is None  # not a multiple of its width: no error


def test_the_area_is_the_mean_height_over_the_logarithm_of_tokens() -> None:
    """Between 400 and 1600 tokens the plan rises from its accuracy there by a straight line."""
    found = area([SCORED], "majority", families([SCORED])["majority"], (1, 4, 16))
    heights = [
        SCORED.score(SCORED.planned(n)).mean() - SCORED.score(SCORED.fixed(key(Majority(n)))).mean()
        for n in (4, 16)
    ]
    assert found.tokens == pytest.approx((400.0, 1600.0))
    assert found.difference.value == pytest.approx(np.mean(heights), abs=1e-9)
    assert found.difference.low < found.difference.value < found.difference.high


def test_one_point_has_no_area() -> None:
    [best] = [rule for name, rule in families([SCORED]).items() if name.startswith("best")]
    assert area([SCORED], "best of n", best, (1, 4, 16)) is None
