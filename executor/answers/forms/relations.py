"""Equations, memberships and inequalities, and chains of them."""

from __future__ import annotations

import re
from dataclasses import replace

from executor.answers.forms import special
from executor.answers.forms.nesting import split
from executor.answers.forms.parts import Parts
from executor.answers.formulas.expressions import (
    FUNCTIONS,
    Call,
    Expr,
    Product,
    Sym,
    UnreadableError,
    add,
    has_plus_minus,
    has_variables,
    negate,
)
from executor.answers.formulas.parser import parse
from executor.answers.formulas.quantities import quantity
from executor.answers.intervals import INFINITY, MINUS_INFINITY, in_brackets
from executor.answers.meanings import (
    Equation,
    Inequality,
    Items,
    Meaning,
    Scalar,
    Text,
    Union,
    number_of,
    scalar,
)

_RELATION = re.compile(r"\s*(?:(=|<|>)|\\(le|ge|ne|in|approx|equiv|sim|to|mapsto)(?![A-Za-z]))\s*")
_LESS, _MORE = {"<": True, "le": False}, {">": True, "ge": False}


def relation(form: str, parts: Parts) -> Meaning | None:
    """Read sides with signs of relation between them: `x = 2`, `1 < x < 3`."""
    sides, relations = split(form, _RELATION)
    if len(sides) == 1:
        return None
    if any(not side.strip() for side in sides):
        return Text(special.canonical(form))
    found: Meaning | None = None
    if set(relations) <= {"=", "approx"}:
        found = _rounded(sides, relations, parts) or _equation(sides, parts)
    elif relations == ["in"]:
        found = Equation(special.canonical(sides[0]), parts.meaning(sides[1]), None)
    elif relations == ["ne"]:
        found = _unequal(sides[0], sides[1], parts)
    elif set(relations) <= set(_LESS):
        found = _ascending(sides, [_LESS[r] for r in relations], parts)
    elif set(relations) <= set(_MORE):
        found = _ascending(sides[::-1], [_MORE[r] for r in relations[::-1]], parts)
    return found if found is not None else Text(special.canonical(form))


def _rounded(sides: list[str], relations: list[str], parts: Parts) -> Meaning | None:
    r"""Read an exact value with a rounded one behind it: `\frac13 \approx 0.33`."""
    if "approx" not in relations or (relations[0] == "approx" and _is_name(sides[0])):
        return None
    at = relations.index("approx")
    exact = _equation(sides[: at + 1], parts) if at else _worked(sides[0], parts)
    if not isinstance(exact, Equation) or exact.value is None:
        return None
    last = parts.meaning(sides[-1], lists=False)
    one, two = number_of(exact.value), number_of(last)
    # What is not near is no rounded form: 5 is not about 7.
    if one and two and abs(one.value - two.value) > abs(one.value) / 10:
        return Text(special.canonical(" = ".join(sides)))
    return replace(exact, rounded=last)


def _worked(side: str, parts: Parts) -> Equation | None:
    """Read a value that has no name."""
    value = parts.meaning(side, lists=False)
    return Equation("", value, None) if isinstance(value, Scalar) else None


def _side(text: str) -> Expr | None:
    """Read a side of a relation as a formula without units, or None."""
    try:
        expression = parse(text, plain_units=False)
        if has_plus_minus(expression):
            return None
        return quantity(expression).base
    except UnreadableError:
        return None


_PROBABILITY = re.compile(
    r"(?:\\?(?:P|Pr|E|Var)|\\(?:mathbb|text|roman|operatorname|bold)\s*\{(?:P|Pr|E|Var)\})"
    r"\s*[(\[](?:[^-+*/^()\[\]]|\([^()]*\))+[)\]]|n\s*\([A-Z][^-+*/^()\d]*\)"
)
_VALUE_AT = re.compile(r"[A-Za-z](?:_\w|')?\s*\(\s*[A-Za-z]\s*\)|[a-wA-Z]'?\s*\(\s*-?\d+\s*\)")


