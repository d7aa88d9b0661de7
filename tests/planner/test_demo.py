"""What the demo does with which policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.commands.demo import course_of
from profiling.problems import load_problems

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("policy", ["lab-0.8m", str(ROOT / "data" / "models" / "lab-0.8m")])
def test_a_policy_of_the_laboratory_gets_its_problems(policy: str) -> None:
    assert course_of(policy).profile == "laboratory/profile.jsonl"


def test_any_other_policy_gets_word_problems() -> None:
    assert course_of("smollm2-135m").profile == course_of("./mine").profile == "profile.jsonl"


@pytest.mark.parametrize("policy", ["lab-0.8m", "smollm2-135m"])
def test_a_course_has_the_problems_it_promises(policy: str) -> None:
    course = course_of(policy)
    profile, heldout = (
        load_problems(ROOT / "data" / "problems" / name)
        for name in (course.profile, course.heldout)
    )
    # Where a head is trained, it is on problems that are not profiled.
    assert len(profile) >= course.most * (1 if course.prm else 2)
    assert len(heldout) >= course.most >= course.problems
    assert course.samples >= max(course.budgets)
