"""Examples in a prompt, as tests: `>>> f(1)` with the value below, `f(1) == 2`, `f(1) => 2`.

Only an example counts that is a call of the function and a literal value, alone on its line but for
a comment; whatever else a prompt says cannot be told from prose.
"""

from __future__ import annotations

import ast
import doctest
import re
import warnings

_BETWEEN = re.compile(
    r"\s*(?:#\s*)?(?:==>|=>|==|=|->|➞|→|⇒|(?:should\s+)?(?:return|equal|be)s?\b)\s*(?:#\s*)?"
)
"""What stands between a call and its value."""
_BEFORE = re.compile(r"(?:[*\-•]|\d+[.)]|assert|for|e\.g\.|example:?)?\s*", re.IGNORECASE)
"""What may stand before a call on its line."""
_LONGEST_LINE = 1_000


def examples(head: str, entry_point: str) -> tuple[str, ...]:
    """Return the examples of a function's documentation as statements that assert them.

    Args:
        head: text of the prompt, with the function's head and documentation.
        entry_point: name of the function.
    """
    try:
        functions = [one for one in ast.parse(head).body if isinstance(one, ast.FunctionDef)]
        texts = [ast.get_docstring(one) or "" for one in functions if one.name == entry_point]
        shown = doctest.DocTestParser().get_examples("\n\n".join(texts))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    pairs = [(one.source.strip(), one.want.strip()) for one in shown]
    if not pairs:
        lines = [line.strip() for text in texts for line in text.split("\n")]
        pairs = [pair for line in lines if (pair := _on_one_line(line, entry_point)) is not None]
    tests = (
        f"assert {call} == {want}"
        for call, want in pairs
        if f"{entry_point}(" in call and want and _is_literal(want) and _is_expression(call)
    )
    return tuple(dict.fromkeys(tests))


def _on_one_line(line: str, name: str) -> tuple[str, str] | None:
    """Return the call and the value of an example that stands on one line; None if it is none."""
    start = line.find(f"{name}(")
    if start < 0 or len(line) > _LONGEST_LINE or not _BEFORE.fullmatch(line[:start]):
        return None
    for end in (place.end() for place in re.finditer(r"\)", line)):
        between = _BETWEEN.match(line, end)
        if between is not None and end > start and _is_call(line[start:end]):
            want = line[between.end() :]
            wants = (want.partition("#")[0], want, want.rstrip(" .;"))
            literal = next((one.strip() for one in wants if _is_literal(one.strip())), None)
            return None if literal is None else (line[start:end], literal)
    return None


def _is_call(text: str) -> bool:
    """Whether a text is a call whose arguments are literals."""
    try:
        node = _quietly(text)
        if not isinstance(node, ast.Call) or node.keywords:
            return False
        for argument in node.args:
            ast.literal_eval(argument)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False
    return True


def _is_expression(text: str) -> bool:
    try:
        _quietly(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return False
    return True


def _quietly(text: str) -> ast.expr:
    """Return the expression of a text, without warnings about its escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body
