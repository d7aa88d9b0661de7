"""Choices of a multiple-choice question that are in fields of their own.

A policy is asked the question's text alone, so a record with such fields is refused: without its
choices, the question is another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_LISTS = frozenset(
    {
        "choices", "options", "choice_list", "answer_choices", "answer_options", "endings",
        "candidates", "alternatives", "possible_answers", "mc1_targets", "mc2_targets",
        "multiple_choices", "distractors", "incorrect_answers",
    }
)  # fmt: skip
"""Fields that hold all choices, in lower case."""
_ONE = re.compile(
    r"(?:option|choice|opt|op|ending|answer_?choice|sol|distractor|incorrect[ _]answer)"
    r"[ _-]?(?:[a-h]|\d)",
    re.IGNORECASE,
)
_LETTERS = "ABCDEFGH"
_NOTHING = frozenset({"[]", "{}", "null", "None", "nan"})
_ANSWERS = frozenset({"answer", "target", "answerkey", "answer_key", "label", "correct", "gold"})


def field_of_choices(fields: Mapping[str, Any], text: str) -> str | None:
    """The field with choices that the question's text does not have; None if there is none.

    Args:
        fields: a record.
        text: the question as a policy would get it.
    """
    for key, values in _choices(fields):
        if len(values) > 0 and not all(value.strip() in text for value in values):
            return key
    return None


def _choices(fields: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Fields with choices, and the choices in each."""
    for key, value in fields.items():
        if key.lower() in _LISTS:
            yield key, list(_texts(value))
    single = {key: list(_texts(v)) for key, v in fields.items() if _ONE.fullmatch(key)}
    letters = {key: list(_texts(fields[key])) for key in _LETTERS if key in fields}
    if len(letters) > 1 and {"A", "B"} <= letters.keys() and _answers_by(fields, letters):
        single |= letters
    if found := [key for key, values in single.items() if values]:
        yield found[0], [text for key in found for text in single[key]]


def _answers_by(fields: Mapping[str, Any], letters: Mapping[str, list[str]]) -> bool:
    """Whether the record's answer is one of the letters, or what stands in its field.

    Columns A and B may as well be parameters of a question.
    """
    answers = {str(v).strip() for key, v in fields.items() if key.lower() in _ANSWERS}
    contents = {text.strip() for texts in letters.values() for text in texts}
    return bool(answers & (letters.keys() | contents))


def _texts(value: Any) -> Iterator[str]:
    """The texts in a value: of a list, of an object, or of a list in text, as CSV has it."""
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, Mapping):
        # ARC has {"text": [...], "label": [...]}; others have letters as names.
        yield from _texts(value["text"] if "text" in value else list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif (text := str(value).strip()) and text not in _NOTHING:
        yield text
