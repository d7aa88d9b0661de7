"""Answers with words around their value or in place of it: `3 to 4`, `in 5 days`, `two thirds`."""

from __future__ import annotations

import re

from executor.answers.forms import special
from executor.answers.forms.brackets import bracketed
from executor.answers.forms.formula import formula
from executor.answers.forms.lists import plain_list
from executor.answers.forms.measured import times
from executor.answers.forms.parts import Parts
from executor.answers.formulas import units
from executor.answers.formulas.expressions import Num, has_variables, number
from executor.answers.formulas.normal_form import normal_form
from executor.answers.formulas.number_words import number_in_words
from executor.answers.formulas.quantities import read_quantity
from executor.answers.formulas.unit_phrases import all_counted
from executor.answers.meanings import (
    Choice,
    Equation,
    Items,
    Meaning,
    Ratio,
    Scalar,
    Text,
    number_of,
    scalar,
)


def choice_with_content(form: str, parts: Parts) -> Meaning | None:
    """Read the letter of a choice and what stands behind it: `(A) 5`."""
    match = special.CHOICE_WITH_CONTENT.fullmatch(
        special.TEXT_AROUND.sub(r"\1 ", form, count=1).strip()
    )
    if not match:
        return None
    letter = next(g for g in match.groups()[:-1] if g).upper()
    content = normal_form(match.groups()[-1])
    if special.CHOICE_WITH_CONTENT.match(content):
        return None
    return Choice(letter, parts.meaning(content))


_LEAD = re.compile(
    r"\\text\s*\{\s*(?:the )?(?:final |correct )?answer(?: is)?\s*[:=]?\s*\}\s*(?=\S)"
    r"|(?:the )?(?:final |correct )?answer(?: is)?\s*[:=]\s*(?=\S)|the (?:final )?answer is ",
    re.I,
)


def after_lead(form: str, parts: Parts) -> Meaning | None:
    """Read what stands behind `Answer:`."""
    lead = _LEAD.match(form)
    return parts.meaning(normal_form(form[lead.end() :])) if lead else None


_TO = re.compile(r"\s*\\(?:text|roman)\s*\{\s*to\s*\}\s*|\s+to\s+")


def ratio(form: str, parts: Parts) -> Meaning | None:
    """Read formulas with colons between them, or numbers with words: `3:4`, `3 to 4`."""
    if "to" in form and len(numbers := _TO.split(form)) > 1:
        known = [number_of(parts.meaning(one, lists=False)) for one in numbers]
        return Ratio(tuple(scalar(Num(n)) for n in known if n)) if None not in known else None
    if ":" not in form or "\\" in form.replace("\\frac", "").replace("\\sqrt", ""):
        return None
    terms = [parts.meaning(part, lists=False) for part in form.split(":")]
    return Ratio(tuple(terms)) if all(isinstance(t, Scalar) for t in terms) else None


_OUT_OF = re.compile(
    r"(?:\s*\\(?:text|roman)\s*\{\s*|\s+)(?:(out of)|in)(?: (?:every|each))?(?:\s*\}\s*|\s+)"
)


def share(form: str, parts: Parts) -> Meaning | None:
    """Read a share as a fraction: `3 out of 4`, `one in six`."""
    if " " not in form and "{" not in form:
        return None
    pieces = _OUT_OF.split(form)
    if len(pieces) != 3:
        return None
    top, bottom = (number_of(parts.meaning(piece, lists=False)) for piece in pieces[::2])
    whole = top and bottom and top.value.denominator == bottom.value.denominator == 1
    if not (whole and top and bottom) or not 0 <= top.value <= bottom.value or not bottom.value:
        return None
    return scalar(number(top.value / bottom.value))


_PLACED = re.compile(r"(?:on|in|at) (?=\d|[A-Z][a-z]|noon|midnight)")
_WEEKDAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day")


def placed(form: str, parts: Parts) -> Meaning | None:
    """Read a time or a number behind its preposition: `on Saturday`, `in 5 days`, `at 5 pm`."""
    preposition = _PLACED.match(form)
    if preposition is None:
        return None
    rest = form[preposition.end() :]
    found = parts.meaning(rest, lists=False)
    return None if isinstance(found, Text) and not _WEEKDAY.fullmatch(rest) else found


_NAMED_POINT = re.compile(r"([A-Z])'?\s?(\(.*,.*\))", re.DOTALL)


def named_point(form: str, parts: Parts) -> Meaning | None:
    """Read a point with its name: `P(2, 3)`; `C(5, 2)` counts combinations."""
    match = _NAMED_POINT.fullmatch(form)
    point = bracketed(match[2], parts) if match and formula(form, parts) is None else None
    if match is None or not isinstance(point, Items):
        return None
    plain = all(isinstance(i, Scalar) and not has_variables(i.quantity.base) for i in point.items)
    return Equation(match[1], point, None) if plain else None


_PART_OF = re.compile(
    r"(?P<part>.+?) of (?:(?P<one>an?)|(?:all )?the|all|his|her|their|its)"
    r" (?P<whole>[A-Za-z][A-Za-z -]*)"
)


def part_of(form: str, parts: Parts) -> Meaning | None:
    """Read a fraction or a percentage with what it is a part of: `3/4 of the cake`."""
    match = _PART_OF.fullmatch(form)
    part = parts.meaning(match["part"], lists=False) if match else None
    if match is None or not isinstance(part, Scalar):
        return None
    known = number_of(part)
    if known is None or (known.value.denominator == 1 and part.quantity.things != "%"):
        return None
    if match["one"] and units.unit_name(match["whole"]):
        return times(part, read_quantity(f"1 {match['whole']}"))
    return part if all_counted(match["whole"]) else None


def in_words(form: str, parts: Parts) -> Meaning | None:
    """Read a number in words, alone or with a unit: `two thirds`, `twelve apples`."""
    found = number_in_words(form)
    if found is None:
        return None
    value, end = found
    if end == len(form):
        return scalar(number(value))
    top, bottom = value.numerator, value.denominator
    one = str(value) if bottom == 1 else rf"\frac{{{top}}}{{{bottom}}}"
    measured = formula(f"{one} {form[end:].lstrip()}", parts) if form[end] in " \\" else None
    if isinstance(measured, Scalar) and (measured.quantity.dimension or measured.quantity.things):
        return measured
    several = plain_list(form, parts)
    items = several.items if isinstance(several, Items) else (several,)
    return several if all(isinstance(item, Scalar) for item in items) else None
