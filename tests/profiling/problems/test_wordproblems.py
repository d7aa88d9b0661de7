"""The word problems are what their generator makes, and their worked solutions are right."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from profiling.problems import wordproblems
from profiling.problems.wordproblems import KINDS, LEVELS, STEP_DELIMITER, WordProblem, generate

ROOT = Path(__file__).resolve().parents[3]
FILES = ("profile", "heldout")
EQUATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def committed(name: str) -> list[dict[str, Any]]:
    """Records of a committed file."""
    text = (ROOT / "data/problems" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def evaluates(left: str, operator: str, right: str, result: str) -> bool:
    """Whether an equation of a step holds exactly, without a negative or a fraction."""
    a, b, c = int(left), int(right), int(result)
    return {"+": a + b == c, "-": a - b == c, "*": a * b == c, "/": b * c == a}[operator]


def problem_id(problem: WordProblem) -> str:
    return f"{problem.kind}-level-{problem.level}"


@pytest.mark.parametrize("name", FILES)
def test_committed_file_is_what_the_generator_makes(name: str, tmp_path: Path) -> None:
    wordproblems.main(["--out", str(tmp_path)])
    made = (tmp_path / f"{name}.jsonl").read_bytes()
    assert made == (ROOT / "data/problems" / f"{name}.jsonl").read_bytes()


def test_same_seed_same_problems() -> None:
    assert generate(50, seed=3) == generate(50, seed=3)


def test_other_seed_other_problems() -> None:
    assert generate(50, seed=3) != generate(50, seed=4)


def test_levels_asked_for_are_the_levels_made() -> None:
    assert {problem.level for problem in generate(20, seed=0, levels=(2, 5))} == {2, 5}


@pytest.mark.parametrize("levels", [(), (0,), (1, 6)])
def test_unknown_levels_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="levels"):
        generate(5, seed=0, levels=levels)


def test_files_share_no_text() -> None:
    texts = [record["problem"] for name in FILES for record in committed(name)]
    assert len(texts) == len(set(texts))


def test_ids_are_unique_over_both_files() -> None:
    ids = [record["id"] for name in FILES for record in committed(name)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", FILES)
def test_file_is_large_and_has_every_kind_and_level(name: str) -> None:
    records = committed(name)
    assert len(records) >= 240
    assert {record["kind"] for record in records} == set(KINDS)
    assert set(Counter(record["level"] for record in records).values()) == {
        len(records) // len(LEVELS)
    }


@pytest.mark.parametrize("template", sorted((ROOT / "executor/templates").glob("*.json")))
def test_no_example_turn_is_a_problem_of_the_files(template: Path) -> None:
    turns = {turn["user"] for turn in json.loads(template.read_text(encoding="utf-8"))["turns"]}
    assert not turns & {record["problem"] for name in FILES for record in committed(name)}


@pytest.mark.parametrize("problem", generate(220, seed=11), ids=problem_id)
def test_solution_is_right(problem: WordProblem) -> None:
    *steps, final = problem.solution.split(STEP_DELIMITER)
    equations = [EQUATION.findall(step) for step in steps]
    assert all(len(found) == 1 and evaluates(*found[0]) for found in equations)
    assert equations[-1][0][-1] == problem.answer
    assert final == f"The answer is \\boxed{{{problem.answer}}}."


@pytest.mark.parametrize("problem", generate(220, seed=12), ids=problem_id)
def test_solution_starts_from_numbers_of_the_problem(problem: WordProblem) -> None:
    known = set(re.findall(r"\d+", problem.problem))
    for left, _, right, result in EQUATION.findall(problem.solution):
        assert {left, right} <= known
        known.add(result)


@pytest.mark.parametrize("problem", generate(220, seed=13), ids=problem_id)
def test_one_thing_is_singular_and_several_are_plural(problem: WordProblem) -> None:
    for number, noun in re.findall(r"\b(\d+) ([a-z]+)", problem.problem + problem.solution):
        if noun in {"more", "fewer", "to", "away", "each", "and", "into", "than", "at"}:
            continue
        assert noun.endswith("s") == (number != "1"), f"{number} {noun}"


def test_boxed_answer_is_read_by_math_verify() -> None:
    math_verify = pytest.importorskip("math_verify")
    problem = generate(1, seed=0)[0]
    gold = math_verify.parse(f"${problem.answer}$", parsing_timeout=None)
    answer = math_verify.parse(problem.solution, parsing_timeout=None)
    assert math_verify.verify(gold, answer, timeout_seconds=None)
