"""Routing against one strategy for all: expectations by enumeration, and when it pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.store import RunSpec
from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.commands.plan import _routed
from planner.commands.recommend import Basis
from planner.constraint import Constraint
from planner.costs import Cost, Rates
from planner.recommend import Choice, Recommendation
from planner.routing import Confusion, Expected, expected, not_worth_it
from profiling.difficulty import RANGES, DifficultyModel, Head, Quality
from tests.planner.frames import frame_of, row

LEVELS = ("easy", "medium", "hard")
SHARES = {"easy": 0.5, "medium": 0.3, "hard": 0.2}


def evenly_wrong(accuracy: float) -> Confusion:
    """Errors go evenly to the other difficulties, as often on each."""
    others = (1 - accuracy) / (len(LEVELS) - 1)
    return {
        true: {named: accuracy if named == true else others for named in LEVELS} for true in LEVELS
    }


SURE = evenly_wrong(1.0)


def cell(strategy: Strategy, accuracy: float, flops: float) -> Choice:
    cost = Cost(flops, 0.0, 0.0, flops=flops)
    return Choice(strategy, accuracy, (0.0, 1.0), cost, 10, "measured", (1.0, 1.0))


ACCURACY = {
    "easy": {Greedy(): 0.9, BestOfN(4): 0.92},
    "medium": {Greedy(): 0.3, BestOfN(4): 0.6},
    "hard": {Greedy(): 0.0, BestOfN(4): 0.2},
}
FLOPS = {Greedy(): 1.0, BestOfN(4): 8.0}
KNOWN = {
    level: {s: cell(s, accuracy, FLOPS[s]) for s, accuracy in row.items()}
    for level, row in ACCURACY.items()
}
ROUTES = {"easy": Greedy(), "medium": BestOfN(4), "hard": BestOfN(4)}


def test_one_that_is_never_wrong_runs_the_strategy_of_each_difficulty() -> None:
    found = expected(ROUTES, KNOWN, SHARES, SURE, "flops")
    assert found is not None
    assert found.accuracy == pytest.approx(0.5 * 0.9 + 0.3 * 0.6 + 0.2 * 0.2)
    assert found.price == pytest.approx(0.5 * 1 + 0.5 * 8)


@given(accuracy=st.floats(0, 1))
def test_one_strategy_for_all_does_not_mind_what_is_named(accuracy: float) -> None:
    confusion = evenly_wrong(accuracy)
    found = expected(dict.fromkeys(LEVELS, BestOfN(4)), KNOWN, SHARES, confusion, "flops")
    assert found is not None
    assert found.accuracy == pytest.approx(0.5 * 0.92 + 0.3 * 0.6 + 0.2 * 0.2)
    assert found.price == pytest.approx(8.0)


def test_misnamed_difficulties_are_those_of_simulated_questions() -> None:
    rng = np.random.default_rng(0)
    confusion = evenly_wrong(0.7)
    truths = rng.choice(LEVELS, size=200_000, p=[SHARES[level] for level in LEVELS])
    right = np.empty(len(truths))
    for true in LEVELS:
        at = truths == true
        named = rng.choice(LEVELS, size=int(at.sum()), p=[confusion[true][n] for n in LEVELS])
        right[at] = [ACCURACY[true][ROUTES[str(level)]] for level in named]
    found = expected(ROUTES, KNOWN, SHARES, confusion, "flops")
    assert found is not None
    error = float(right.std() / np.sqrt(len(right)))
    assert found.accuracy == pytest.approx(float(right.mean()), abs=4 * error)


def test_a_strategy_that_is_not_known_on_a_difficulty_it_may_meet_leaves_it_open() -> None:
    easy_only = {**KNOWN, "hard": {Greedy(): KNOWN["hard"][Greedy()]}}
    assert expected(ROUTES, easy_only, SHARES, SURE, "flops") is None
    without_hard = {"easy": 0.6, "medium": 0.4, "hard": 0.0}
    assert expected(ROUTES, easy_only, without_hard, SURE, "flops") is not None
    assert expected(ROUTES, easy_only, {"easy": 1.0}, SURE, "flops") is not None


@pytest.mark.parametrize(
    ("single", "kept"),
    [
        (Expected(0.70, 9.0), True),
        (Expected(0.694, 5.0), True),
        (Expected(0.696, 9.0), False),
        (Expected(0.70, 10.0), False),
        (Expected(0.9, 10.1), True),
    ],
    ids=["0.70 at 9", "less accurate", "as accurate for less", "equal", "dearer"],
)
def test_one_strategy_for_all_that_solves_as_much_for_less_is_enough(
    single: Expected, kept: bool
) -> None:
    routed = Expected(0.71 if single == Expected(0.70, 9.0) else 0.70, 10.0)
    told = not_worth_it(routed, single, Majority(4), "flops")
    assert (told is None) == kept
    if told is not None:
        assert told.startswith("not routed: majority(n=4) for all is expected to solve")


# The plan that is checked


def evidence_of(accuracies: dict[str, dict[Strategy, float]]) -> Basis:
    """A hundred problems of each difficulty; a strategy is right on the first so many of them."""
    rows = [
        row(strategy, f"{level}-{i}", i < 100 * accuracy, difficulty=level)
        for level, of_strategy in accuracies.items()
        for strategy, accuracy in of_strategy.items()
        for i in range(100)
    ]
    return Basis(frame_of(rows), None, None, Rates(1_000, 500), ())


QUALITY = Quality(
    0.3, 1.0, 0.9, 0.02, 0.9, 0.2, ((0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.05, 0.05, 0.9))
)
CLASSIFIER = DifficultyModel(
    (Head(4, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, QUALITY),), 40
)
SPEC = RunSpec("profile", "policy", None, {})


def planned(basis: Basis) -> tuple[list[Recommendation], DifficultyModel | None]:
    return _routed(basis, "policy", None, Constraint(), CLASSIFIER, SPEC)


def test_a_plan_routes_where_that_is_cheaper() -> None:
    """Greedy is as good where easy, and a vote of 64 costs 64 times as much."""
    strategies = {
        "easy": {Greedy(): 1.0, Majority(4): 1.0, Majority(64): 1.0},
        "hard": {Greedy(): 0.1, Majority(4): 0.2, Majority(64): 0.6},
    }
    made, classifier = planned(evidence_of(strategies))
    assert classifier is CLASSIFIER
    assert not any("not routed" in note for one in made for note in one.notes)


def test_a_plan_does_not_route_where_one_strategy_for_all_is_as_good_for_less() -> None:
    """Greedy is a point behind on hard ones only: four probes of each cost more than that gains."""
    strategies = {
        "easy": {Greedy(): 1.0, Majority(4): 0.5},
        "medium": {Greedy(): 0.3, Majority(4): 0.3},
        "hard": {Greedy(): 0.00, Majority(4): 0.01},
    }
    made, classifier = planned(evidence_of(strategies))
    assert classifier is None
    assert made[-1].choice.strategy == Greedy()
    [why] = [note for note in made[-1].notes if "not routed" in note]
    assert why.startswith("not routed: greedy for all is expected to solve 0.43")
    assert not any("probe samples add" in note for one in made for note in one.notes)
