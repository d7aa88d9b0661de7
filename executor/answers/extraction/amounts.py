r"""Values in prose: a number with its scale and unit, a formula, a bracket, `x = 5`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from executor.answers.extraction.tidying import formula_at, inside, result, without_delimiters
from executor.answers.extraction.vocabulary import (
    CJK_MEASURE,
    CJK_SCALE,
    ENDS_UNIT,
    GOES_ON,
    MEASURES,
    NAMED_SCALES,
    POWERS,
    SCALES,
    SHORT_WORDS,
    SYMBOLS,
    VULGAR,
)

_WHOLE = (
    r"(?:\d{1,3}(?:(?:,|,\\!\s?|\{,\})\d{3})+(?!\d)|\d{1,3}(?:[ \u202f\u00a0]\d{3})+(?!\d)|\d+)"
)
_DECIMAL = rf"(?:{_WHOLE}(?:\.\d+)?|\.\d+)"
_COMMAS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)"
_PLAIN = rf"(?:{_COMMAS}(?:\.\d+)?|\.\d+)"
_SIGN = r"[+\-\u2212\u00b1]?"
_CURRENCY = r"(?:(?:\\?\$|[A-Z]{0,3}\$|[\u20ac\u00a3\u00a5\u20b9])\s?)?"
_TIME = r"\d{1,2}(?::\d\d){0,2}\s?[AaPp]\.?[Mm]\b"
_RATIO = r"\d+(?::\d+|\s:\s\d+)+"
_MIXED = r"\d+\s(?:and\s)?\d+/\d+"
_LATEX = rf"{_WHOLE}?\s?\\[dtc]?frac\s?\{{-?\d+\}}\s?\{{\d+\}}"
_NUMBER = re.compile(
    rf"{_SIGN}{_CURRENCY}{_SIGN}(?:{_TIME}|{_RATIO}|{_LATEX}|{_MIXED}|\d*[{VULGAR}]"
    rf"|(?:\d*\.\d+(?:\.{{3}}|\u2026)|{_DECIMAL}(?:\s?/\s?{_DECIMAL})?))"
)
_PAID = re.compile(r"[-+]?(?:\\?\$|[A-Z]{0,3}\$|[\u20ac\u00a3\u00a5\u20b9])")
_SHORT_SCALE = re.compile(r"\s?(K|k|M|B|bn|mn)\b")
_SCALE = re.compile(
    rf"(?:\s+(?:and\s+a\s+(?:half|quarter|third)|{SCALES})\b)+(?:\s+and\s+a\s+half\b)?"
    rf"|\s?(?:{CJK_SCALE})+",
    re.IGNORECASE,
)
# In prose a minus directly after a digit, a letter or a bracket is a subtraction, not a sign. What
# follows ^ is an exponent: of "12 cm^2" the number is 12.
NUMBER_IN_PROSE = re.compile(
    rf"(?<![A-Za-z0-9_.^])(?<!\^\{{)(?:(?<![\w)\]}}])-(?=[\d.$\\]))?(?:\\?\$\s?)?"
    rf"(?:{_COMMAS}?\s?\\[dtc]?frac\{{-?\d+\}}\{{\d+\}}|{_PLAIN}(?:\s?/\s?{_PLAIN})?)"
    rf"(?:\s(?:{POWERS})\b|{CJK_SCALE})*"
)
"""A number anywhere in prose, with its scale.

