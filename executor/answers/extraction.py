r"""Extraction of final answers from text, and of numbers from answers.

All of this is plain string work in the caller's process. It decides nearly every comparison of
word-problem answers, so the slow symbolic comparison (`executor.answers.grader.MathGrader`) sees
only the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

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
# In prose a minus directly after a digit, a letter or a bracket is a subtraction, not a sign.
_NUMBER_IN_PROSE = re.compile(
    rf"(?<![\w.])(?:(?<![\w)\]}}])-(?=[\d.$\\]))?(?:\\?\$\s?)?"
    rf"(?:{_WHOLE}?\s?\\[dtc]?frac\{{-?\d+\}}\{{\d+\}}|{_DECIMAL}(?:\s?/\s?{_DECIMAL})?)"
)
_ANSWER_LEAD = re.compile(
    r"####[ \t]*|\banswer[ \t*]{0,6}(?:is\b|:|=)[ \t*]*:?[ \t*]*", re.IGNORECASE
)
_BRACES = re.compile(r"(?P<boxed>\\f?boxed\s*\{)|\\.|[{}]", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<!\bMrs)(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\.m)\.(?=\s|$|\*)|\*\*")
_AFTER_NUMBER = re.compile(r"\\?%?(?:[,;!?)]|\s+(?:[A-Za-z]{2}|\()|\s*$)")
_INLINE_MATH = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]|(?<!\\)\$\$?([^$]+?)(?<!\\)\$")
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

LONGEST_CLAUSE = 100
"""Longest answer in characters after "the answer is"; longer text is an explanation."""

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

    It is the first of these that exists: the last non-empty `\boxed{}`; the text after the last
    "answer is", "answer:" or `####`; the last number. A `\boxed{` that is never closed belongs to
    a response that was cut off and may hold half an answer, so its content is not read.
    """
    boxed, end = last_boxed(response)
    if boxed is not None:
        return boxed
    text = response[:end].replace("\u2212", "-")
    return _stated_answer(text) or _last_number(text)


def last_boxed(text: str) -> tuple[str | None, int]:
    r"""Return the content of the last non-empty `\boxed{}` with balanced braces.

    Returns:
        The tidied content, or None; and the offset at which an unclosed `\boxed{` begins
        (`len(text)` if there is none).
    """
    first = text.find("boxed")
    if first < 0:
        return None, len(text)
    # Only backslashes directly before a box can change how its content is read.
    first = len(text[:first].removesuffix("f").rstrip("\\"))
    content = None
    opened: list[re.Match[str]] = []
    for brace in _BRACES.finditer(text, first):
        if brace["boxed"] or brace.group() == "{":
            opened.append(brace)
        elif brace.group() == "}" and opened:
            start = opened.pop()
            if start["boxed"]:
                content = _tidy(text[start.end() : brace.start()]) or content
    return content, min((b.start() for b in opened if b["boxed"]), default=len(text))


def _stated_answer(text: str) -> str | None:
    """Return the answer after the last lead such as "the answer is", or None."""
    for lead in reversed(list(_ANSWER_LEAD.finditer(text))):
        clause = text[lead.end() :].partition("\n")[0]
        clause = _SENTENCE_END.split(clause, maxsplit=1)[0].strip()
        answer = _answer_in_clause(clause)
        if answer:
            return answer
    return None


def _answer_in_clause(clause: str) -> str | None:
    """Return the answer in a clause: its formula, its leading number, or all of it if short."""
    math = _INLINE_MATH.match(clause)
    if math:
        return _tidy(_right_side(next(g for g in math.groups() if g)))
    clause = _right_side(clause)
    number = _NUMBER_IN_PROSE.match(clause)
    if number and _AFTER_NUMBER.match(clause, number.end()):
        return _tidy(number.group())
    words = len(re.findall(r"(?<!\\)\b[A-Za-z]{2,}", clause))
    if words >= 3 and "\\" not in clause and (last := _last_number(clause)):
        return last
    return _tidy(clause) if words <= 5 and len(clause) <= LONGEST_CLAUSE else None


def _right_side(text: str) -> str:
    """Return the result of a worked sum ("5 + 3 = 8"); an equation in symbols stays whole."""
    left, equals, right = text.rpartition("=")
    sums = re.sub(r"(?<=\d) ?x ?(?=\d)", "*", left)
    symbols = re.search(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", sums)
    worked = equals and right.strip() and re.search(r"\d", sums) and not symbols
    return right.strip() if worked else text


def _last_number(text: str) -> str | None:
    found = list(_NUMBER_IN_PROSE.finditer(text))
    return _tidy(found[-1].group()) if found else None


def _tidy(answer: str) -> str:
    """Strip dollar signs, spaces and the full stop around an answer."""
    answer = answer.strip().strip("*").strip()
    if answer.isalnum():
        return answer
    math = _INLINE_MATH.fullmatch(answer)
    if math:
        answer = next(g for g in math.groups() if g).strip()
    answer = re.sub(r"^(-?)\s*\\?\$\s*", r"\1", answer)
    answer = re.sub(r"\\?\$$", "", answer).strip()
    stop = answer.endswith(".") and len(answer) > 1 and not answer.endswith("\\right.")
    return answer[:-1].rstrip() if stop else answer


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
