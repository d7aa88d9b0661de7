"""Words after a number that are units, or say what is counted."""

from __future__ import annotations

import re
from collections.abc import Sequence

from executor.answers.formulas import units
from executor.answers.formulas.expressions import (
    Expr,
    Num,
    Power,
    Product,
    UnitOf,
    multiply,
    number,
    power,
)
from executor.answers.formulas.normal_form import GREEK

_UNIT_WORD = re.compile(r"\s*(?:(?P<sign>\\unit\{(?P<named>[^{}]*)\})|(?P<word>[A-Za-z]+)\.?)")
_UNIT_POWER = re.compile(r"\s*\^\s*(?:\{\s*(-?\d)\s*\}|(-?\d))|\s+(squared|cubed)\b")
_UNIT_JOIN = re.compile(r"\s*(?:(?P<over>/|\bper\b|\b(?:a|an|each)\b(?=\s+[a-z]{3}))|\*)\s*")
_TWO_WORDS = {("fl", "oz"): "fl oz", ("percentage", "points"): "percentage point",
              ("percentage", "point"): "percentage point", ("pounds", "sterling"): "pound sterling",
              ("square", "units"): "square unit", ("degrees", "Celsius"): "celsius",
              ("degrees", "Fahrenheit"): "fahrenheit", ("US", "dollars"): "dollar"}  # fmt: skip
_SQUARES = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}


def units_in(
    text: str, *, whole: bool, plain: bool, glued: bool = False, before: Sequence[Expr] = ()
) -> tuple[Expr, int] | None:
    """Read units or a counted thing at the start of a text.

    Args:
        text: words.
        whole: whether all of the text must be units.
        plain: whether the words stand outside `\\text`, where a counted thing is a plural.
        glued: whether the words touch a number.
        before: the factors before the words.

    Returns:
        The unit as an expression, and the offset at which it ends; None if there is none.
    """
    factors: list[Expr] = []
    per = re.match(r"\s*per\s+", text)
    at, sign = (per.end(), -1) if per else (0, 1)
    while True:
        item = _one_unit(text, at, glued=glued and not factors)
        if item is None:
            break
        unit, at = item
        factors.append(unit if sign == 1 else power(unit, number(-1)))
        join = _UNIT_JOIN.match(text, at)
        after = _one_unit(text, join.end(), glued=False) if join else None
        if join is None or after is None:
            break
        at, sign = join.end(), -1 if join["over"] else 1
    if not factors:
        return None if glued or per else _counted(text, whole=whole, plain=plain, before=before)
    qualifier = re.match(
        r"\s+(?:in\s+total|of(?:\s+[A-Za-z]{3,})+|([a-z]+))(?![A-Za-z])", text[at:]
    )
    if qualifier and (qualifier[1] is None or qualifier[1] in units.QUALIFIERS):
        at += qualifier.end()
    if whole and text[at:].strip(" ."):
        return None
    return multiply(*factors), at


def _one_unit(text: str, at: int, *, glued: bool) -> tuple[Expr, int] | None:
    match = _UNIT_WORD.match(text, at)
    if match is None:
        return None
    if match["named"]:
        return UnitOf(match["named"]), match.end()
    word, end = match["word"], match.end("word")
    times = _SQUARES.get(word, 1)
    second = _UNIT_WORD.match(text, match.end())
    pair = _TWO_WORDS.get((word, second["word"] or "")) if second else None
    if pair and second:
        name: str | None = pair.removeprefix("square ")
        times = 2 if pair.startswith("square") else 1
        end = second.end("word")
    elif times != 1 and second and second["word"]:
        name, end = units.unit_name(second["word"]), second.end("word")
    else:
        name = units.unit_name(word)
    if name is None:
        return None
    if glued and not _may_touch(word, text[end:]):
        return None
    if text[end : end + 1] == "." and not text[end + 1 : end + 2].isdigit():
        end += 1
    raised = _UNIT_POWER.match(text, end)
    if raised:
        worded = {"squared": 2, "cubed": 3}.get(raised[3] or "")
        times *= worded or int(raised[1] or raised[2])
        end = raised.end()
    unit = UnitOf(name)
    return (unit if times == 1 else Power(unit, number(times))), end


def _may_touch(word: str, rest: str) -> bool:
    if units.may_touch(word):
        return True
    compound = re.match(r"\s*(?:/|\*)\s*([A-Za-z]+)(?![A-Za-z])", rest)
    return bool(compound and units.unit_name(compound[1]))


def _counted(
    text: str, *, whole: bool, plain: bool, before: Sequence[Expr]
) -> tuple[Expr, int] | None:
    """Read a counted thing: `apples`, `red apples`, `boxes of chocolates`."""
    match = re.match(r"\s*((?:[A-Za-z]+(?:[ -]+(?=[A-Za-z])|(?![A-Za-z])))+)", text)
    if match is None:
        return None
    things, _, rest = match[1].strip().partition(" of ")
    words = re.split("[ -]+", things)
    while len(words) > 1 and words[-1] in units.QUALIFIERS:
        words.pop()
    if words == ["times"] and not text[match.end() :].strip(" ."):
        return UnitOf(units.counted("times")), match.end()
    if len(words) > 4 or not all(units.may_be_counted(word) for word in words):
        return None
    if rest and not all(units.may_be_counted(word) for word in rest.split()):
        return None
    if plain and not units.is_plural(words[-1]):
        at_end = not text[match.end() :].strip(" .")
        if not (at_end and _one_thing(words[-1], before, named=bool(rest))):
            return None
    if whole and text[match.end() :].strip(" ."):
        return None
    return UnitOf(units.counted(words[-1])), match.end()


def _one_thing(word: str, before: Sequence[Expr], *, named: bool) -> bool:
    """Whether a noun in the singular is what a number counts: `1 apple`, and `5 apple` too.

    What may be a product of variables (`5 cat`) is one, unless the number is 1, which no one
    writes before a product, or the words go on (`2 box of pencils`, which is `named`).
    """
    if len(before) != 1 or not isinstance(before[0], Num) or word in GREEK:
        return False
    unmistakable = named or before[0] == number(1)
    return units.is_singular(word) and (unmistakable or not units.may_be_variables(word))


def all_counted(words: str) -> bool:
    """Whether words in brackets after a number only say what is counted: `9 (pairs of shoes)`."""
    return all(units.may_be_noted(word) for word in re.split("[ .-]+", words) if word)


def is_unit(expression: Expr) -> bool:
    return isinstance(expression, UnitOf) or (
        isinstance(expression, Power) and isinstance(expression.base, UnitOf)
    )


def ends_with_unit(expression: Expr) -> bool:
    """Whether a number may follow as a part of one quantity, as in `3 hours 20 minutes`."""
    last = expression.factors[-1] if isinstance(expression, Product) else expression
    base = last.base if isinstance(last, Power) else last
    return isinstance(base, UnitOf) and bool(units.unit(base.name).dimension)
