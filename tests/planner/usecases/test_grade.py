"""Grades of answers and their reasons, from records and from files."""

from __future__ import annotations

import gzip
import io
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from executor.answers.reasons import GradeReason
from executor.domains import registry
from executor.domains.registry import Domain
from executor.errors import InputError
from planner.report.grades import why
from planner.usecases.grade import Gradable, Grade, grade
from tests.helpers.hostile_grader import ENDLESS, HostileGrader

LONG = "9" * 1001

PLAIN = [
    (Gradable("0.5", response=r"So it is \boxed{\frac{1}{2}}."), r"\frac{1}{2}", "same_value"),
    (Gradable("18", response="The answer is 18 dollars."), "18", "same_text"),
    (Gradable("18", answer="18"), "18", "same_text"),
    (Gradable("evelyn", answer="Evelyn"), "Evelyn", "same_text"),
    (Gradable("18", answer="19"), "19", "different_values"),
    (Gradable("18", answer="eighteen"), "eighteen", "same_value"),
    (Gradable("18", answer="many"), "many", "different_values"),
    (Gradable("18", response="I do not know."), None, "no_answer"),
    (Gradable("18", response=""), None, "no_answer"),
    (Gradable("18"), None, "no_answer"),
    (Gradable("x+1", answer=LONG), LONG, "too_long"),
]


@pytest.mark.parametrize(("given", "extracted", "reason"), PLAIN)
def test_reasons(given: Gradable, extracted: str | None, reason: str) -> None:
    assert grade([given]).grades == (Grade(extracted, GradeReason(reason)),)


@pytest.mark.process
def test_reasons_of_symbolic_comparisons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hostile = Domain("maths", partial(HostileGrader, tmp_path))
    monkeypatch.setattr(registry, "find_domain", lambda name: hostile)
    graded = grade(
        [
            Gradable("(x+1)^2", answer="(X+1)^2"),
            Gradable("(x+1)^2", answer="x^2+2x"),
            Gradable("7x", answer=ENDLESS[0]),
            Gradable("x", answer="x+@"),
        ]
    )
    assert [one.reason.value for one in graded.grades] == [
        "same_value", "different_values", "timed_out", "not_parsed",
    ]  # fmt: skip
    assert [one.correct for one in graded.grades] == [True, False, False, False]


def test_order_names_and_counts_are_kept() -> None:
    graded = grade([Gradable("3", answer=str(i % 4), id=i) for i in range(100)])
    assert [one.id for one in graded.grades] == list(range(100))
    assert (graded.right, graded.accuracy) == (25, 0.25)
    low, high = graded.interval
    assert 0.1 < low < 0.25 < high < 0.4
    assert graded.reasons == {GradeReason.DIFFERENT_VALUES: 75, GradeReason.SAME_TEXT: 25}


def test_every_reason_has_words_of_its_own() -> None:
    assert len({why(reason) for reason in GradeReason}) == len(GradeReason)


def test_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(
        b'\xef\xbb\xbf{"answer": 0.50, "reference": "1/2", "id": "a"}\r\n\n'
        b'{"response": "#### 1\xe2\x80\xa8", "reference": 1, "extra": [1], "id": 1.5}\n'
        b'{"answer": null, "reference": "x"}'
    )
    assert [one.to_dict() for one in grade(file).grades] == [
        {"id": "a", "extracted": "0.50", "correct": True, "why": "same value",
         "reason": "same_value"},
        {"id": 1.5, "extracted": "1", "correct": True, "why": "same text",
         "reason": "same_text"},
        {"extracted": None, "correct": False, "why": "no answer found", "reason": "no_answer"},
    ]  # fmt: skip


def test_the_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = io.TextIOWrapper(io.BytesIO(b'{"answer": "1", "reference": "1"}\n{"answer": 2}'))
    monkeypatch.setattr(sys, "stdin", lines)
    with pytest.raises(InputError, match="standard input, line 2: no field 'reference'"):
        grade("-")


