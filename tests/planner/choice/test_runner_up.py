"""The runner-up: which it is, how likely it is the better one, and why it lost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.answers.voting import Vote
from executor.strategy import BestOfN, Dvts, Greedy, Majority, Score, Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import ComparedBy, measured
from planner.choice.recommend import choose
from planner.choice.runner_up import RunnerUp, runner_up, runner_up_note
from planner.costs.cost import Cost
from planner.notes import Note, NoteCode
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
) -> tuple[RunnerUp, Note]:
    made = choose("all", found, constraint)
    beside = runner_up(made, constraint, measured(rows))
    assert beside is not None
    return beside, runner_up_note(beside, made, constraint)


def test_it_is_what_would_be_chosen_without_the_choice() -> None:
    beside, note = second(FOUND)
    contrast = beside.contrast
    assert beside.choice.strategy == Majority(4)
    assert contrast.difference == pytest.approx(-0.1)
    assert beside.cost_ratio == pytest.approx(0.5)
    assert contrast.better == pytest.approx(probability_greater((60.0, 40.0), (70.0, 30.0)))
    assert contrast.paired == 0
    assert note == Note.of(
        NoteCode.RUNNER_UP_LESS_ACCURATE, strategy="majority(n=4)", cost_ratio=beside.cost_ratio,
        unit="flops", difference=contrast.difference, better=contrast.better,
        basis=ComparedBy.POSTERIORS, paired=0,
    )  # fmt: skip


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
    _, note = second([cell(Majority(4), 0.70, 4.0), cell(BestOfN(4), 0.702, 12.0)])
    assert note.code is NoteCode.RUNNER_UP_AS_GOOD
    assert note.text("strategy") == "best_of_n(n=4,score=last,vote=max)"
    assert (note.number("cost_ratio"), note.text("unit")) == (pytest.approx(3.0), "flops")


@pytest.mark.parametrize(
    ("constraint", "code", "numbers"),
    [
        (
            Constraint(target_accuracy=0.35), NoteCode.RUNNER_UP_SURE_ENOUGH,
            {"chance": 1.0, "cost_ratio": 4.0},
        ),
        (
            Constraint(target_accuracy=0.6, confidence=0.9), NoteCode.RUNNER_UP_SHORT_OF_TARGET,
            {"chance": 0.505, "at_least": 0.9667},
        ),
        (
            Constraint(target_accuracy=0.9), NoteCode.RUNNER_UP_LESS_SURE,
            {"chance": 0.0, "best_chance": 0.0},
        ),
    ],
    ids=["dearer", "not sure enough", "none is"],
)  # fmt: skip
def test_under_a_target_it_lost_by_cost_or_for_want_of_certainty(
    constraint: Constraint, code: NoteCode, numbers: dict[str, float]
) -> None:
    beside, note = second(FOUND, constraint)
    assert note.code is code
    assert {n: note.number(n) for n in numbers} == pytest.approx(numbers, abs=5e-4)
    assert beside.chance == beside.choice.probability_above(constraint.target_accuracy or 0)


def test_costs_that_are_not_known_are_tokens() -> None:
    cost = Cost(100.0, 0.0, 0.0)
    found = [
        StrategyEstimate(s, c.predicted_accuracy, c.interval, c.beta, cost, 10, "measured")
        for s, c in ((Majority(4), FOUND[1]), (Dvts(4), FOUND[2]))
    ]
    beside, note = second(found)
    assert beside.cost_ratio == 1
    assert (note.number("cost_ratio"), note.text("unit")) == (1.0, "tokens")
    assert beside.to_dict("some words")["why"] == "some words"
