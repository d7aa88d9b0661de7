"""What the demo does with which policy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from planner.cli.commands.demo import course_of
from profiling.problems.files import load_problems

ROOT = Path(__file__).parents[4]


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


@pytest.mark.slow
@pytest.mark.vllm
def test_the_default_demo_shows_that_the_best_strategy_depends_on_difficulty(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "planner.cli.main", "demo", "--out", str(tmp_path / "demo"),
        "--json"], cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    document = json.loads(ended.stdout)
    entries = document["plan"]["entries"]
    chosen = {json.dumps(entries[name]["strategy"]) for name in ("easy", "medium", "hard")}
    assert len(chosen) > 1
    assert {one["against"] for one in document["plan_minus"]} == {"greedy", "majority(n=64)"}
    for one in document["plan_minus"]:
        assert one["interval"][0] > 0, one
    assert Path(document["report"]).stat().st_size > 10_000
