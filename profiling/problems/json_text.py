"""JSON out of files that others wrote: every fault is one line with file and line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from executor.errors import InputError


def decode(raw: bytes, where: str) -> str:
    """UTF-8 text, with or without a byte order mark; InputError with the line that is not."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}, line {line}: not UTF-8; save the file as UTF-8") from None


def parse_json(text: str, where: str, line: int, parse_float: Callable[[str], Any] = float) -> Any:
    """The value of a JSON text that begins in `line` of a file.

    Args:
        text: one JSON value. NaN and infinities are none.
        where: the file, for messages.
        line: number of its first line.
        parse_float: what numbers with a point or an exponent become.

    Raises:
        InputError: it is not JSON.
    """

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is no JSON number")

    try:
        return json.loads(text, parse_float=parse_float, parse_constant=refuse)
    except json.JSONDecodeError as error:
        where = f"{where}, line {line + error.lineno - 1}"
        why = f"{error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:
        where, why = f"{where}, line {line}", str(error)
    raise InputError(f"{where}: not JSON ({why}); one JSON object a line is needed")
