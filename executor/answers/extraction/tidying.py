"""Formulas in prose, and what is stripped around an answer."""

from __future__ import annotations

import re

FORMULA = re.compile(
    r"\\\((.+?)\\\)|\\\[(.+?)\\\]|(?<!\\)\$\$([^$]+)\$\$"
    r"|(?<!\\)\$(?P<dollars>(?:[^$]|(?<=\\)\$)+?)(?<!\\)\$",
    re.DOTALL,
)
"""A formula between `$`, `$$`, `\\(` or `\\[`; `formula_at` tells it from two prices."""

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}
_QUOTES = "\"'`\u201c\u201d\u2018\u2019"


_PLACEHOLDER = re.compile(
    r"(?:\\(?:[lc]?dots|square|Box|bigcirc|underline|quad|qquad|[,;:!_?\s])|[\s?!_.{}\u2026\u25a1\u2013\u2014-]|\\$)*"
    r"|(?:(?:(?:your|my|the|final|correct|insert|put|write|numerical)\s+)*(?:answer|result|solution)"
    r"(?:\s+(?:goes\s+)?here)?|(?:votre|ma|la|tu|su|sua|die|deine)?\s?(?:r[ée]ponse|respuesta|resposta"
    r"|risposta|antwort)|tbd|todo|答案|答え|정답|답|ответ)\.?",
    re.IGNORECASE,
)
_FILLER = re.compile(r"\\(?:[hv]?phantom|hspace\*?|rule)\s?\{[^{}]*\}")
_WRAPPED = re.compile(r"\\(?:text\w*|mathrm|mathbf|mbox|boxed|fbox)\s*\{([^{}]*)\}")


def formula_at(text: str, start: int) -> re.Match[str] | None:
    """Return the formula that begins at `start`, or None; "$5 and $6" are two prices."""
    if not text.startswith(("$", "\\(", "\\["), start):
        return None
    formula = FORMULA.match(text, start)
    if formula is None or formula["dollars"] is None:
        return formula
    inside = formula["dollars"]
    price = inside[0].isdigit() and (
        inside[-1].isspace() or text[formula.end() : formula.end() + 1].isdigit()
    )
    return None if price else formula


def inside(formula: re.Match[str]) -> str:
    """Return a formula without its delimiters."""
    return next(group for group in formula.groups() if group).strip()


def without_delimiters(text: str) -> str:
    """Return prose with the delimiters of its formulas removed."""
    if "$" not in text and "\\" not in text:
        return text
    return FORMULA.sub(lambda formula: inside(formula), text)


def result(text: str) -> str:
    """Return the result of a worked sum ("5 + 3 = 8"); an equation in symbols stays whole."""
    left, equals, right = text.rpartition("=")
    sums = re.sub(r"(?<=\d) ?x ?(?=\d)", "*", left)
    symbols = re.search(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", sums)
    worked = equals and right.strip() and re.search(r"\d", sums) and not symbols
    return right.strip() if worked else text


def is_placeholder(answer: str) -> bool:
    """Whether an answer only holds the place of one: "", "?", "...", "your answer here"."""
    if len(answer) > 60:
        return False
    answer = _FILLER.sub("", answer).replace("\\ ", " ")
    plain = _WRAPPED.sub(r"\1", _WRAPPED.sub(r"\1", answer)).strip(" $*[]<>()\"'`")
    if any(c.isnumeric() or c == "\u221e" for c in plain):
        return False
    return _PLACEHOLDER.fullmatch(plain) is not None


def tidy(answer: str) -> str:
    """Strip dollar signs, asterisks, spaces, quotes and the full stop around an answer."""
    answer = answer.strip().strip("*").strip()
    if answer.isalnum() and answer.isascii():
        return answer
    if not answer.isascii():
        answer = answer.translate(_WIDE)
    answer = _unquoted(answer)
    formula = FORMULA.fullmatch(answer)
    if formula:
        answer = inside(formula)
    answer = re.sub(r"^(-?)\s*\\?\$\s*", r"\1", answer)
    answer = re.sub(r"\\?\$$", "", answer).strip()
    stop = answer.endswith((".", "\u3002")) and len(answer) > 1
    if stop and not answer.endswith("\\right."):
        answer = answer[:-1].rstrip()
    return _unquoted(answer)


def _unquoted(answer: str) -> str:
    if len(answer) > 2 and answer[0] in _QUOTES and answer[-1] in _QUOTES:
        return answer[1:-1].strip()
    return answer
