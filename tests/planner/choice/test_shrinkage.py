"""A prediction that is not as measured comes with a note on its prior."""

from __future__ import annotations

import pytest

from executor.strategy import Greedy, Majority
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.recommend import choose
from planner.choice.shrinkage import shrinkage_notes
from planner.costs.cost import Rates
from planner.notes import NoteCode
from tests.helpers.evidence_frames import frame_of, row


def test_few_problems_are_shrunk_toward_what_the_formulas_say_with_a_note() -> None:
    """8 of 8 beside 2 of 8: the estimate is the weighted mean of its outcomes and its prior."""
    rows = [row(Majority(4), str(i), 1.0) for i in range(8)]
    rows += [row(Greedy(), str(i), float(i < 2)) for i in range(8)]
    frame = frame_of(rows)
    made = choose("easy", candidates(frame, "policy", None, "easy", None, Rates()), Constraint())
    [note] = shrinkage_notes(made.choice, frame)
    assert (note.code, note.text("strategy")) == (NoteCode.SHRUNK, "majority(n=4)")
    assert (note.number("measured"), note.whole("problems")) == (1.0, 8)
    assert note.number("predicted") == made.choice.predicted_accuracy < 1.0
    share = note.number("prior_problems") / (8 + note.number("prior_problems"))
    assert 0 < share < 1
    assert not note.flag("kept_inside")
    mean = (1 - share) * 1.0 + share * note.number("prior_mean")
    assert made.choice.predicted_accuracy == pytest.approx(mean)


def test_the_prior_is_that_of_the_estimate_even_if_the_estimate_was_kept_inside() -> None:
    """All strategies solve all: the estimate is kept below 1, and its prior is not above it."""
    rows = [row(one, str(i), 1.0) for one in (Majority(4), Greedy()) for i in range(8)]
    frame = frame_of(rows)
    made = choose("easy", candidates(frame, "policy", None, "easy", None, Rates()), Constraint())
    assert made.choice.shrunk is not None
    [note] = shrinkage_notes(made.choice, frame)
    assert note.number("prior_mean") == made.choice.shrunk.prior
    assert made.choice.predicted_accuracy < note.number("prior_mean") <= 1.0
    assert note.flag("kept_inside")


def test_what_is_as_measured_needs_no_words() -> None:
    rows = [row(Majority(4), str(i), float(i < 150)) for i in range(300)]
    frame = frame_of(rows)
    [one] = candidates(frame, "policy", None, "easy", None, Rates())
    assert shrinkage_notes(one, frame) == []
    assert shrinkage_notes(one, frame[:0]) == []
