"""A choice that rests on few problems says so, and how many would tell the leaders apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from executor.strategy import BestOfN, Majority
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.few_problems import FEW, few_problems_notes, problems_to_tell_apart
from planner.choice.paired import measured
from planner.choice.recommend import Recommendation, choose
from planner.choice.runner_up import RunnerUp, runner_up
from planner.costs.cost import Rates
from planner.notes import NoteCode
from tests.helpers.evidence_frames import frame_of, row


def recommended(problems: int) -> tuple[Recommendation, RunnerUp | None]:
    rows = [row(s, str(i), i % 3 > 0) for i in range(problems) for s in (Majority(4), BestOfN(16))]
    frame = frame_of(rows)
    found = candidates(frame, "policy", "prm", "easy", None, Rates())
    made = choose("easy", found, Constraint())
    return made, runner_up(made, Constraint(), measured(frame))


def test_few_problems_have_a_note_and_more_have_none() -> None:
    made, second = recommended(FEW - 1)
    assert second is not None
    [note] = few_problems_notes(made, second)
    assert note.code is NoteCode.FEW_PROBLEMS
    assert note.whole("problems") == FEW - 1
    assert note.whole("needed") >= FEW - 1
    assert few_problems_notes(*recommended(FEW)) == []


def test_a_choice_without_a_rival_names_none() -> None:
    made, _ = recommended(3)
    [note] = few_problems_notes(made, None)
    assert note.text("rival") == ""


def test_a_rival_that_is_told_apart_already_is_not_named() -> None:
    made, second = recommended(FEW - 1)
    assert second is not None
    sure = replace(second, contrast=replace(second.contrast, difference=-0.5, error=0.1))
    [note] = few_problems_notes(made, sure)
    assert (note.text("rival"), note.whole("needed")) == ("", 0)


@pytest.mark.parametrize(("problems", "sources"), [(0, "predicted"), (5, "published")])
def test_what_was_not_measured_has_other_notes(problems: int, sources: str) -> None:
    made, second = recommended(3)
    choice = replace(made.choice, problems=problems, sources=sources)
    assert few_problems_notes(replace(made, choice=choice), second) == []


@pytest.mark.parametrize(
    ("difference", "error", "problems", "needed"),
    [
        (0.1, 0.1, 10, 28),  # 10 * 1.645^2 = 27.1
        (0.0, 0.1, 10, 2800),  # as if the difference were .01
        (-0.5, 0.1, 10, 10),
    ],
)
def test_the_error_falls_with_the_square_root_of_the_problems(
    difference: float, error: float, problems: int, needed: int
) -> None:
    assert problems_to_tell_apart(difference, error, problems) == needed
