"""Units after, and currencies before, more than one number."""

from __future__ import annotations

import re

from executor.answers.forms.parts import Parts
from executor.answers.formulas import units
from executor.answers.formulas.expressions import UnreadableError, multiply
from executor.answers.formulas.quantities import Quantity, read_quantity
from executor.answers.meanings import Items, Matrix, Meaning, Scalar

_UNIT_AT_END = re.compile(
    r"(?P<value>.*[\w)\]}])(?P<unit>\s*\\unit\{[^{}]*\}|\s*\\(?:text|roman)\s*\{(?P<words>[^{}]*)\}"
    r"(?:\^\{?\d\}?)?|\s(?P<plain>[A-Za-z]+(?:\^\{?\d\}?)?))",
    re.DOTALL,
)


def with_unit(form: str, parts: Parts) -> Meaning | None:
    """Read a unit after, or a currency before, more than a number: `(3, 4] cm`, `2x + 1 cm`."""
    paid = re.match(r"(\\currency\{[^{}]*\})(.*)", form, re.DOTALL)
    at_end = _UNIT_AT_END.fullmatch(form)
    if paid:
        unit, rest = paid[1].replace("currency", "unit"), paid[2]
    elif at_end:
        unit, rest = at_end["unit"], at_end["value"]
    else:
        return None
    try:
        factor = read_quantity("1 " + unit.strip())
    except UnreadableError:
        return None
    if factor.base == factor.bare and not factor.dimension:
        return None
    # Two units after each other are no unit of what stands before them.
    return None if _has_unit_at_end(rest) else times(parts.meaning(rest, lists=False), factor)


def whole_with_unit(form: str, parts: Parts) -> Meaning | None:
    """Read a unit that belongs to all that stands before it: `1 + 2x cm`, not `4 m + 2`."""
    at_end = _UNIT_AT_END.fullmatch(form)
    plain = at_end["plain"] if at_end else None
    return with_unit(form, parts) if plain is None or units.may_touch(plain) else None


def _has_unit_at_end(form: str) -> bool:
    found = _UNIT_AT_END.fullmatch(form)
    if found is None:
        return form.startswith("\\currency")
    return found["plain"] is None or units.unit_name(found["plain"]) is not None


def times(value: Meaning, unit: Quantity) -> Meaning | None:
    """Return a value of which each number has a unit; None if it has units or no numbers."""
    match value:
        case Scalar(plain) if not plain.dimension and plain.bare is not None:
            return Scalar(Quantity(plain.bare, multiply(plain.base, unit.base), unit.dimension))
        case Items(brackets, items):
            inner = [times(item, unit) for item in items]
            known = tuple(item for item in inner if item is not None)
            return Items(brackets, known) if len(known) == len(items) else None
        case Matrix(rows):
            cells = [[times(cell, unit) for cell in row] for row in rows]
            whole = tuple(tuple(cell for cell in row if cell is not None) for row in cells)
            return Matrix(whole) if [*map(len, whole)] == [*map(len, rows)] else None
        case _:
            return None
