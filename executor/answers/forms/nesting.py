"""How deep a form's brackets are nested, and a form split outside of them."""

from __future__ import annotations

import re

_OPEN, _CLOSE = "([{", ")]}"
_COMMANDS_OPEN = ("\\langle", "\\lfloor", "\\lceil", "\\begin{", "\\begin {")
_COMMANDS_CLOSE = ("\\rangle", "\\rfloor", "\\rceil", "\\end{", "\\end {")


def depths_of(form: str) -> list[int] | None:
    """Return the number of brackets open at each character; None if they do not match in number."""
    depth, depths = 0, []
    at = 0
    while at < len(form):
        if form.startswith(_COMMANDS_OPEN, at):
            depth += 1
        elif form.startswith(_COMMANDS_CLOSE, at):
            depth -= 1
        elif form[at] in _OPEN:
            depth += 1
        elif form[at] in _CLOSE:
            depth -= 1
        depths.append(depth)
        if depth < 0:
            return None
        at += 1
    return depths if depth == 0 else None


def nesting_depth(form: str) -> int:
    """Return the most brackets that are open at one character."""
    depth = deepest = 0
    for character in form:
        depth += (character in _OPEN) - (character in _CLOSE)
        deepest = max(deepest, depth)
    return deepest


def split(form: str, pattern: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """Split outside of brackets; return the pieces, and what stood between them."""
    depths = depths_of(form)
    if depths is None:
        return [form], []
    pieces, between, start = [], [], 0
    for match in pattern.finditer(form):
        if depths[match.start()] == 0 and (match.start() == 0 or depths[match.start() - 1] == 0):
            pieces.append(form[start : match.start()])
            between.append(next((g for g in match.groups() if g), match.group()).strip())
            start = match.end()
    return [*pieces, form[start:]], between
