"""Problems whose answer is a program: the forms of files, and what of them is public."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.domains.code.grader import CodeGrader
from executor.errors import InputError
from executor.problem import PUBLIC_TESTS, Problem
from executor.sandbox.suite import Pair, Source, Suite
from profiling.problems.files import load_problems

PROMPT = 'def add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n'
HUMANEVAL = {
    "task_id": "HumanEval/0", "prompt": PROMPT, "entry_point": "add",
    "canonical_solution": "    return a + b\n", "level": "easy",
    "test": "def check(candidate):\n    assert candidate(7, 8) == 15\n",
}  # fmt: skip
MBPP = {
    "task_id": 11, "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\n    return a + b", "test_setup_code": "import math",
    "test_list": ["assert add(1, 2) == 3", "assert add(7, 8) == 15"],
    "challenge_test_list": ["assert add(-1, 1) == 0"],
}  # fmt: skip
PLAIN = {
    "id": "p", "prompt": "Add two numbers.", "entry_point": "add",
    "public_tests": ["assert add(1, 2) == 3"], "tests": "assert add(7, 8) == 15",
}  # fmt: skip
SCRIPT = {
    "prompt": "Read two numbers and print their sum.",
    "public_tests": [{"input": "1 2\n", "output": "3\n"}],
    "tests": {"inputs": ["7 8\n"], "outputs": ["15\n"]},
}
RIGHT = "def add(a, b):\n    return a + b\n"
RIGHT_SCRIPT = "print(sum(map(int, input().split())))\n"


def load(folder: Path, *records: dict[str, Any], **options: Any) -> list[Problem]:
    file = folder / "problems.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    return load_problems(file, **options)


def all_of(problem: Problem) -> Suite:
    assert problem.answer is not None
    return Suite.from_json(problem.answer)


def public_of(problem: Problem) -> Suite:
    return Suite.from_json(problem.meta[PUBLIC_TESTS])


def test_the_form_of_humaneval(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, HUMANEVAL)
    assert (problem.id, problem.domain, problem.meta["level"]) == ("HumanEval/0", "code", "easy")
    assert problem.text == PROMPT.strip("\n")
    suite = all_of(problem)
    assert (suite.entry_point, suite.head) == ("add", PROMPT)
    assert suite.units == (Source(str(HUMANEVAL["test"])),)
    assert public_of(problem).units == (Source("assert add(1, 2) == 3"),)


def test_the_form_of_mbpp(tmp_path: Path) -> None:
    (problem,) = load(tmp_path, MBPP)
    assert (problem.id, problem.domain) == ("11", "code")
    assert problem.text.endswith("must pass this test:\n\nassert add(1, 2) == 3")
    suite = all_of(problem)
    assert (suite.entry_point, suite.setup, len(suite.units)) == ("add", "import math", 3)
    assert public_of(problem).units == suite.units[:1]


def test_plain_records(tmp_path: Path) -> None:
    plain, script = load(tmp_path, PLAIN, SCRIPT)
    assert all_of(plain).units == (
        Source("assert add(1, 2) == 3"), Source("assert add(7, 8) == 15"),
    )  # fmt: skip
    assert public_of(plain).units == all_of(plain).units[:1]
    assert all_of(script).units == (Pair("1 2\n", "3\n"), Pair("7 8\n", "15\n"))


@pytest.mark.parametrize("record", [HUMANEVAL, MBPP, PLAIN, SCRIPT])
def test_hidden_tests_and_solutions_are_in_the_answer_alone(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    (problem,) = load(tmp_path, record)
    seen = json.dumps([problem.text, dict(problem.meta), problem.before, problem.begun])
    for secret in ("15", "return a + b"):
        assert secret not in seen
    assert problem.answer is not None and "15" in problem.answer
    assert "return a + b" not in problem.answer


@pytest.mark.process
def test_right_programs_pass(tmp_path: Path) -> None:
    with CodeGrader() as grader:
        for record in (HUMANEVAL, MBPP, PLAIN, SCRIPT):
            (problem,) = load(tmp_path, record)
            right = RIGHT_SCRIPT if record is SCRIPT else RIGHT
            assert problem.answer is not None
            assert grader.verdict(right, problem.answer).passed, record
            assert grader.verdict(right, problem.meta[PUBLIC_TESTS]).passed
            assert not grader.correct("def add(a, b):\n    return 3\n", problem.answer)


BAD = [
    ({"tests": [1]}, "field 'tests' has a test that is neither text in Python nor an object"),
    ({"tests": "assert add(1"}, "a test is not Python"),
    ({"tests": {"input": ["1"], "output": []}}, "has 1 inputs and 0 outputs; expected as many"),
    ({"entry_point": "add(a, b)"}, "field 'entry_point' is 'add(a, b)'; expected the name"),
    ({"public_tests": [{"input": "1"}]}, "field 'public_tests' has a test that is neither"),
    ({"prompt": 7}, "field 'prompt' has a value of type int; expected text"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_is_wrong_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, PLAIN | change)
    error = str(caught.value)
    assert "problems.jsonl, line 1: " in error and message in error and "\n" not in error


def test_a_domain_is_asked_for_or_named_by_the_record(tmp_path: Path) -> None:
    question = {"question": "Give it as JSON.", "answer": '{"a": 1}'}
    assert load(tmp_path, question)[0].domain == "maths"
    assert load(tmp_path, question, domain="json")[0].domain == "json"
    assert load(tmp_path, question | {"domain": "json"})[0].domain == "json"
    # Benchmarks of maths have fields of this name too.
    (algebra,) = load(tmp_path, question | {"domain": "algebra"})
    assert (algebra.domain, algebra.meta["domain"]) == ("maths", "algebra")
    with pytest.raises(InputError, match=r"line 1: has no tests \(fields: 'question', 'answer'\)"):
        load(tmp_path, question, domain="code")


def test_a_question_with_other_tests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 2"):
        load(tmp_path, PLAIN, PLAIN | {"id": "q", "tests": "assert add(0, 0) == 0"})
    assert len(load(tmp_path, PLAIN, PLAIN)) == 1
