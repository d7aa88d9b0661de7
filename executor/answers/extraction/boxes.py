r"""The boxed answers of a response: `\boxed{}`, `\fbox{}`, `\boxed 2`, and several as one.

Every function takes time linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from executor.answers.extraction.tidying import is_placeholder, tidy
from executor.answers.extraction.values import denied
from executor.answers.extraction.vocabulary import MEASURES

_BRACES = re.compile(
    r"(?P<boxed>\\(?:f?boxed|fbox)\s*\{)"
    r"|\\f?boxed\s*(?P<bare>-?\s?(?:\d+(?:,\d{3})*(?:\.\d+)?(?:/\d+)?|\\[dt]?frac\s?(?:\d\d|\{[^{}]{0,40}\}\{[^{}]{0,40}\})"
    r"|\\pi\b|(?<=\s)[A-Za-z](?![A-Za-z])))"
    r"|\\.|[{}]",
    re.DOTALL,
)
_MACRO = re.compile(r"\\(?:f?boxed|fbox)\s*\{([^{}]*)\}")
_SPACES = r"(?:[\s$,;.~]|\\[\[\](),;:! ]|\\q?quad(?![A-Za-z]))*"
_VARIABLE = r"(?P<variable>[A-Za-z](?:_\{?\w{1,3}\}?)?)\s*="
_BETWEEN = re.compile(
    rf"{_SPACES}(?P<word>\\text\s*\{{\s*(?:and|or)\s*\}}|(?:and|or)\b|&|[和或与、，])?{_SPACES}"
    rf"(?:{_VARIABLE}{_SPACES})?"
)
_BEFORE = re.compile(rf"(?:^|[^A-Za-z0-9\\_]){_VARIABLE}[\s$]*$")

_UNIT = re.compile(
    r"[\s$~]*(?:\\text\s*\{\s*)?(?P<unit>[A-Za-z]+)\b[\s.}$~]*(?:,?\s*\band\b)?[\s$]*"
)
_OPEN = re.compile(r"(?<!\\)\([ $]*$")

LONGEST_GAP = 60
"""Most characters between two boxes that belong to one answer."""

VOID = "\u25a1"
"""What stands for a box that answers nothing; itself it is no answer."""


@dataclass(frozen=True, slots=True)
class _Box:
    """A box: where it starts, and where its content and the whole box end."""

    start: int
    content: int
    content_end: int
    end: int


def last_boxed(text: str) -> tuple[str | None, int]:
    r"""Return the content of the last non-empty `\boxed{}` with balanced braces.

    Returns:
        The tidied content, or None; and the offset at which an unclosed `\boxed{` begins
        (`len(text)` if there is none).
    """
    boxes, end = _boxes(text)
    for box in reversed(boxes):
        content = _content(text, box)
        if content:
            return content, end
    return None, end


def without_void_boxes(text: str) -> str:
    r"""Return a text with `VOID` for boxes that answer nothing: `\boxed{?}`, "not `\boxed{6}`"."""
    boxes, _ = _boxes(text)
    kept: list[str] = []
    done = 0
    for box in boxes:
        if not _content(text, box) or denied(text, box.start, box.end):
            kept += text[done : box.start], VOID
            done = box.end
    return "".join([*kept, text[done:]]) if kept else text


def last_box_end(text: str) -> int:
    """Return where the last closed box ends; 0 if there is none."""
    boxes, _ = _boxes(text)
    return boxes[-1].end if boxes else 0


def final_boxes(text: str) -> tuple[list[str], int]:
    r"""Return the contents of the last boxes that together are one answer.

    `\boxed{3} or \boxed{5}` is one answer, as are `x=\boxed{3}` and `y=\boxed{5}`, which keep their
    variables. Boxes with any other words between them belong to steps; then only the last counts.

    Returns:
        The tidied contents, an empty list if no box has content; and the offset at which an
        unclosed box begins (`len(text)` if there is none).
    """
    boxes, end = _boxes(text)
    while boxes and not _content(text, boxes[-1]):
        boxes.pop()
    if quantity := _quantity(text, boxes[-2:]):
        return [quantity], end
    group, names = boxes[-1:], [""]
    for box in reversed(boxes[:-1]):
        gap = text[box.end : group[0].start]
        between = _BETWEEN.fullmatch(gap) if len(gap) <= LONGEST_GAP else None
        if between is None or not (between["word"] or set(",;，、") & set(gap)):
            break
        names[0] = between["variable"] or ""
        group.insert(0, box)
        names.insert(0, "")
    if len(group) < 2:
        return [_content(text, box) for box in group], end
    before = text[max(0, group[0].start - LONGEST_GAP) : group[0].start]
    variable = _BEFORE.search(before)
    names[0] = variable["variable"] if variable else ""
    contents = [_content(text, box) for box in group]
    if all(names):
        contents = [f"{name}={content}" for name, content in zip(names, contents, strict=True)]
    contents = [content for content in contents if content]
    if _OPEN.search(before) and text[group[-1].end : group[-1].end + 4].lstrip("$ ").startswith(
        ")"
    ):
        return [f"({', '.join(contents)})"], end
    return contents, end


def _quantity(text: str, boxes: list[_Box]) -> str | None:
    r"""A quantity of two units with boxed numbers: `\boxed{3}` hours, `\boxed{20}` minutes."""
    if len(boxes) < 2:
        return None
    first, second = boxes
    large = _UNIT.fullmatch(text[first.end : min(second.start, first.end + LONGEST_GAP)])
    small = _UNIT.match(text[second.end : second.end + LONGEST_GAP])
    if not (large and small and {large["unit"], small["unit"]} <= MEASURES):
        return None
    return f"{_content(text, first)} {large['unit']} {_content(text, second)} {small['unit']}"


def _boxes(text: str) -> tuple[list[_Box], int]:
    """All closed boxes in the order of their ends, and the offset of the first unclosed one."""
    places = [place for place in (text.find("boxed"), text.find("fbox")) if place >= 0]
    if not places:
        return [], len(text)
    # Only backslashes directly before a box can change how its content is read.
    first = min(places)
    first = len(text[:first].removesuffix("f").rstrip("\\"))
    boxes: list[_Box] = []
    opened: list[re.Match[str]] = []
    for brace in _BRACES.finditer(text, first):
        if brace["bare"]:
            boxes.append(_Box(brace.start(), brace.start("bare"), brace.end(), brace.end()))
        elif brace["boxed"] or brace.group() == "{":
            opened.append(brace)
        elif brace.group() == "}" and opened:
            start = opened.pop()
            if start["boxed"]:
                boxes.append(_closed(text, start, brace, boxes))
    return boxes, min((b.start() for b in opened if b["boxed"]), default=len(text))


def _closed(text: str, start: re.Match[str], brace: re.Match[str], boxes: list[_Box]) -> _Box:
    r"""A box that ends here; `\boxed{\boxed{3}}` has the content of the box inside."""
    content, end = start.end(), brace.start()
    if boxes and boxes[-1].start >= content:
        inside = boxes[-1]
        around = text[content : inside.start] + text[inside.end : end]
        if not around.strip(" $"):
            content, end = inside.content, inside.content_end
    while boxes and boxes[-1].start >= start.start():
        boxes.pop()
    return _Box(start.start(), content, end, brace.end())


def _content(text: str, box: _Box) -> str:
    content = text[box.content : box.content_end]
    if "box" in content:
        content = _MACRO.sub(r"\1", content)
    content = tidy(content)
    return "" if is_placeholder(content) else content
