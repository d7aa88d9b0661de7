"""Lists without brackets: items, conditions that belong together, quantities that add up."""

from __future__ import annotations

import re
from fractions import Fraction

from executor.answers.forms import special
from executor.answers.forms.nesting import split
from executor.answers.forms.parts import Parts
from executor.answers.formulas import units
from executor.answers.formulas.expressions import Num, add
from executor.answers.formulas.normal_form import normal_form
from executor.answers.formulas.quantities import Quantity
from executor.answers.intervals import is_interval, overlap_of_half_lines, united
from executor.answers.meanings import Equation, Items, Meaning, Scalar, Text, Union

SEPARATOR = re.compile(
    r"\s*(?:,\s*)?(?:\\(?:text|roman)\s*\{\s*,?\s*(and|or)\s*\}|(?<![A-Za-z\\])(and|or)(?![A-Za-z]))\s*"
    r"|\s*([,;])\s*"
)


def plain_list(form: str, parts: Parts) -> Meaning | None:
    """Read items with commas, semicolons or words between them: `2, 3 and 5`."""
    pieces, between = split(form, SEPARATOR)
    if len(pieces) == 1:
        return None
    if any(not piece.strip() or "..." in piece for piece in pieces):
        return Text(special.canonical(form))
    items = [parts.meaning(normal_form(piece), lists=False) for piece in pieces]
    joined = _joined(items, between)
    if joined is None and set(between) == {"or"}:
        return Items("", tuple(dict.fromkeys(flattened(items))))
    return joined or Items("", flattened(items))


def _joined(items: list[Meaning], between: list[str]) -> Meaning | None:
    """Join `x > 1 and x < 3`, `x < 1 or x > 3`, and `5 feet, 4 inches`."""
    names = {item.name for item in items if isinstance(item, Equation)}
    sets = [item.value for item in items if isinstance(item, Equation) and is_interval(item.value)]
    if len(sets) == len(items) and len(names) == 1:
        name = names.pop()
        if set(between) == {"or"}:
            either = tuple(s for s in sets if s)
            return Equation(name, united(either) or Union(either), None)
        both = overlap_of_half_lines([s for s in sets if isinstance(s, Items)])
        return Equation(name, both, None) if both else None
    if "or" not in between and all(isinstance(item, Scalar) for item in items):
        return _compound([item.quantity for item in items if isinstance(item, Scalar)])
    return None


def _compound(parts: list[Quantity]) -> Meaning | None:
    """Add quantities of one dimension whose units become smaller: 2 hours and 30 minutes."""
    if len({part.dimension for part in parts}) != 1 or not parts[0].dimension:
        return None
    if not all(isinstance(p.base, Num) and isinstance(p.bare, Num) for p in parts):
        return None
    values = [(p.base.number.value, p.bare.number.value) for p in parts
              if isinstance(p.base, Num) and isinstance(p.bare, Num)]  # fmt: skip
    sizes = [base / bare if bare else Fraction(0) for base, bare in values]
    descending = all(
        base < size for (base, _), size in zip(values[1:], sizes[:-1], strict=True) if size
    )
    if not descending or len(set(sizes)) != len(sizes):
        return None
    total = add(*(part.base for part in parts))
    # An amount of money is written as one number: 5 dollars and 20 cents are 5.20.
    is_money = parts[0].dimension in _MONEY and sizes[0] == 1
    return Scalar(Quantity(total if is_money else None, total, parts[0].dimension))


_MONEY = frozenset(units.unit(name).dimension for name in set(units.CURRENCY_SIGNS.values()))


def flattened(items: list[Meaning]) -> tuple[Meaning, ...]:
    """Write out plus-minus signs inside a list."""
    flat: list[Meaning] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Items) and item.brackets == "±" else (item,))
    return tuple(flat)
