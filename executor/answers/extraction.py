r"""Extraction of final answers from text, and of numbers from answers.

All of this is plain string work in the caller's process. It decides nearly every comparison of
word-problem answers, so the slow symbolic comparison (`executor.answers.grader.MathGrader`) sees
only the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from executor.answers import turns
from executor.answers.boxes import final_boxes, last_box_end, last_boxed
from executor.answers.choices import labelled
from executor.answers.clauses import LONGEST_CLAUSE, last_formula, last_number
from executor.answers.statements import bare, stated, vague

__all__ = [
    "LONGEST_ANSWER",
    "LONGEST_CLAUSE",
    "ROUNDED_PLACES",
    "Number",
    "Reading",
    "find_answer",
    "last_boxed",
    "parse_number",
    "read",
    "symbolic",
]

_WHOLE = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_DECIMAL = rf"(?:{_WHOLE}(?:\.\d+)?|\.\d+)"
_FRACTION = (
    rf"\\[dtc]?frac\s*(?:\{{\s*(?P<top>-?{_DECIMAL})\s*\}}|(?P<top_digit>\d))"
    rf"\s*(?:\{{\s*(?P<bottom>-?{_DECIMAL})\s*\}}|(?P<bottom_digit>\d))"
)
_NUMBER = re.compile(
    rf"(?P<sign>[+-]?)\s*(?:(?P<whole>{_WHOLE})?\s*{_FRACTION}"
    rf"|(?:(?P<count>{_WHOLE})\s+)?(?P<over>{_DECIMAL})\s*/\s*(?P<under>{_DECIMAL})"
    rf"|(?P<decimal>{_DECIMAL})\.?)"
)
_ASSIGNMENT = re.compile(r"(?P<variable>[A-Za-z]\w{0,8})\s*=\s*(?P<value>[^=]+)")
_TEXT_AND = re.compile(r"\\(?:text|textrm|mbox)\{[, ]{0,3}(?:and|or) {0,3}\}")
_CONDITION = re.compile(r"[<>]|\\(?:leq?|geq?|lt|gt|neq?|in|cup)(?![A-Za-z])|^\s*$")
_TEXT_MACRO = re.compile(r"\\(?:text|textbf|textit|textrm|mbox|mathrm|mathbf)\s*\{([^{}]*)\}")
_UNIT_MACRO = re.compile(r"\s*\\(?:text|textrm|mbox|mathrm)\s*\{([A-Za-z .]*)\}(?:\^\{?[23]\}?)?$")
_UNIT_WORDS = re.compile(r"[\s~]+([A-Za-z]{2,}[A-Za-z .]*)(?:\^\{?[23]\}?)?$")
_DEGREES = re.compile(r"\^\s*(?:\{\s*\\circ\s*\}|\\circ(?![A-Za-z]))|°")
_NOT_UNITS = frozenset(
    {
        "am",
        "pm",
        "million",
        "thousand",
        "billion",
        "trillion",
        "hundred",
        "dozen",
        "and",
        "or",
        "to",
        "of",
        "pi",
        "over",
        "half",
        "halves",
        "third",
        "thirds",
        "quarter",
        "quarters",
        "squared",
        "cubed",
        "sqrt",
        "mod",
        "plus",
        "minus",
        "times",
    }
)
_NOT_WORDS = frozenset({"inf", "infinity", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "log"})

LONGEST_ANSWER = 1000
"""Longest answer in characters that is parsed; longer ones are compared as strings."""

ROUNDED_PLACES = 5
"""Decimals with at least this many places count as rounded (0.66667 for 2/3)."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number, with the precision it was written in.

    Attributes:
        value: exact value.
        places: digits after the decimal point; 0 for whole numbers and fractions.
    """

    value: Fraction
    places: int = 0

    def same_as(self, other: Number) -> bool:
        """Whether two numbers are equal; a long decimal equals every number that rounds to it.

        A decimal of `ROUNDED_PLACES` or more places is a rounded figure in the benchmarks
        (`0.6666666667`): it equals every number within half a unit of its last place.
        Shorter decimals are exact: 0.33 is not 1/3. Symmetric.
        """
        if self.value == other.value:
            return True
        rounded = [n.places for n in (self, other) if n.places >= ROUNDED_PLACES]
        if not rounded:
            return False
        gap = abs(self.value - other.value)
        return 2 * gap <= Fraction(1, 10 ** min(rounded))


@dataclass(frozen=True, slots=True)
class Reading:
    """The reading of an answer by plain string work.

    Attributes:
        canonical: the answer without parts that do not change its meaning: spaces, dollar and
            per cent signs, degrees, sizes of brackets and fractions, `\\text{}`, a full stop.
        number: the number, or None if the answer is not a plain number.
        word: whether it is words ("Evelyn", "no solution"), where letters are not symbols.
    """

    canonical: str
    number: Number | None
    word: bool


@lru_cache(maxsize=65536)
def read(answer: str) -> Reading:
    """Read one answer; cached, since a run repeats the same few answers."""
    if len(answer) > LONGEST_ANSWER:
        return Reading(_canonical(answer), None, False)
    text = symbolic(answer)
    unwrapped = " ".join(_TEXT_MACRO.sub(r"\1", text).split()).rstrip(". ")
    choice = re.fullmatch(r"\(\s*([A-Z])\s*\)", unwrapped)
    if choice:
        unwrapped = choice.group(1)
    word = _is_word(unwrapped, wrapped=unwrapped != text)
    canonical = _canonical(unwrapped)
    return Reading(canonical.casefold() if word else canonical, parse_number(text), word)


def parse_number(text: str) -> Number | None:
    r"""Return the number that `text` as a whole spells, or None.

    Reads whole numbers, decimals, thousands commas, `a/b`, `\frac{a}{b}`, `\frac43` and mixed
    numbers (`1\frac{4}{5}`, `1 4/5`). Currency, per cent and degree signs and a unit after the
    number are dropped, as the benchmarks' graders do: 50% reads as 50, not as 0.5.
    """
    if len(text) > LONGEST_ANSWER:
        return None
    text = _without_unit(symbolic(text))
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    part = found.groupdict()
    sign = -1 if part["sign"] == "-" else 1
    if part["decimal"]:
        places = len(part["decimal"].partition(".")[2])
        return Number(sign * _fraction(part["decimal"]), places)
    top = part["top"] or part["top_digit"] or part["over"]
    bottom = part["bottom"] or part["bottom_digit"] or part["under"]
    if _fraction(bottom) == 0:
        return None
    whole = part["whole"] or part["count"]
    quotient = _fraction(top) / _fraction(bottom)
    return Number(sign * (quotient + (_fraction(whole) if whole else 0)))


def find_answer(response: str) -> str | None:
    r"""Return the final answer of a response, or None if it has none.

    It is the first of these that exists: the last non-empty `\boxed{}`, or several that belong
    together; the answer of the last statement such as "the answer is", "answer:" or `####`; the
    whole response, if it is nothing but a value or the letter of a choice; the formula with which
    it ends; its last number.

    A list is written with commas ("2, 3"). A thought (`<think>`) counts only if nothing outside it
    has an answer, and a question that the response invents after its answer ends the response. A
    `\boxed{` that is never closed belongs to a response that was cut off and may hold half an
    answer, so its content is not read.
    """
    for part in turns.visible_first(response):
        answer = _first_turn(part)
        if answer is not None:
            return answer
    return None


def _first_turn(whole: turns.Part) -> str | None:
    """The answer before the first invented question, if there is one, else that of all."""
    for part in turns.before_questions(whole):
        answer = (
            (_joined(stated(part.text[last_box_end(part.text) :])) if part.thought else None)
            or _explicit(part.text)
            or _implied(part)
        )
        if answer is not None:
            return answer
    return None


def _explicit(text: str) -> str | None:
    """The answer that a text boxes or states."""
    contents, end = final_boxes(text)
    answers = contents or stated(text[:end])
    if len(answers) == 1:
        return labelled(answers[0]) or _joined(_several(answers[0]))
    return _joined(answers)


def _implied(part: turns.Part) -> str | None:
    """The text itself if it is nothing but an answer; else the formula or number that ends it."""
    text = part.text[: final_boxes(part.text)[1]]
    answer = _joined(bare(text))
    if answer or not part.implied:
        return answer
    formula = last_formula(text)
    if formula:
        return _joined(_several(formula))
    return last_number(text.replace("\u2212", "-")) or _joined(vague(text))


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
    first = parse_number(answers[0])
    if len(set(answers)) == 1 or (
        first and all((n := parse_number(a)) and n.value == first.value for a in answers[1:])
    ):
        return answers[0]
    parts = [_ASSIGNMENT.fullmatch(answer) for answer in answers]
    variables = [part["variable"] if part else None for part in parts]
    # "x = 2 or 3" names its variable once.
    if variables[0] and set(variables[1:]) in ({None}, {variables[0]}):
        answers = [part["value"] if part else a for part, a in zip(parts, answers, strict=True)]
    return ", ".join(answers)


def symbolic(text: str) -> str:
    """Drop dollar, per cent and degree signs and thin spaces; spell pi and sqrt in LaTeX."""
    text = re.sub(r",\\!\s*", ",", text.replace("\u2212", "-"))
    text = re.sub(r"(?<!\\)\\[()!;:]|\\?[$%]", "", text)
    text = re.sub(r"(?<!\\)\\[, ]|~", " ", text)
    text = re.sub(r"(?<![\\A-Za-z])pi(?![A-Za-z])", r"\\pi", text)
    text = re.sub(r"(?<![\\A-Za-z])sqrt\(([^()]*)\)", r"\\sqrt{\1}", text)
    return _DEGREES.sub("", text).strip()


def _without_unit(text: str) -> str:
    """Drop a unit after a number: `18\\text{ dollars}`, `15\\mbox{ cm}^2`, `18 dollars`."""
    text = text.strip().rstrip(".").rstrip()
    for pattern in (_UNIT_MACRO, _UNIT_WORDS):
        unit = pattern.search(text)
        if unit and unit.start() and _NOT_UNITS.isdisjoint(_words(unit.group(1))):
            return text[: unit.start()].rstrip()
    unwrapped = _TEXT_MACRO.fullmatch(text)
    return unwrapped.group(1).strip() if unwrapped else text


def _words(text: str) -> list[str]:
    return text.replace(".", "").casefold().split()


def _is_word(text: str, *, wrapped: bool) -> bool:
    """Whether the letters form words: three in a row, or two that LaTeX sets as text."""
    if not re.fullmatch(r"[^\W\d_][^\W\d_' .]*(?:[ .'][^\W\d_' .]*)*", text):
        return False
    shortest = 2 if wrapped else 3
    return any(len(w) >= shortest for w in _words(text)) and _NOT_WORDS.isdisjoint(_words(text))


def _canonical(text: str) -> str:
    text = re.sub(r"\\(?:left|right)(?![A-Za-z])", "", text)
    text = re.sub(r"\\[dtc]frac(?![A-Za-z])", r"\\frac", text)
    text = re.sub(r"([_^])\{(\w)\}", r"\1\2", text)
    # "1 4/5" is not 14/5.
    return re.sub(r"(?<!\d)\s+|\s+(?!\d)", "", text)


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))
