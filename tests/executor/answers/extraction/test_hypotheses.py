"""Sentences about another case are told from those about the question."""

from __future__ import annotations

import pytest

from executor.answers.extraction.hypotheses import is_conditional, without_hypotheses


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("It is 5. If it were 3, the answer would be 8. Yes.", "It is 5. Yes."),
        ("The answer is 5, and if it were 3, it would be 8.", "The answer is 5, and "),
        ("If we add them, the answer would be 8.", "If we add them, the answer would be 8."),
        ("If she had 3, she would sell 2.", "If she had 3, she would sell 2."),
        ("She would like 5.", "She would like 5."),
    ],
)
def test_a_text_without_hypotheses(text: str, rest: str) -> None:
    assert without_hypotheses(text, boxed=True) == rest


@pytest.mark.parametrize("boxed", [True, False])
def test_a_box_goes_only_if_boxes_may(boxed: bool) -> None:
    text = r"If it were 3, it would be \boxed{8}."
    assert without_hypotheses(text, boxed=boxed) == ("" if boxed else text)


@pytest.mark.parametrize(
    ("text", "conditional"),
    [
        ("If it is 3, the answer", True),
        ("如果是3，答案", True),
        ("If we add, the answer", False),
        ("If so, yes. The answer", False),
    ],
)
def test_a_statement_behind_a_condition(text: str, conditional: bool) -> None:
    place = max(text.find("the answer"), text.find("The answer"), text.find("答案"))
    assert is_conditional(text, place) is conditional
