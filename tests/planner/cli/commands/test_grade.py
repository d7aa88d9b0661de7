"""`apportion grade`: a line for each answer, a document with --json, one line for an error."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from planner.cli.main import main

LINES = r"""
{"id": "q1", "response": "So it is \\boxed{\\frac{1}{2}}.", "reference": "0.5"}
{"id": "q2", "response": "[b]Four :smile: 4[/b]", "reference": "3"}
{"id": "q3", "answer": "2/4", "reference": 0.5}
{"id": "q4", "answer": null, "reference": "7"}
{"id": "q5", "answer": "élan", "reference": "Élan"}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "answers.jsonl"
    path.write_text(LINES, encoding="utf-8")
    return str(path)


def test_a_line_for_each_answer_and_a_summary(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = io.StringIO()
    assert main(["grade", file], stdout=page) == 0
    rows = [json.loads(line) for line in page.getvalue().splitlines()]
    assert [(row["id"], row["correct"], row["why"]) for row in rows] == [
        ("q1", True, "same value"),
        ("q2", False, "different values"),
        ("q3", True, "same value"),
        ("q4", False, "no answer found"),
        ("q5", True, "same text"),
    ]
    assert set(rows[0]) == {"id", "extracted", "correct", "why", "reason"}
    assert "élan" in page.getvalue()
    summary = capsys.readouterr().err
    assert "3 of 5 right: 0.600 [0.209, 0.906] (95 % interval)" in summary
    assert "2 same value" in summary and "1 no answer found" in summary


def test_one_list_as_json(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = io.StringIO()
    assert main(["grade", "--json", "--domain", "maths", file], stdout=page) == 0
    document = json.loads(page.getvalue())
    assert [row["correct"] for row in document] == [True, False, True, False, True]
    assert document[0]["extracted"] == r"\frac{1}{2}"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--domain", "physics"],
            "domain 'physics' is not known; expected maths or code or json or exact",
        ),
        (
            ["--domain", "math"],
            "domain 'math' is not known; expected maths or code or json or exact; did you mean "
            "maths?",
        ),
    ],
)
def test_a_wrong_option_is_one_line_and_code_2(
    file: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = io.StringIO()
    assert main(["grade", file, *options], stdout=page) == 2
    assert capsys.readouterr().err == f"apportion: {message}\n"
    assert page.getvalue() == ""


def test_a_bad_line_is_one_line_and_code_2(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(file)
    path.write_text(path.read_text(encoding="utf-8") + '{"answer": 1}\n', encoding="utf-8")
    page = io.StringIO()
    assert main(["grade", file], stdout=page) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"apportion: {file}, line 7: no field 'reference'")
    assert error.count("\n") == 1 and page.getvalue() == ""
