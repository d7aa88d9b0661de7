"""Whole responses of words are told from refusals and beginnings."""

from __future__ import annotations

import pytest

from executor.answers.extraction.words import only_words


@pytest.mark.parametrize(
    ("text", "answer"),
    [("**Yes.**", "Yes"), ("No, it isn't.", "No"), ("No solution", "No solution"), ("∅", "∅")],
)
def test_an_answer_of_words(text: str, answer: str) -> None:
    assert only_words(text) == answer


@pytest.mark.parametrize("text", ["", "Sorry", "We have", "Is it?", "Solution:", "x", "word " * 20])
def test_other_words_are_no_answer(text: str) -> None:
    assert only_words(text) is None
