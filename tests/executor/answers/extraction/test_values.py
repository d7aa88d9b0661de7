"""Values in prose are whole, and those that the text denies are left out."""

from __future__ import annotations

import pytest

from executor.answers.extraction.values import denied, values_in


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("from 5:30 PM to 3:4", ["5:30 PM", "3:4"]),
        ("10 - 3 = 7 left", ["10 - 3", "7"]),
        (r"[2, 5] and 9\pi cm^2", ["[2, 5]", r"9\pi"]),
        ("(about 5) of 12 m^2", ["5", "12"]),
        ("gpt2, a_5 and B12", []),
        ("7, not 5", ["7"]),
        ("5 +", []),
        ("", []),
    ],
)
def test_values_of_a_line(line: str, values: list[str]) -> None:
    assert [value.text for value in values_in(line)] == values


@pytest.mark.parametrize(
    ("line", "denies"), [("not 8", True), ("8 is wrong", True), ("so 8", False)]
)
def test_a_denied_value(line: str, denies: bool) -> None:
    start = line.index("8")
    assert denied(line, start, start + 1) is denies