Without a statement, dozens are counted as things are: GSM8K's answers are "7" where a solution ends
with "7 dozen eggs".
"""

_MARK = re.compile(r"\s?\\?%|\s?[\u00b0\u2103\u00a2\u20ac\u00a3\u00a5\uff05]C?|\^\{?\\circ\}?")
_ASSIGNED = re.compile(r"[A-Za-z](?:_\{?\w{1,3}\}?)?\s*=\s*(?=\S)")
_GROUP = re.compile(r"[(\[][^()\[\]]{1,80}[)\]]|\\\{[^{}]{1,80}\\\}|\{[^{}]{1,80}\}")
_PROSE = re.compile(r"(?<!\\)\b[A-Za-z]{3}")
_APPROXIMATE = re.compile(r"^(?:\\approx|[\u2248~])\s*")
_OPERATOR = re.compile(
    r"\s*(?:[+*/^=<>_\u00d7\u00f7\u00b7\u22c5\u2212\u2264\u2265\u2248\u00b1\u221a\u2044\u2208\u2216\u2229\u222a\u2260\u2261"
    r"\u2070-\u209f\u00b2\u00b3\u00b9]|\u2013\s?(?=\$?\d)|-\s*(?=[\w.\\$(])|\\|x\s?\d)"
)
_CALCULATED = re.compile(r"\s*[*/+=\u00d7\u00f7](?!\*)|\s+-\s+\d")
_REMARK = re.compile(
    r"\s*[(\[\uff08](?!\s*(?:in\s+)?base\b)[^()\[\]]*(?:[^\W\d_]{3}|%|\bof\b|=|[\u4e00-\u9fff])"
)
_FOREIGN_REMARK = re.compile(r"\s+\((?!(?:in\s+)?base\b)(?:[^\W\d_]{2,}\s)")
_FIGURE = re.compile(r"\s+\([\s$~\u2248]*[-\d][\d.,/%\s$\\]*\)")
_STOPS = re.compile(
    r"\s*(?:[,;?\u2026)\]`\u3002\uff0c\u3001\uff1b\uff09\uff01]"
    r"|[.:](?=\s|$|\[\^?\d{1,2}\])|\[\^?\d{1,2}\](?=[\s.]|$)"
    r"|__|--|\u2014\s|\u2013\s(?!\$?\d[\d.,]*\s*(?:$|[a-z]+\.?$))|\||$)"
    r"|\s+-\s+(?!(?:sin|cos|tan|log|ln|sqrt|pi)\b)[A-Za-z]{2}|[\"'\u201d](?!\s*\d)|\*+(?=[\s.,;:)]|$)|</"
)
_EXCLAIMED = re.compile(r"!+(?:\s+[A-Z]|\s*$)")
_WORD = re.compile(r"\s+((?:[A-Za-z][\w'\u2019]*)(?:-[A-Za-z]+)*)\.?")
_ATTACHED = re.compile(r"(?:cm|mm|km|kg|mg|ml|mL|ft|lbs?|oz|hrs?|mins?|mph)\b(?!\s?[\^/*])")
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\s")
_INCHES = re.compile(r"\s*(?:[,;.)]|$)|\s+(?:tall|long|wide|high|deep|thick)\b")
_MORE = re.compile(
    r"\s+or\s+(?:more|less|fewer|greater|higher|lower|above|below|larger|smaller)\b"
    r"|\s+with\s+(?:a\s+)?remainder\b|\s+(?:when|for|where)\s+\$?(?:all\s+\$?)?[b-hj-z]\b"
    r"|\s+square\s+roots?\b|\s+out\s+of\s+(?:(?:every|each)\s+\d|\d+(?!\w|[.,]\d|\s+[a-z]))"
    r"|,?\s+\(?in\s+(?:base\b|binary\b|octal\b|hex)|\s+(?:to|through|by|in)\s+(?:the\s+power\b|\$?[-\d.]+\s*$)"
    r"|\s+(?:to|through|by)\s+\$?[-\d.]+\s+[a-z]+\s*$"
    r"|\s+(?:more|less|fewer|greater)\s+than\s+(?:twice|half|\w+\s+times|\$?[b-z]\b|\d)"
)
"""Bounds, remainders, conditions on a variable, ranges and chances ("1 in 4")."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit.

    Attributes:
        value: the value, with its scale ("3 million") but without its unit.
        unit: words of the unit; "" if it has none.
        value_end: where the value ends.
        end: where the unit ends.
        percent: whether a per cent sign follows the value.
        goes_on: whether a formula goes on behind the value, so that this is only its first part.
    """

    value: str
    unit: str
    value_end: int
    end: int
    percent: bool = False
    goes_on: bool = False

    @property
    def measured(self) -> bool:
        """Whether the unit is one of measurement."""
        return self.unit.casefold() in MEASURES or bool(CJK_MEASURE.fullmatch(self.unit))


def quantity_at(text: str, start: int) -> Quantity | None:
    """Return the quantity that begins at `start`, or None if no value does."""
    value = _value_at(text, start)
    if value is None:
        return None
    content, end = value
    scale = _SCALE.match(text, end)
    if scale:
        content, end = content + scale.group(), scale.end()
    elif (short := _SHORT_SCALE.match(text, end)) and _PAID.match(content):
        content, end = f"{content} {NAMED_SCALES[short[1].casefold()]}", short.end()
    value_end = end
    mark = _MARK.match(text, end)
    percent = bool(mark and ("%" in mark.group() or "\uff05" in mark.group()))
    end = mark.end() if mark else end
    if _goes_on(text, end):
        return Quantity(content, "", value_end, end, percent, goes_on=True)
    unit, end = _unit_at(text, end)
    calculated = bool(unit and _CALCULATED.match(text, end))
    return Quantity(content, unit, value_end, end, percent, goes_on=calculated)


def _value_at(text: str, start: int) -> tuple[str, int] | None:
    """A value and its end: `$2x$`, a number, a bracket, or one of these after `x =`."""
    assigned = _ASSIGNED.match(text, start)
    begin = assigned.end() if assigned else start
    formula = formula_at(text, begin)
    if formula:
        end = formula.end()
        if assigned:
            return without_delimiters(text[start:end]), end
        return _APPROXIMATE.sub("", result(inside(formula))), end
    number = _NUMBER.match(text, begin)
    if number:
        value = text[start : number.end()].replace(" and ", " ").replace("...", "\u2026")
        return value, number.end()
    group = _GROUP.match(text, begin)
    if group and not _PROSE.search(group.group()):
        return text[start : group.end()], group.end()
    return None


def _goes_on(text: str, end: int) -> bool:
    """Whether a formula or condition goes on behind a value that ends here."""
    if end >= len(text):
        return False
    after = text[end]
    if "\u0391" <= after <= "\u03c9":  # `4π`
        return True
    if after.isascii() and after.isalpha():
        return not (_ATTACHED.match(text, end) or _ORDINAL.match(text, end))
    if _STOPS.match(text, end):
        return False
    if after == "!":
        return not _EXCLAIMED.match(text, end)
    if after in "({.'\"":
        return True
    behind = end + len(text[end:]) - len(text[end:].lstrip())
    if text[behind] in "([\uff08":
        remark = _REMARK.match(text, end) or _FOREIGN_REMARK.match(text, end)
        return not (remark or _FIGURE.match(text, end))
    return bool(
        _OPERATOR.match(text, end)
        or _MORE.match(text, end)
        or formula_at(text, behind)
        or text[behind].isdigit()
        or _word_goes_on(text, end)
    )


def _word_goes_on(text: str, end: int) -> bool:
    word = _WORD.match(text, end)
    if word is None:
        return False
    spelled = word.group(1)
    if spelled.casefold() in MEASURES:
        return False
    if len(spelled) == 1:
        return not (spelled in "aAI" and re.match(r"\s+[A-Za-z]{2}", text[word.end() :]))
    if spelled.casefold() in GOES_ON or SYMBOLS.fullmatch(spelled):
        return True
    return len(spelled) == 2 and spelled.islower() and spelled not in SHORT_WORDS


def _unit_at(text: str, end: int) -> tuple[str, int]:
    """The words of a unit behind a value, and their end; "" and `end` if there is none."""
    unit = _ATTACHED.match(text, end) or CJK_MEASURE.match(text, end)
    if unit:
        return unit.group(), unit.end()
    words: list[str] = []
    while len(words) < 3 and (word := _WORD.match(text, end)):
        spelled = word.group(1).casefold()
        inches = spelled == "in" and not words and _INCHES.match(text, word.end())
        if spelled in ENDS_UNIT and not inches:
            break
        words.append(word.group(1))
        end = word.end()
        if spelled in MEASURES:
            break
    return " ".join(words), end