def _is_name(side: str) -> bool:
    if _PROBABILITY.fullmatch(side.strip()) or _VALUE_AT.fullmatch(side.strip()):
        return True
    expression = _side(side)
    if isinstance(expression, Sym):
        return True
    if isinstance(expression, Call):
        return expression.name not in FUNCTIONS
    if expression is None:
        names = re.fullmatch(r"\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])+\s*\)", side.strip())
        worded = re.fullmatch(r"[\\A-Za-z\s{}]*[A-Za-z}](?:\s*\([A-Za-z]\))?", side.strip())
        return bool(names or worded)
    if not isinstance(expression, Product) or not side.strip().isalpha():
        return False
    return all(isinstance(factor, Sym) for factor in expression.factors)


def _equation(sides: list[str], parts: Parts) -> Meaning | None:
    left, right = sides[0].strip(), sides[-1].strip()
    if not _is_name(left) and _is_name(right) and len(sides) == 2:
        left, right = right, left
    first, last = _side(left), _side(right)
    difference = add(first, negate(last)) if first is not None and last is not None else None
    if _is_name(left):
        return Equation(special.canonical(left), parts.meaning(right, lists=True), difference)
    if first is not None and not has_variables(first):
        value = parts.meaning(right, lists=False)
        return Equation("", value, None) if isinstance(value, Scalar) else None
    if difference is None:
        return None
    if len(sides) > 2 and not any(map(_may_vary, sides[1:])):  # `m + n = 16 + 9 = 25`
        return Equation("", parts.meaning(right, lists=False), difference)
    return Equation(None, None, difference)


def _may_vary(side: str) -> bool:
    expression = _side(side)
    return expression is None or has_variables(expression)


def _unequal(left: str, right: str, parts: Parts) -> Meaning | None:
    value = parts.item(right)
    if not _is_name(left) or not isinstance(value, Scalar):
        return None
    below = Items("()", (MINUS_INFINITY, value))
    above = Items("()", (value, INFINITY))
    return Equation(special.canonical(left), Union((below, above)), None)


def _distance(sides: list[str], values: list[Meaning], *, strict: bool) -> Meaning | None:
    """Read `|x| < 2` as what it says of x, which is between -2 and 2."""
    near = _ABSOLUTE.fullmatch(sides[0].strip())
    named = near or _ABSOLUTE.fullmatch(sides[1].strip())
    size = values[1] if near else values[0]
    known = number_of(size)
    if named is None or known is None or known.value <= 0 or not isinstance(size, Scalar):
        return None
    low, high = scalar(negate(size.quantity.base)), size
    if near:
        return Equation(named[1], Items("()" if strict else "[]", (low, high)), None)
    below = Items("()" if strict else "(]", (MINUS_INFINITY, low))
    above = Items("()" if strict else "[)", (high, INFINITY))
    return Equation(named[1], Union((below, above)), None)


_ABSOLUTE = re.compile(r"\|\s*([A-Za-z])\s*\|")


def _ascending(sides: list[str], strict: list[bool], parts: Parts) -> Meaning | None:
    """Read `a < b` or `a < b < c` as an interval of a name, or as an inequality."""
    names = [i for i, side in enumerate(sides) if _is_name(side)]
    values = [parts.item(side) for side in sides]
    others = [value for i, value in enumerate(values) if i not in names]
    if len(sides) > 3 or not all(isinstance(value, Scalar) for value in others):
        return None
    constant = not any(isinstance(v, Scalar) and has_variables(v.quantity.base) for v in others)
    low, high = MINUS_INFINITY, INFINITY
    if len(names) == 1 and constant:
        name = special.canonical(sides[names[0]])
        if len(sides) == 3 and names == [1]:
            brackets = ("(" if strict[0] else "[") + (")" if strict[1] else "]")
            return Equation(name, in_brackets(brackets, (values[0], values[2])), None)
        if len(sides) == 2 and names == [0]:
            return Equation(name, Items("(" + (")" if strict[0] else "]"), (low, values[1])), None)
        if len(sides) == 2:
            return Equation(name, Items(("(" if strict[0] else "[") + ")", (values[0], high)), None)
    if len(sides) == 2 and (around := _distance(sides, values, strict=strict[0])):
        return around
    if len(sides) == 2:
        smaller, larger = _side(sides[0]), _side(sides[1])
        if smaller is not None and larger is not None:
            return Inequality(add(larger, negate(smaller)), strict[0])
    return None
