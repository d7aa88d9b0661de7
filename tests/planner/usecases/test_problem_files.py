"""Problems as callers give them: files, limits, fields, or the problems themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.problem import Problem
from planner.usecases.problem_files import ProblemFiles, read_problems


def write(path: Path, *names: str) -> Path:
    path.write_text("".join(json.dumps({"question": f"{name}?", "answer": "1"}) + "\n"
                            for name in names))  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((), ["a", "b", "c", "d", "e"]),
        ((1,), ["a", "d"]),
        ((2, 1), ["a", "b", "d"]),
    ],
)
def test_one_limit_is_for_every_file_and_several_go_in_order(
    tmp_path: Path, limits: tuple[int, ...], expected: list[str]
) -> None:
    files = write(tmp_path / "one.jsonl", "a", "b", "c"), write(tmp_path / "two.jsonl", "d", "e")
    found = ProblemFiles(files, limits).read()
    assert [problem.text for problem in found] == [f"{name}?" for name in expected]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((0,), "--limit is 0; expected at least 1"),
        ((1, 2, 3), "--limit is given 3 times for 2 files; expected once, or once a file"),
    ],
)
def test_limits_that_fit_no_file_are_refused(limits: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProblemFiles((Path("one.jsonl"), Path("two.jsonl")), limits)


def test_a_file_may_be_given_by_its_name_and_problems_as_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "one.jsonl", "a")
    (problem,) = read_problems(str(path))
    assert problem.text == "a?"
    assert read_problems([problem]) == read_problems(path) == [problem]


def test_answers_are_needed_unless_the_caller_says_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "bare.jsonl"
    path.write_text('{"question": "a?"}\n')
    with pytest.raises(InputError, match="--answer-field"):
        read_problems(path)
    assert read_problems(path, require_answers=False)[0].answer is None
    assert isinstance(read_problems(path, require_answers=False)[0], Problem)
