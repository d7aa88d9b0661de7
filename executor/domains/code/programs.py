"""Programs in responses: found in fences or bare, completed by their prompts, and compared."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from functools import lru_cache

LONGEST = 100_000
"""Characters of a program that is parsed; a longer one is compared as text."""

_FENCE = re.compile(
    r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[^\n`]*)\n"
    r"(?P<body>.*?)"
    r"(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|(?P<open>\Z))",
    re.MULTILINE | re.DOTALL,
)
_PYTHON = {"", "python", "py", "python3", "python2", "py3"}
_STARTS = re.compile(r"^(?:def |async def |class |import |from \S+ import |@)", re.MULTILINE)
_MOST_TRIES = 64  # ends of a program that are looked for in prose behind it
_THOUGHT_ENDS = re.compile(r"</think(?:ing)?>", re.IGNORECASE)


def find_program(response: str) -> str | None:
    """Return the program of a response; None if there is none.

    It is the last complete fenced block, tagged as Python or not at all, that defines something;
    else the last that is Python; else the last. Without a fence the response itself is looked at:
    it may be a program, the continuation of a function, or have a program in it.
    """
    visible = _THOUGHT_ENDS.split(response)[-1]
    blocks = [
        (textwrap.dedent(one["body"]) if one["indent"] else one["body"], one["open"] is None)
        for one in _FENCE.finditer(visible)
        if (one["tag"].split() or [""])[0].lower().strip("{}.") in _PYTHON
    ]
    texts = [text for text, complete in blocks if complete and text.strip()]
    texts = texts or [text for text, _ in blocks if text.strip()]
    if texts:
        defining = [text for text in texts if _defines(text)]
        readable = [text for text in texts if _parse(text) is not None]
        return (defining or readable or texts)[-1].rstrip("\n") + "\n"
    return None if _FENCE.search(visible) else _bare_program(visible)


def _bare_program(text: str) -> str | None:
    """Return the program in a text without fences."""
    text = text.strip("\n")
    if not text.strip():
        return None
    tree = _parse(text)
    kinds = {type(one) for one in tree.body} if tree is not None else set()
    if kinds - {ast.Expr} and ast.Return not in kinds:
        return f"{text.rstrip()}\n"
    if text[0] in " \t":
        return f"{text.rstrip()}\n"  # the body of a function whose head is in the prompt
    body = _parse(f"def f():\n    {text}")
    if ast.Return in kinds or (body is not None and _returns(body)):
        return f"    {text.rstrip()}\n"  # the same, without the spaces before its first line
    if start := _STARTS.search(text):
        return _longest_program(text[start.start() :])
    return None


def _longest_program(text: str) -> str | None:
    """Return the beginning of a text, up to the end of a line, that can be read as a program.

    Whatever comes after the line of a syntax error is no part of it, so each try ends before that
    line; without one the last block is dropped. The number of tries is bounded: this is done in
    the program's own process, on what a model wrote.
    """
    lines = text[:LONGEST].split("\n")
    for _ in range(_MOST_TRIES):
        if not lines:
            return None
        part = "\n".join(lines)
        wrong = _error_line(part)
        if wrong is None:
            return f"{part.rstrip()}\n"
        lines = lines[: min(wrong, len(lines)) - 1]
    return None


def _error_line(text: str) -> int | None:
    """Return the number of the line of a program's first syntax error; None if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return max(1, error.lineno or 1)
    except (ValueError, RecursionError, MemoryError):
        return 1
    return None


def _returns(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Return) for node in ast.walk(tree))


def completed(program: str, head: str, entry_point: str | None) -> str:
    """Return a program as it can be run: with what it needs of its prompt's head.

    A program that defines the entry point gets the imports and helpers of the head before it. A
    continuation gets the whole head, and ends before the first line that is no longer part of the
    function, if it cannot be read otherwise.

    Args:
        program: text of the program.
        head: code of the prompt, which ends within the function to write; may be empty.
        entry_point: name of that function; None: unknown, and the program stays as it is.
    """
    if not head.strip() or entry_point is None:
        return program
    if entry_point in _definitions(program):
        return f"{_without(head, entry_point)}\n{program}"
    # Without its documentation the head does not say how deep a continuation must be indented.
    for start in (head.rstrip(), _without_documentation(head, entry_point)):
        for continuation in (program, _first_body(program)):
            whole = f"{start}\n{continuation}"
            if entry_point in _definitions(whole):
                return whole
    return f"{head.rstrip()}\n{_first_body(program)}" if program[:1] in " \t" else program


def same_program(a: str, b: str) -> bool:
    """Whether two programs are the same but for comments, documentation and layout."""
    return a == b or normal_form(a) == normal_form(b)


@lru_cache(maxsize=4096)
def normal_form(program: str) -> str:
    """Return a program in the one form that all programs have which are the same."""
    tree = _parse(program) or _parse(f"def f():\n{program}")
    if tree is None:
        return "\n".join(line.rstrip() for line in program.strip().split("\n"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if ast.get_docstring(node, clean=False) is not None and first is not None:
                node.body = node.body[1:] or [ast.Pass()]
    try:
        return ast.unparse(tree)
    except (RecursionError, MemoryError):
        return program


def _parse(text: str) -> ast.Module | None:
    if len(text) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _defines(text: str) -> bool:
    return bool(_definitions(text))


def _definitions(text: str) -> set[str]:
    """Return the functions, classes and variables that a program defines at its outermost level."""
    tree = _parse(text)
    names: set[str] = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {one.id for one in node.targets if isinstance(one, ast.Name)}
    return names


def _without(head: str, entry_point: str) -> str:
    """Return the imports and helpers of a head, without the function that is to be written."""
    for text in (head, f"{head.rstrip()}\n    pass\n"):
        if (tree := _parse(text)) is not None:
            lines = text.split("\n")
            for node in reversed(tree.body):
                if getattr(node, "name", None) == entry_point:
                    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
                    start = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                    del lines[start - 1 : node.end_lineno]
            return "\n".join(lines).rstrip()
    return ""


def _without_documentation(head: str, entry_point: str) -> str:
    """Return a head whose last function, the entry point, has no documentation."""
    tree = _parse(head)
    last = tree.body[-1] if tree is not None and tree.body else None
    if not isinstance(last, ast.FunctionDef) or last.name != entry_point or len(last.body) != 1:
        return head.rstrip()
    return "\n".join(head.split("\n")[: last.body[0].lineno - 1]).rstrip()


def _first_body(program: str) -> str:
    """Return the lines of a continuation that belong to the function that it continues."""
    lines = program.split("\n")
    for number, line in enumerate(lines):
        if line.strip() and line[0] not in " \t#)]}" and number > 0:
            return "\n".join(lines[:number]).rstrip() + "\n"
    return program
