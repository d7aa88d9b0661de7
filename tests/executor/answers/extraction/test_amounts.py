"""Quantities: values, scales, units, and formulas that go on."""

from __future__ import annotations

import pytest

from executor.answers.extraction.amounts import NUMBER_IN_PROSE, Quantity, quantity_at


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("42", Quantity("42", "", 2, 2)),
        ("42 apples in 7 boxes", Quantity("42", "apples", 2, 9)),
        ("3 million people", Quantity("3 million", "people", 9, 16)),
        ("25% of it", Quantity("25", "", 2, 3, percent=True)),
        ("$2x$ cm", Quantity("2x", "cm", 4, 7)),
        ("x = 5 and", Quantity("x = 5", "", 5, 5)),
        ("(1, 2)", Quantity("(1, 2)", "", 6, 6)),
        ("3小时", Quantity("3", "小时", 1, 3)),
        ("3 times x", Quantity("3", "", 1, 1, goes_on=True)),
        ("3x", Quantity("3", "", 1, 1, goes_on=True)),
        ("3 + 4", Quantity("3", "", 1, 1, goes_on=True)),
    ],
)
def test_a_quantity_has_a_value_and_a_unit(text: str, quantity: Quantity) -> None:
    assert quantity_at(text, 0) == quantity


@pytest.mark.parametrize("text", ["", "apples", "(see below)", r"\sqrt{2}", "$"])
def test_other_text_is_no_quantity(text: str) -> None:
    assert quantity_at(text, 0) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("10-3", ["10", "3"]),
        ("from -5 to $7", ["-5", "$7"]),
        ("gpt2 has 3 million", ["3 million"]),
        ("7 dozen", ["7"]),
    ],
)
def test_numbers_in_prose(text: str, numbers: list[str]) -> None:
    assert [number.group() for number in NUMBER_IN_PROSE.finditer(text)] == numbers
