"""Answers in brackets: points, intervals, sets, and parentheses that change nothing."""

from __future__ import annotations

import re
from dataclasses import replace

from executor.answers.forms.lists import SEPARATOR, flattened
from executor.answers.forms.nesting import depths_of, split
from executor.answers.forms.parts import Parts
from executor.answers.formulas.normal_form import normal_form
from executor.answers.intervals import BRACKETS, in_brackets
from executor.answers.meanings import Items, Meaning, Scalar, Text


def bracketed(form: str, parts: Parts) -> Meaning | None:
    """Read `(1, 2)`, `[1, 2)`, `\\{1, 2\\}` and `\\langle 1, 2 \\rangle`."""
    pair = re.fullmatch(r"(\\\{|\\langle|[(\[])(.+?)(\\\}|\\rangle|[)\]])", form, re.DOTALL)
    depths = depths_of(form)
    if pair is None or depths is None:
        return None
    opening, inside, closing = pair.groups()
    if 0 in depths[:-1]:
        first_zero = depths.index(0) if opening != "\\{" else depths.index(0, 1)
        if first_zero < len(form) - len(closing):
            return None
    brackets = _SAME.get(opening, opening) + _SAME.get(closing, closing)
    if brackets not in (*BRACKETS, "{}"):
        return None
    pieces, between = split(inside, SEPARATOR)
    if (len(pieces) == 1 and brackets in ("()", "(]", "[)")) or set(between) & {"and", "or"}:
        return None
    if any(not piece.strip() or "..." in piece for piece in pieces):
        return None
    items = [parts.item(piece) for piece in pieces]
    if len(items) == 1 and not isinstance(items[0], Scalar | Items):
        return None
    found = in_brackets(brackets, flattened(items))
    return replace(found, listed=True) if _LISTED.fullmatch(form) else found


_LISTED = re.compile(r"\[-?\d+(?:\.\d+)?(?:, -?\d+(?:\.\d+)?)+\]")
_SAME = {"\\{": "{", "\\}": "}", "\\langle": "(", "\\rangle": ")"}


def in_parentheses(form: str, parts: Parts) -> Meaning | None:
    """Read what stands in parentheses that change nothing: `((1, 2])`, `(y = 2x)`."""
    depths = depths_of(form)
    if depths is None or not (form.startswith("(") and form.endswith(")")) or 0 in depths[:-1]:
        return None
    inner = parts.meaning(normal_form(form[1:-1]), lists=False)
    return None if isinstance(inner, Text) and "," in inner.text else inner
