"""Sets of numbers that a formula describes: unions, set builders, all numbers but some."""

from __future__ import annotations

import re

from executor.answers.forms.lists import SEPARATOR
from executor.answers.forms.nesting import split
from executor.answers.forms.parts import Parts
from executor.answers.intervals import INFINITY, MINUS_INFINITY, intersection, united
from executor.answers.meanings import Equation, Items, Meaning, Scalar, Union, number_of

_CUP = re.compile(r"\s*\\c([ua])p(?![A-Za-z])\s*")


def joined_sets(form: str, parts: Parts) -> Meaning | None:
    """Read a union, or an intersection of intervals between numbers."""
    pieces, between = split(form, _CUP)
    if len(pieces) == 1:
        return None
    sets = tuple(parts.meaning(piece, lists=False) for piece in pieces)
    if set(between) == {"u"}:
        return united(sets) or Union(sets)
    return intersection(sets) if set(between) == {"a"} else None


_BUILDER = re.compile(
    r"\\\{\s*([A-Za-z])\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?(?:\||:)\s*(.+?)\s*\\\}", re.DOTALL
)


def set_builder(form: str, parts: Parts) -> Meaning | None:
    r"""Read `\{x | x > 2\}` as what it says of x."""
    match = _BUILDER.fullmatch(form)
    if match is None:
        return None
    found = parts.meaning(match[2])
    return found if isinstance(found, Equation) and found.name == match[1] else None


_REALS = r"(?:\\mathbb\s*\{?R\}?|\(-\\infty\s*,\s*\+?\\infty\s*\))"
_ALL_BUT = re.compile(
    rf"{_REALS}\s*(?:\\setminus|\\backslash|-)\s*\\?\{{(.+?)\\?\}}"
    r"|(?:\\text\{\s*)?all real (?:numbers|values)(?: \w)? except(?: for)?(?:\s*\})?\s*"
    r"(?:[a-z]\s*=\s*)?(.+)"
)


def all_but(form: str, parts: Parts) -> Meaning | None:
    r"""Read `\mathbb{R} \setminus \{2\}` as a union of intervals."""
    match = _ALL_BUT.fullmatch(form)
    if match is None:
        return None
    items = [parts.item(piece) for piece in split(match[1] or match[2], SEPARATOR)[0]]
    ends = [item for item in items if isinstance(item, Scalar)]
    known = {number.value: end for end in ends if (number := number_of(end))}
    if len(ends) != len(items) or (len(ends) > 1 and len(known) != len(ends)):
        return None
    ends = [known[value] for value in sorted(known)] if len(ends) > 1 else ends
    lows, highs = [MINUS_INFINITY, *ends], [*ends, INFINITY]
    return Union(tuple(Items("()", pair) for pair in zip(lows, highs, strict=True)))
