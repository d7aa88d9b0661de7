"""Letters of choices are told from variables, ratios and names."""

from __future__ import annotations

import pytest

from executor.answers.extraction.choices import alone, labelled, leading


@pytest.mark.parametrize("answer", ["B", "(B)", "B. 12", r"\textbf{(B)}\ 12", "Option B", "B) x+1"])
def test_a_labelled_answer_is_its_letter(answer: str) -> None:
    assert labelled(answer) == "B"


@pytest.mark.parametrize(
    "answer", ["b", "A:B", "A: 5, B: 3", "(B)^2", "(A, B)", "B_4", "B = 5", "Bob", "K", "12", ""]
)
def test_other_answers_have_no_letter(answer: str) -> None:
    assert labelled(answer) is None


@pytest.mark.parametrize(
    ("clause", "letters"),
    [
        ("(C) 12", ("C",)),
        ("C, D or E", ("C", "D", "E")),
        ("C because 3 < 4", ("C",)),
        ("option c", ("C",)),
        ("C + D", ()),
        ("Carl", ()),
        ("A rectangle", ()),
    ],
)
def test_letters_that_a_clause_begins_with(clause: str, letters: tuple[str, ...]) -> None:
    assert leading(clause) == letters


@pytest.mark.parametrize(
    ("line", "letter"), [("**(B)**", "B"), ("B.", "B"), ("b", None), ("", None)]
)
def test_a_line_of_one_letter(line: str, letter: str | None) -> None:
    assert alone(line) == letter
