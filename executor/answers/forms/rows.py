"""Answers in rows: matrices, and systems of equations."""

from __future__ import annotations

import re

from executor.answers.forms.parts import Parts
from executor.answers.formulas.normal_form import normal_form
from executor.answers.meanings import Equation, Items, Matrix, Meaning, Scalar

_MATRIX = re.compile(
    r"[(\[]?\\begin\s*\{([pb]?matrix|smallmatrix|array)\}(?:\{[clr| ]*\})?(.*)"
    r"\\end\s*\{\1\}[)\]]?",
    re.DOTALL,
)


def matrix(form: str, parts: Parts) -> Meaning | None:
    """Read a matrix, of which each cell is a formula."""
    match = _MATRIX.fullmatch(form)
    if match is None or "\\begin" in match[2]:
        return None
    rows = [row for row in re.split(r"\\\\", match[2]) if row.strip()]
    cells = tuple(tuple(parts.item(cell) for cell in row.split("&")) for row in rows)
    if len({len(row) for row in cells}) != 1:
        return None
    return Matrix(cells) if all(isinstance(c, Scalar) for row in cells for c in row) else None


_SYSTEM = re.compile(
    r"(?:\\?\{)?\s*\\begin\s*\{(cases|array|aligned|matrix)\}(?:\{[clr| ]*\})?(.*)\\end\s*\{\1\}",
    re.DOTALL,
)


def system(form: str, parts: Parts) -> Meaning | None:
    """Read equations below each other that each give a name a value, as a list of them."""
    match = _SYSTEM.fullmatch(form)
    if match is None or "\\begin" in match[2]:
        return None
    rows = [row.strip(" ,;.").replace("&", "") for row in re.split(r"\\\\", match[2])]
    items = [parts.meaning(normal_form(row), lists=False) for row in rows if row]
    if not all(isinstance(item, Equation) and isinstance(item.value, Scalar) for item in items):
        return None
    names = {item.name for item in items if isinstance(item, Equation)}
    return Items("", tuple(items)) if len(names) == len(items) > 1 else None
