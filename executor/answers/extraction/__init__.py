r"""Extraction of the final answer from a response, by plain string work in linear time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from executor.answers.extraction import turns
from executor.answers.extraction.boxes import (
    VOID,
    final_boxes,
    last_box_end,
    last_boxed,
    without_void_boxes,
)
from executor.answers.extraction.choices import labelled, with_content
from executor.answers.extraction.clauses import (
    LONGEST_CLAUSE,
    answers_in,
    is_only_a_value,
    last_formula,
    last_values,
)
from executor.answers.extraction.hypotheses import without_hypotheses
from executor.answers.extraction.statements import bare, begins, stated, vague
from executor.answers.extraction.values import denied
from executor.answers.extraction.words import before_reason, only_words
from executor.answers.reading import spelt_number

__all__ = ["LONGEST_CLAUSE", "find_answer", "last_boxed"]

_ASSIGNMENT = re.compile(r"(?P<variable>[A-Za-z]\w{0,8})\s*=\s*(?P<value>[^=]+)")
_TEXT_AND = re.compile(r"\\(?:text|textrm|mbox)\{[, ]{0,3}(?:and|or) {0,3}\}")
_CONDITION = re.compile(r"[<>]|\\(?:leq?|geq?|lt|gt|neq?|in|cup)(?![A-Za-z])|^\s*$")
LONGEST_LINE = 1000
"""Most characters of the last line in which a bold value is looked for."""

_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_GIVEN = re.compile(r"\b(?:of|from|with|after|by|in|per|for|than|step)\s(?:the\s)?$", re.IGNORECASE)
_MINUS = re.compile(r"\u2212|(?<![\w)\]}])\u2013(?=[\d$])")


_RETRACTED = re.compile(
    r"\b(?:[Ww]ait|[Oo]ops|[Cc]orrection|mistake|(?:[Tt]hat|[Tt]his)(?:'s|\sis|\swas)\s(?:wrong|incorrect|not\sright))\b"
)
"""Words after a box that take it back, if another answer is stated behind them."""


def find_answer(response: str) -> str | None:
    r"""Return the final answer of a response, or None if it has none.

    It is the first of these that exists: the last non-empty `\boxed{}`, or several that belong
    together; the answer of the last statement such as "the answer is", "answer:" or `####`; the
    whole response, if it is nothing but a value, the letter of a choice or an answer in a few
    words; the formula with which it ends; its last value, whole.

    A box that holds no answer (`\boxed{?}`), what the response denies ("not 8") and a sentence that
    says what the answer would be in another case state nothing.

    A list is written with commas ("2, 3"). A thought (`<think>`) counts only if it ended and
    nothing outside it has an answer, and a question that the response invents after its answer
    ends the response. A `\boxed{` that is never closed belongs to a response that was cut off and
    may hold half an answer, so its content is not read.
    """
    for part in turns.visible_first(response):
        answer = _first_turn(part)
        if answer is not None:
            return answer
    return None


def _first_turn(whole: turns.Part) -> str | None:
    """The answer before the first invented question, if there is one, else that of all."""
    for part in turns.before_questions(whole):
        answer = _of_part(replace(part, text=without_void_boxes(part.text)))
        # What holds the place of a void box is only a part of an answer.
        if answer is not None and (VOID not in answer or VOID in part.text):
            return answer
    return None


def _of_part(part: turns.Part) -> str | None:
    text = without_hypotheses(part.text, boxed=False)
    actual = without_hypotheses(text, boxed=True)
    return (
        (_joined(stated(actual[last_box_end(actual) :])) if part.thought else None)
        or _explicit(actual)
        or (_explicit(text) if text != actual else None)
        or _implied(replace(part, text=text))
    )


def _explicit(text: str) -> str | None:
    """The answer that a text boxes or states."""
    contents, end = final_boxes(text)
    if contents and (retracted := _RETRACTED.search(text, last_box_end(text), end)):
        later = _joined(stated(text[retracted.start() : end]))
        if later:
            return later
    answers = contents or stated(text[:end])
    if len(answers) == 1:
        choice = (with_content(answers[0]) if contents else None) or labelled(answers[0])
        if contents and not choice:
            choice = _named_after_box(answers[0], text)
        return choice or _joined(_several(answers[0]))
    return _joined(answers)


def _named_after_box(content: str, text: str) -> str | None:
    r"""A boxed value with the letter of the choice that is stated after it: "Answer: D"."""
    named = stated(text[last_box_end(text) :])
    letter = named[0] if len(named) == 1 and len(named[0]) == 1 and named[0].isupper() else None
    # "(D) -2" would be a difference.
    known = letter and labelled(letter) and content[0] not in "-+=*/^_<>"
    return f"({letter}) {content}" if known else None


def _implied(part: turns.Part) -> str | None:
    """The text itself if it is nothing but an answer; else the formula or number that ends it."""
    text = part.text[: final_boxes(part.text)[1]]
    answer = _joined(bare(text)) or only_words(text) or before_reason(text)
    if answer or not part.implied:
        return answer
    formula = last_formula(text)
    if formula:
        return _joined(_several(formula))
    signed = text if text.isascii() else _MINUS.sub("-", text)
    return _joined(_emphasized(signed)) or _joined(last_values(signed)) or _joined(vague(text))


def _emphasized(text: str) -> Sequence[str]:
    """The value that alone is bold in the last line, and does not begin it; () if there is none."""
    line = text.rstrip()[-LONGEST_LINE:].rpartition("\n")[2]
    bold = list(_BOLD.finditer(line))
    if len(bold) != 1 or line.count("**") != 2 or not line[: bold[0].start()].strip(" -*#>"):
        return ()
    if _GIVEN.search(line, 0, bold[0].start()) or denied(line, bold[0].start(), bold[0].end()):
        return ()
    return answers_in(begins(bold[0][1])) if is_only_a_value(bold[0][1]) else ()


def _several(answer: str) -> Sequence[str]:
    r"""The answers of a formula such as `x=3 \text{ or } x=5`; conditions stay together."""
    if "\\" not in answer:
        return [answer]
    parts = _TEXT_AND.split(answer)
    together = any(p.count("{") != p.count("}") or _CONDITION.search(p) for p in parts)
    return [answer] if together else [part.strip(" ,;") for part in parts]


def _joined(answers: Sequence[str]) -> str | None:
    """Write the answers of a list as one; those that are one number are one answer.

    `x=2, x=3` loses its variable, `x=2, y=3` keeps both.
    """
    if len(answers) < 2:
        return answers[0] if answers else None
    if len(set(answers)) == 1 or _is_one_number(answers):
        return answers[0]
    parts = [_ASSIGNMENT.fullmatch(answer) for answer in answers]
    variables = [part["variable"] if part else None for part in parts]
    # "x = 2 or 3" names its variable once.
    if variables[0] and set(variables[1:]) in ({None}, {variables[0]}):
        answers = [part["value"] if part else a for part, a in zip(parts, answers, strict=True)]
    return ", ".join(answers)


def _is_one_number(answers: Sequence[str]) -> bool:
    numbers = [spelt_number(answer) for answer in answers]
    return None not in numbers and len({number.value for number in numbers if number}) == 1
