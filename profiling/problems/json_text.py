"""JSON out of files that others wrote: every fault is one line with file and line."""

from __future__ import annotations

import decimal
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from executor.errors import InputError

_ONE_A_LINE = "one JSON object a line is needed"
_A_LIST = "a list of JSON objects is needed"
_SPACE = re.compile(r"[ \t\n\r]*")
_TRAILING_COMMA = re.compile(r",\s*[\]}]")


class _RefusedError(ValueError):
    """A value that `json` would read and this project does not."""


def parse_json(text: str, where: str, line: int, parse_float: Callable[[str], Any] = float) -> Any:
    """The value of a JSON text that begins in `line` of a file.

    Args:
        text: one JSON value. NaN and infinities are none, nor is an object with a name twice.
        where: the file, for messages.
        line: number of its first line.
        parse_float: what numbers with a point or an exponent become.

    Raises:
        InputError: it is not JSON.
    """
    values = list(_values(text, where, parse_float, line))
    if len(values) != 1:
        raise InputError(f"{where}, line {line}: {len(values)} JSON values; one is needed")
    return values[0][1]


def json_records(
    text: str, where: str, parse_float: Callable[[str], Any] = float
) -> Iterator[tuple[str, Any]]:
    """The values of a JSON list, or of JSONL, whose objects may also be spread over lines.

    Args:
        text: the file's text.
        where: the file, for messages.
        parse_float: what numbers with a point or an exponent become.

    Yields:
        Where a value stands, for messages, and the value.

    Raises:
        InputError: it is not JSON.
    """
    for number, value in _values(text, where, parse_float, 1):
        if isinstance(value, list) and text.lstrip()[:1] == "[":
            yield from ((f"{where}, record {i}", one) for i, one in enumerate(value, start=1))
        else:
            yield f"{where}, line {number}", value


def _values(
    text: str, where: str, parse_float: Callable[[str], Any], first: int
) -> Iterator[tuple[int, Any]]:
    """JSON values with nothing but white space between them, each with its line."""
    decoder = json.JSONDecoder(
        parse_float=parse_float, parse_constant=_no_constant, object_pairs_hook=_object
    )
    at, line = _skip(text, 0), first
    line += text.count("\n", 0, at)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            error = _nearest(text, at, error)
            number = line + text.count("\n", at, error.pos)
            raise InputError(f"{where}, line {number}: not JSON ({_explained(error)})"
                             f"; {_needed(text)}") from None  # fmt: skip
        except _RefusedError as error:
            raise InputError(f"{where}, line {line}: not JSON ({error})") from None
        except (ValueError, RecursionError, decimal.InvalidOperation) as error:
            why = _number_or_depth(error)
            raise InputError(f"{where}, line {line}: not JSON ({why}); {_needed(text)}") from None
        yield line, value
        following = _skip(text, end)
        line += text.count("\n", at, following)
        at = following


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _needed(text: str) -> str:
    return _A_LIST if text.lstrip()[:1] == "[" else _ONE_A_LINE


def _no_constant(name: str) -> Any:
    raise _RefusedError(f"{name} is no JSON number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise _RefusedError(f"an object has the field {twice!r} twice; keep one of them")
    return made


def _nearest(text: str, at: int, error: json.JSONDecodeError) -> json.JSONDecodeError:
    """The fault of the line in which a value begins, if the line is meant to be all of it.

    A line that ends in the middle of an object is either cut off or the first of an object that is
    spread over lines; then it ends with a bracket or a comma.
    """
    before = text[at : error.pos].rstrip()
    if before.endswith(",") and text[error.pos : error.pos + 1] in ("]", "}"):
        # Python 3.13 points at the comma, others at the bracket.
        return json.JSONDecodeError(error.msg, text, at + len(before) - 1)
    end = text.find("\n", at)
    end = len(text) if end < 0 else end
    if error.pos <= end or text[at:end].rstrip().endswith(("{", "[", ",")):
        return error
    return json.JSONDecodeError("the line ends in the middle of an object", text, end)


def _explained(error: json.JSONDecodeError) -> str:
    text, at = error.doc, error.pos
    column = at - text.rfind("\n", 0, at)
    message = error.msg.removesuffix(" at")  # "Unterminated string starting at"
    rest = text[at : at + 40]
    if error.msg.startswith("Invalid \\"):
        word = re.match(r"[A-Za-z]+|.?", text[_backslash(text, at) + 1 :][:40])
        command = "\\" + (word.group() if word else "")
        return f"one backslash before {command[1:]!r} at column {column}; write \\{command}"
    if _TRAILING_COMMA.match(rest):
        return f"a comma at column {column} after which nothing follows; remove it"
    if rest.startswith(",") and error.msg == "Expecting value":
        return f"a comma between objects at column {column}; put none there, or all of them in [ ]"
    if rest.startswith("'"):
        return f"single quotes at column {column}; JSON has double quotes"
    if python := re.match(r"(None|True|False)\b", rest):
        json_word = {"None": "null", "True": "true", "False": "false"}[python.group()]
        return f"{python.group()} at column {column}; JSON has {json_word}"
    if error.msg.startswith("Invalid control character"):
        return f"a line break or tab inside a text at column {column}; write \\n or \\t for it"
    if not text[at:].strip() and at:
        return f"{message} at column {column}: the file ends there; it may be cut off"
    if rest.startswith("\x00"):
        return f"the character NUL at column {column}, which no text has"
    if rest.startswith(("//", "/*", "#")):
        return f"a comment at column {column}; JSON has none, remove it"
    return f"{message} at column {column}"


def _backslash(text: str, at: int) -> int:
    """Offset of the backslash of an invalid escape; decoders differ in where they point."""
    return text.rfind("\\", 0, at + 1)


def _number_or_depth(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "lists or objects are nested too deep"
    if isinstance(error, decimal.InvalidOperation):
        return "a number has an exponent of more than 18 digits"
    return "a number has thousands of digits" if "digits" in str(error) else str(error)
