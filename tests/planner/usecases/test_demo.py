"""What the demo does with which policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from planner.usecases.demo import course_of, demo
from profiling.problems.files import load_problems

ROOT = Path(__file__).parents[3]


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"problems": 5}, "--problems is 5; expected 6 to 200"),
        ({"samples": 8}, "--samples is 8; expected at least"),
    ],
)
def test_numbers_out_of_range_make_no_folder(
    tmp_path: Path, options: dict[str, int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        demo("lab-0.8m", out=tmp_path / "demo", problems=options.get("problems"),
             samples=options.get("samples"))  # fmt: skip
    assert not (tmp_path / "demo").exists()


def test_other_options_need_another_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"policy \./nowhere: no such model"):
        demo("./nowhere", out=tmp_path, problems=8)
    assert json.loads((tmp_path / "demo.json").read_text())["problems"] == 8
    with pytest.raises(InputError, match=r"holds a demo made with .*--problems 8.*another folder"):
        demo("./nowhere", out=tmp_path, problems=9)
    assert not (tmp_path / "apportion.db").exists()
