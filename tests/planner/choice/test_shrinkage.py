"""A prediction that is not what was measured says what else it rests on."""

from __future__ import annotations

import pytest

from executor.strategy import Greedy, Majority
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.recommend import choose
from planner.choice.shrinkage import drawn
from planner.costs.cost import Rates
from tests.helpers.evidence_frames import frame_of, row


def test_few_problems_are_drawn_towards_the_mean_of_all_and_it_is_said() -> None:
    """8 of 8 beside 2 of 8: the mean of both, 10 / 16, weighs 4 problems in each."""
    rows = [row(Majority(4), str(i), 1.0) for i in range(8)]
    rows += [row(Greedy(), str(i), float(i < 2)) for i in range(8)]
    frame = frame_of(rows)
    made = choose("easy", candidates(frame, "policy", None, "easy", None, Rates()), Constraint())
    assert made.choice.predicted_accuracy == pytest.approx((8 + 2.5) / 12)
    assert drawn(made.choice, frame) == [
        "majority(n=4) solved 1.000 of 8 problems; the prediction, 0.875, is drawn towards what "
        "other evidence let expect, 0.625, which weighs as much as 4 problems"
    ]


def test_what_is_as_measured_needs_no_words() -> None:
    rows = [row(Majority(4), str(i), float(i < 150)) for i in range(300)]
    frame = frame_of(rows)
    [one] = candidates(frame, "policy", None, "easy", None, Rates())
    assert drawn(one, frame) == []
    assert drawn(one, frame[:0]) == []
