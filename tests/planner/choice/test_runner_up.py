"""The runner-up: who it is, how likely it is the better one, and why it lost, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import Vote
from executor.strategy import BestOfN, Dvts, Greedy, Majority, Score, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import measured
from planner.choice.recommend import choose
from planner.choice.runner_up import RunnerUp, runner_up, why
from planner.costs.cost import Cost
from planner.prediction.beta import probability_greater, summarise
from tests.helpers.evidence_frames import frame_of

NO_LIMIT = Constraint()
NO_ROWS = frame_of([])


def cell(
    strategy: Strategy, accuracy: float, flops: float, weight: float = 100
) -> StrategyEstimate:
    a, b = weight * accuracy, weight * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    cost = Cost(flops, 0.0, 0.0, flops=flops)
    return StrategyEstimate(strategy, accuracy, (low, high), (a, b), cost, 100, "measured")


FOUND = [cell(Greedy(), 0.5, 1.0), cell(Majority(4), 0.6, 4.0), cell(BestOfN(4), 0.7, 8.0)]


def second(
    found: list[StrategyEstimate], constraint: Constraint = NO_LIMIT, rows: pd.DataFrame = NO_ROWS
) -> tuple[RunnerUp, str]:
    made = choose("all", found, constraint)
    beside = runner_up(made, constraint, measured(rows))
    assert beside is not None
    return beside, why(beside, made, constraint)


def test_it_is_what_would_be_chosen_without_the_choice() -> None:
    beside, told = second(FOUND)
    contrast = beside.contrast
    assert beside.choice.strategy == Majority(4)
    assert contrast.difference == pytest.approx(-0.1)
    assert beside.cost_ratio == pytest.approx(0.5)
    assert contrast.better == pytest.approx(probability_greater((60.0, 40.0), (70.0, 30.0)))
    assert contrast.paired == 0
    assert told == (
        "majority(n=4) is 0.100 less accurate (truly better with a chance of 7%, by their "
        "posteriors, taken as independent), at 0.5 times the FLOPs"
    )


def test_where_there_is_no_other_there_is_no_runner_up() -> None:
    compare = measured(NO_ROWS)
    assert runner_up(choose("all", FOUND[:1], NO_LIMIT), NO_LIMIT, compare) is None


BEST = cell(BestOfN(16), 0.8, 32.0)
TWINS = [
    cell(BestOfN(16, Score.MIN), 0.79, 32.0),
    cell(BestOfN(16, vote=Vote.WEIGHTED), 0.79, 32.0),
]


def test_it_is_of_another_kind_whatever_variants_of_the_choice_reach() -> None:
    smaller = cell(BestOfN(4), 0.78, 8.0)
    beside, _ = second([BEST, *TWINS, smaller, *FOUND[:2]])
    assert beside.choice.strategy == Majority(4)


def test_of_one_kind_alone_it_is_of_another_budget_and_never_a_variant() -> None:
    beside, _ = second([BEST, *TWINS, cell(BestOfN(4), 0.7, 8.0)])
    assert beside.choice.strategy == BestOfN(4)
    made = choose("all", [BEST, *TWINS], NO_LIMIT)
    assert runner_up(made, NO_LIMIT, measured(NO_ROWS)) is None


def test_what_is_as_good_but_dearer_lost_by_its_cost() -> None:
    _, told = second([cell(Majority(4), 0.70, 4.0), cell(BestOfN(4), 0.702, 12.0)])
    assert told.startswith("best_of_n(n=4,score=last,vote=max) is as good for all that is known")
    assert told.endswith("at 3 times the FLOPs")


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (Constraint(target_accuracy=0.35), "is sure enough too (100.0%), at 4 times the FLOPs"),
        (Constraint(target_accuracy=0.6, confidence=0.9), "with a chance of 50.5%, not 96.67%"),
        (Constraint(target_accuracy=0.9), "is less sure of the target: 0.0% against 0.0%"),
    ],
    ids=["dearer", "not sure enough", "none is"],
)
def test_under_a_target_it_lost_by_cost_or_for_want_of_certainty(
    constraint: Constraint, words: str
) -> None:
    beside, told = second(FOUND, constraint)
    assert told.endswith(words)
    assert beside.chance == beside.choice.probability_above(constraint.target_accuracy or 0)


def test_costs_that_are_not_known_are_tokens() -> None:
    cost = Cost(100.0, 0.0, 0.0)
    found = [
        StrategyEstimate(s, c.predicted_accuracy, c.interval, c.beta, cost, 10, "measured")
        for s, c in ((Majority(4), FOUND[1]), (Dvts(4), FOUND[2]))
    ]
    beside, told = second(found)
    assert beside.cost_ratio == 1
    assert told.endswith("at as many tokens")
    assert beside.to_dict(told)["why"] == told
