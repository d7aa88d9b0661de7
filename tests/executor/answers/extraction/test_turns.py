"""Thoughts and invented questions are told from the answer's own text."""

from __future__ import annotations

import pytest

from executor.answers.extraction.turns import Part, before_questions, visible_first


@pytest.mark.parametrize(
    ("response", "parts"),
    [
        ("a", [Part("a", True)]),
        (
            "a<think>b</think>c",
            [Part("ac", False), Part("c", True), Part("b", True, thought=True)],
        ),
        (
            "a</think>b",
            [Part("b", False), Part("b", True), Part("a", True, thought=True)],
        ),
        (
            "a<think>b",
            [Part("a", False), Part("", True)],
        ),
        (
            "a<think>b</think>c<think>d",
            [Part("ac", False), Part("", True), Part("b", True, thought=True)],
        ),
        ("I think <b>so</b>", [Part("I think <b>so</b>", True)]),
    ],
)
def test_visible_text_goes_before_thoughts(response: str, parts: list[Part]) -> None:
    assert list(visible_first(response)) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", [Part("a", True)]),
        ("a\nHuman: b", [Part("a", True), Part("a\nHuman: b", True)]),
        ("a\nQuestion: b", [Part("a", False), Part("a\nQuestion: b", True)]),
        ("1 + 1 = 2\nQ: b", [Part("1 + 1 = 2", True), Part("1 + 1 = 2\nQ: b", True)]),
        ("the question: b", [Part("the question: b", True)]),
        ("Question: b", [Part("Question: b", True)]),
    ],
)
def test_a_question_on_its_own_line_ends_a_part(text: str, parts: list[Part]) -> None:
    assert list(before_questions(Part(text, True))) == parts