BAD: list[tuple[str, str]] = [
    ("[1]", "is not a JSON object"),
    ("7", "is not a JSON object"),
    ("{'answer': 1}", "not JSON"),
    ('{"answer": NaN, "reference": "1"}', "not JSON"),
    ('{"answer": "1"}', "no field 'reference' (fields: 'answer')"),
    ("{}", "no field 'reference' (fields: none)"),
    ('{"reference": "1"}', "has neither 'response' nor 'answer'"),
    ('{"answer": "1", "response": "1", "reference": "1"}', "has both 'response' and 'answer'"),
    ('{"response": null, "reference": "1"}', "field 'response' is null"),
    ('{"answer": "1", "reference": null}', "field 'reference' is null"),
    ('{"answer": "1", "reference": "  "}', "field 'reference' is empty"),
    (
        '{"answer": "1", "reference": "' + "words that explain and name nothing " * 4 + '"}',
        "field 'reference' is a text of 144 characters that names no answer; expected the final",
    ),
    (r'{"answer": "\frac{1}{2}", "reference": "1"}', "holds a form feed before 'rac{1}{2}'"),
    (r'{"answer": "1", "reference": "3 \times 4"}', "holds a tab before 'imes 4'"),
    ('{"answer": true, "reference": "1"}', "field 'answer' is true"),
    ('{"answer": ["1"], "reference": "1"}', "field 'answer' is [\"1\"]"),
    ('{"answer": {"a": 1.5}, "reference": "1"}', 'field \'answer\' is {"a": "1.5"}'),
    ('{"answer": "1", "reference": "1", "id": [1]}', "field 'id' is list"),
]


def test_of_a_solution_given_as_the_reference_the_final_answer_counts(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(r'{"answer": "5", "reference": "We add, so $\\boxed{5}$."}')
    assert grade(file).right == 1


@pytest.mark.parametrize(("line", "message"), BAD)
def test_a_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_text('{"answer": "1", "reference": "1"}\n' + line + "\n")
    with pytest.raises(InputError) as caught:
        grade(file)
    error = str(caught.value)
    assert error.startswith(f"{file}, line 2: ") and message in error and "\n" not in error
    assert any(hint in error for hint in ("expected", "needed", "not JSON", "write "))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.jsonl", "missing.jsonl: no such file"),
        (".", r"\.: is a folder; expected a JSONL file"),
        ([], "nothing to grade; expected at least one answer"),
    ],
)
def test_what_cannot_be_read_is_one_line(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        grade(given)


def test_files_of_another_kind(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    file.write_bytes(b"\n \n")
    with pytest.raises(InputError, match="holds nothing to grade; expected"):
        grade(file)
    file.write_bytes(b'{"answer": "1", "reference": "1"}\n\xff\xfe')
    with pytest.raises(InputError, match=r"line 2: is not UTF-8 \(byte 1\)"):
        grade(file)


def test_a_domain_that_is_not_known() -> None:
    with pytest.raises(InputError, match="domain 'physics' is not known; expected maths"):
        grade([Gradable("1", answer="1")], domain="physics")


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"answer": "0.5", "reference": "1/2"}\n'))
    assert grade(file).right == 1


CODE_LINES = [
    ({"response": "```python\ndef add(a, b):\n    return a + b\n```"}, "tests_passed", ""),
    ({"answer": "def add(a, b):\n    return a - b\n"}, "test_failed", "assert add(1, 2) == 3"),
    ({"answer": "import sys\nsys.exit(0)"}, "program_raised", "SystemExit"),
    ({"response": "I do not know."}, "no_answer", ""),
]


@pytest.mark.process
@pytest.mark.parametrize(("given", "reason", "quoted"), CODE_LINES)
def test_programs_are_graded_by_their_tests(
    tmp_path: Path, given: dict[str, str], reason: str, quoted: str
) -> None:
    file = tmp_path / "programs.jsonl"
    file.write_text(json.dumps(given | {"id": 1, "tests": "assert add(1, 2) == 3"}))
    (one,) = grade(file, domain="code").grades
    record = one.to_dict()
    assert (record["reason"], record["correct"]) == (reason, reason == "tests_passed")
    assert record["why"].startswith(why(GradeReason(reason))) and quoted in record["why"]


def test_other_domains_are_graded_by_their_own_rules() -> None:
    answers = [Gradable('{"a": 1.0}', answer='{"a":1}'), Gradable("[1]", answer="[2]")]
    reasons = [one.reason.value for one in grade(answers, domain="json").grades]
    assert reasons == ["same_value", "different_values"]


def test_programs_without_tests_are_named(tmp_path: Path) -> None:
    file = tmp_path / "programs.jsonl"
    file.write_text('{"answer": "x = 1", "reference": "1"}\n')
    with pytest.raises(InputError, match=r"line 1: has no tests .*; expected tests, or"):
        grade(file, domain="code")
