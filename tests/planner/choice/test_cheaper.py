"""What is nearly as good for less: which, when, and the note on it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.cheaper import Cheaper, cheaper, cheaper_note
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import ComparedBy, measured
from planner.choice.recommend import choose
from planner.costs.cost import Cost
from planner.notes import NoteCode
from planner.prediction.beta import deviation, summarise
from tests.helpers.evidence_frames import frame_of, row

NO_ROWS = frame_of([])


def cell(
    strategy: Strategy, accuracy: float, flops: float, weight: float = 1e6
) -> StrategyEstimate:
    a, b = weight * accuracy, weight * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    cost = Cost(flops, 0.0, 0.0, flops=flops)
    return StrategyEstimate(strategy, accuracy, (low, high), (a, b), cost, 100, "measured")


BEST = cell(BestOfN(64), 0.800, 64.0)


def less(
    others: list[StrategyEstimate],
    constraint: Constraint | None = None,
    rows: pd.DataFrame = NO_ROWS,
    best: StrategyEstimate = BEST,
) -> Cheaper | None:
    made = choose("all", [best, *others], constraint or Constraint())
    assert made.choice is best
    return cheaper(made, measured(rows))


def test_within_a_point_the_cheapest_is_told_however_surely_it_is_worse() -> None:
    found = less([cell(BestOfN(16), 0.794, 16.0), cell(BestOfN(4), 0.791, 4.0),
                  cell(Greedy(), 0.789, 1.0)])  # fmt: skip
    assert found is not None
    assert found.choice.strategy == BestOfN(4)
    assert found.contrast.told_apart
    assert found.cost_ratio == pytest.approx(1 / 16)


def test_within_sampling_error_too() -> None:
    best = cell(BestOfN(64), 0.8, 64.0, 800)
    found = less([cell(BestOfN(16), 0.78, 16.0, weight=800)], best=best)
    assert found is not None
    assert not found.contrast.told_apart
    error = np.hypot(deviation(624, 176), deviation(640, 160))
    assert found.contrast.error == pytest.approx(error)


def test_what_is_hardly_known_is_not_nearly_as_good() -> None:
    best = cell(BestOfN(64), 0.8, 64.0, 800)
    unknown, known = cell(Greedy(), 0.75, 1.0, weight=4), cell(BestOfN(16), 0.785, 16.0, weight=800)
    found = less([unknown, known], best=best)
    assert found is not None and found.choice is known
    assert less([unknown], best=best) is None
    assert less([cell(Greedy(), 0.792, 1.0, weight=4)], best=best) is None


def test_what_is_surely_worse_or_saves_little_or_cannot_cost_less_is_not() -> None:
    assert less([cell(BestOfN(16), 0.70, 16.0)]) is None
    assert less([cell(BestOfN(16), 0.794, 49.0)]) is None
    assert less([], best=cell(Greedy(), 0.8, 0.0)) is None


def test_under_a_target_the_choice_is_the_cheapest_already() -> None:
    surest = Constraint(target_accuracy=0.9)
    assert less([cell(BestOfN(16), 0.795, 16.0)], surest) is None


def solved(strategy: Strategy, right: range) -> list[dict[str, object]]:
    return [row(strategy, str(i), float(i in right)) for i in range(50)]


@pytest.mark.parametrize(
    ("right", "near"),
    [(range(3, 38), True), (range(26), False)],
    ids=["as many others", "fewer of the same"],
)
def test_shared_problems_decide(right: range, near: bool) -> None:
    first, other = cell(BestOfN(64), 0.72, 64.0, 50), cell(Majority(16), len(right) / 50, 16.0, 50)
    rows = frame_of([*solved(BestOfN(64), range(36)), *solved(Majority(16), right)])
    found = less([other], rows=rows, best=first)
    if not near:
        assert found is None
    else:
        assert found is not None and found.contrast.paired == 50
        note = cheaper_note(found, choose("all", [first, other], Constraint()))
        assert not note.flag("close")
        assert (note.get("basis", ComparedBy), note.whole("paired")) == (ComparedBy.PROBLEMS, 50)


def test_the_numbers_are_in_the_note_and_in_the_record() -> None:
    others = [cell(BestOfN(16), 0.793, 16.0)]
    found = less(others)
    assert found is not None
    note = cheaper_note(found, choose("all", [BEST, *others], Constraint()))
    assert note.code is NoteCode.CHEAPER
    assert note.text("strategy") == "best_of_n(n=16,score=last,vote=max)"
    assert (note.number("cost_ratio"), note.text("unit")) == (0.25, "flops")
    numbers = [note.number(name) for name in ("difference", "low", "high")]
    assert numbers == pytest.approx([-0.007, -0.0079, -0.0061], abs=1e-4)
    assert note.get("basis", ComparedBy) is ComparedBy.POSTERIORS
    assert note.flag("close")
    record = found.to_dict("some words")
    assert record["difference"] == pytest.approx(-0.007)
    assert record["difference_interval"] == pytest.approx([-0.0079, -0.0061], abs=1e-4)
    assert (record["cost_ratio"], record["why"]) == (0.25, "some words")
