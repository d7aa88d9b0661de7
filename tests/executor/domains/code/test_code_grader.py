"""The grader of programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from executor.answers.reasons import GradeReason
from executor.domains.code.grader import CodeGrader
from executor.sandbox.suite import Source, Suite
from executor.testing.grader_conformance import GraderConformance

pytestmark = pytest.mark.process

ADD = "def add(a, b):\n    return a + b\n"
SUBTRACT = "def add(a, b):\n    return a - b\n"
REFERENCE = Suite((Source("assert add(1, 2) == 3"),), "add").to_json()


@pytest.fixture(scope="module")
def code_grader() -> Iterator[CodeGrader]:
    with CodeGrader() as grader:
        yield grader


JUDGED = [
    (ADD, GradeReason.TESTS_PASSED),
    ("    return a - b\n", GradeReason.SYNTAX_ERROR),
    ("def add(a, b):\n    return a * b\n", GradeReason.TEST_FAILED),
    ("def add(a, b: pass", GradeReason.SYNTAX_ERROR),
    ("import os\nos._exit(0)", GradeReason.PROGRAM_ENDED),
    (None, GradeReason.NO_ANSWER),
]


@pytest.mark.parametrize(("answer", "reason"), JUDGED)
def test_programs_are_judged(
    code_grader: CodeGrader, answer: str | None, reason: GradeReason
) -> None:
    assert code_grader.judge(answer, REFERENCE) is reason
    assert code_grader.correct(answer, REFERENCE) is reason.correct


def test_the_same_program_is_run_once(code_grader: CodeGrader) -> None:
    program = f"{ADD}# once\n"
    assert code_grader.correct(program, REFERENCE)
    before = code_grader.runs
    assert code_grader.correct(program, REFERENCE) and code_grader.runs == before


def test_a_reference_without_tests_is_an_error(code_grader: CodeGrader) -> None:
    with pytest.raises(ValueError, match="no tests"):
        code_grader.correct(ADD, '{"a": 1}')


class TestConformance(GraderConformance):
    """The suite of all graders."""

    @pytest.fixture
    def grader(self, code_grader: CodeGrader) -> CodeGrader:
        return code_grader

    @pytest.fixture
    def responses(self) -> Sequence[tuple[str, str | None]]:
        return [(f"So:\n```python\n{ADD}```\n", ADD), ("I cannot do that.", None)]

    @pytest.fixture
    def equal(self) -> Sequence[tuple[str, str]]:
        return [(ADD, "def add(a,b): return a+b\n")]

    @pytest.fixture
    def unequal(self) -> Sequence[tuple[str, str]]:
        return [(ADD, SUBTRACT)]

    @pytest.fixture
    def reference_of(self) -> Callable[[str], str]:
        test = Source("assert add(1, 2) == -1")
        return lambda program: Suite((test,), "add").to_json() if program == SUBTRACT else REFERENCE
