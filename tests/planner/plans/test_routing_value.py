"""Routing against one strategy for all: expectations by enumeration, and when it pays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.models.templates import PromptTemplate
from executor.strategy import BestOfN, Greedy, Majority, Sampling, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.recommend import Recommendation
from planner.costs.cost import Cost, Rates
from planner.notes import Note, NoteCode
from planner.plans.routing_value import (
    MisclassificationRates,
    RoutingComparison,
    RoutingExpectation,
    compare,
    expected,
)
from planner.usecases.evidence_bundle import EvidenceBundle
from planner.usecases.plan import Profiled, _chosen
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from tests.helpers.evidence_frames import frame_of, row
from tests.helpers.notes import of_code

LEVELS = ("easy", "medium", "hard")
SHARES = {"easy": 0.5, "medium": 0.3, "hard": 0.2}


def evenly_wrong(accuracy: float) -> MisclassificationRates:
    """Errors go evenly to the other difficulties, as often on each."""
    others = (1 - accuracy) / (len(LEVELS) - 1)
    return {
        true: {named: accuracy if named == true else others for named in LEVELS} for true in LEVELS
    }


SURE = evenly_wrong(1.0)


def cell(strategy: Strategy, accuracy: float, flops: float) -> StrategyEstimate:
    cost = Cost(flops, 0.0, 0.0, flops=flops)
    return StrategyEstimate(strategy, accuracy, (0.0, 1.0), (1.0, 1.0), cost, 10, "measured")


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
    ("single", "routes"),
    [
        (RoutingExpectation(0.694, 5.0), True),
        (RoutingExpectation(0.696, 9.0), False),
        (RoutingExpectation(0.70, 10.0), False),
        (RoutingExpectation(0.704, 10.1), True),
        (RoutingExpectation(0.706, 10.1), False),
        (RoutingExpectation(0.9, 100.0), False),
    ],
    ids=["less accurate", "as accurate for less", "equal", "dearer", "more accurate", "far dearer"],
)
def test_the_more_accurate_way_and_of_equal_ones_the_cheaper(
    single: RoutingExpectation, routes: bool
) -> None:
    found = compare(RoutingExpectation(0.70, 10.0), single, Majority(4), "flops", Constraint())
    assert found.routes == routes
    assert found.note() == Note.of(
        NoteCode.ROUTED if routes else NoteCode.NOT_ROUTED,
        strategy="majority(n=4)", unit="flops",
        single_accuracy=single.accuracy, single_price=single.price, single_chance=None,
        routed_accuracy=0.70, routed_price=10.0, routed_chance=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("routed", "single", "routes"),
    [
        (RoutingExpectation(0.80, 10.0, 0.01), RoutingExpectation(0.90, 20.0, 0.01), True),
        (RoutingExpectation(0.80, 10.0, 0.01), RoutingExpectation(0.78, 9.0, 0.01), False),
        (RoutingExpectation(0.80, 10.0, 0.10), RoutingExpectation(0.90, 20.0, 0.01), False),
        (RoutingExpectation(0.70, 10.0, 0.10), RoutingExpectation(0.72, 20.0, 0.10), False),
        (RoutingExpectation(0.70, 10.0, 0.10), RoutingExpectation(0.60, 1.0, 0.10), True),
    ],
    ids=["sure for less", "both sure", "only the single one", "surer", "less sure"],
)
def test_with_a_target_the_cheaper_of_the_sure_else_the_surer(
    routed: RoutingExpectation, single: RoutingExpectation, routes: bool
) -> None:
    constraint = Constraint(target_accuracy=0.75)
    found = compare(routed, single, Majority(4), "flops", constraint)
    assert found.routes == routes
    note = found.note()
    assert note.number("routed_chance") == routed.chance(0.75)
    assert note.number("single_chance") == single.chance(0.75)
    assert found.to_dict()["single"]["chance_of_target"] == single.chance(0.75)


def test_more_accurate_for_all_than_with_misnamed_difficulties() -> None:
    """Right on 60 % of difficulties: .900 is given up where a vote would have solved them."""
    accuracy = {
        "easy": {Greedy(): 0.9, Majority(64): 0.9},
        "medium": {Greedy(): 0.1, Majority(64): 0.8},
        "hard": {Greedy(): 0.0, Majority(64): 0.6},
    }
    price = {Greedy(): 1.0, Majority(64): 64.0}
    known = {
        level: {s: cell(s, right, price[s]) for s, right in row.items()}
        for level, row in accuracy.items()
    }
    shares = dict.fromkeys(LEVELS, 1 / 3)
    routes = {"easy": Greedy(), "medium": Majority(64), "hard": Majority(64)}
    routed = expected(routes, known, shares, evenly_wrong(0.6), "flops")
    single = expected(dict.fromkeys(LEVELS, Majority(64)), known, shares, SURE, "flops")
    assert routed is not None and single is not None
    assert routed.accuracy == pytest.approx(0.68) and single.accuracy == pytest.approx(2.3 / 3)
    assert not compare(routed, single, Majority(64), "flops", Constraint()).routes


def test_the_spread_is_independent_over_difficulties_and_whole_within_one() -> None:
    """Beta(1, 1) has variance 1/12: of one strategy sum P(t)^2 / 12, whatever is named."""
    for confusion in (SURE, evenly_wrong(0.4)):
        found = expected(dict.fromkeys(LEVELS, Greedy()), KNOWN, SHARES, confusion, "flops")
        assert found is not None
        assert found.spread**2 == pytest.approx(sum(p**2 for p in SHARES.values()) / 12)
    assert RoutingExpectation(0.5, 1.0).chance(0.5) == 1.0


# The plan that is checked


def evidence_of(accuracies: dict[str, dict[Strategy, float]]) -> EvidenceBundle:
    """A hundred problems of each difficulty; a strategy is right on the first so many of them."""
    rows = [
        row(strategy, f"{level}-{i}", i < 100 * accuracy, difficulty=level)
        for level, of_strategy in accuracies.items()
        for strategy, accuracy in of_strategy.items()
        for i in range(100)
    ]
    return EvidenceBundle(frame_of(rows), None, None, Rates(1_000, 500), ())


QUALITY = Quality(
    0.3, 1.0, 0.9, 0.02, 0.9, 0.2, ((0.9, 0.05, 0.05), (0.05, 0.9, 0.05), (0.05, 0.05, 0.9))
)
CLASSIFIER = DifficultyModel(
    (Head(4, (), (), (), ((),) * RANGES, (0.0,) * RANGES, 0.9, QUALITY),), 40
)
PROFILED = Profiled(Sampling(), PromptTemplate(), False, CLASSIFIER, None)


def planned(
    bundle: EvidenceBundle,
) -> tuple[list[Recommendation], bool, RoutingComparison | None]:
    chooser, choices, routes, compared = _chosen(bundle, "policy", None, Constraint(), PROFILED)
    assert chooser is None  # no question is profiled
    return choices, routes, compared


def test_a_plan_routes_where_that_is_cheaper() -> None:
    """Greedy is as good where easy, and a vote of 64 costs 64 times as much."""
    strategies = {
        "easy": {Greedy(): 1.0, Majority(4): 1.0, Majority(64): 1.0},
        "hard": {Greedy(): 0.5, Majority(4): 0.5, Majority(64): 0.6},
    }
    made, routes, compared = planned(evidence_of(strategies))
    assert routes
    assert compared is not None and compared.routes
    assert compared.note() in made[-1].notes
    assert compared.note().code is NoteCode.ROUTED
    assert compared.note().text("strategy") == "majority(n=64)"


def test_a_plan_does_not_route_where_misnamed_difficulties_lose_accuracy() -> None:
    """Greedy is enough where easy, and one in twenty hard ones is named so: 1.25 points lost."""
    strategies = {
        "easy": {Greedy(): 1.0, Majority(4): 1.0, Majority(64): 1.0},
        "hard": {Greedy(): 0.1, Majority(4): 0.2, Majority(64): 0.6},
    }
    made, routes, compared = planned(evidence_of(strategies))
    assert not routes
    assert compared is not None
    assert compared.routed.accuracy < compared.single.accuracy
    assert compared.routed.price < compared.single.price
    assert made[-1].choice.strategy == Majority(64)
    assert compared.note() in made[-1].notes


def test_a_plan_does_not_route_where_one_strategy_for_all_is_as_good_for_less() -> None:
    """Greedy is a point behind on hard ones only: four probes of each cost more than that gains."""
    strategies = {
        "easy": {Greedy(): 1.0, Majority(4): 0.5},
        "medium": {Greedy(): 0.3, Majority(4): 0.3},
        "hard": {Greedy(): 0.00, Majority(4): 0.01},
    }
    made, routes, compared = planned(evidence_of(strategies))
    assert not routes
    assert compared is not None and not compared.routes
    assert made[-1].choice.strategy == Greedy()
    [note] = of_code(made[-1].notes, NoteCode.NOT_ROUTED)
    assert note.text("strategy") == "greedy"
    every = made[-1].choice.predicted_accuracy
    assert note.number("single_accuracy") == pytest.approx(every)
    assert every == pytest.approx(0.433, abs=0.025)  # its outcomes, shrunk a little
    assert not any(of_code(one.notes, NoteCode.PROBES_INCLUDED) for one in made)
