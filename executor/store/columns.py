"""Types of columns that keep every value, whatever the database.

* PostgreSQL's texts cannot hold the character NUL, and neither database takes half of a surrogate
  pair. `Characters` writes both as an escape.
* JSON has neither NaN nor infinity. `encode` writes such a number as an object.
* SQLite takes NaN for NULL. `Real` writes it as a text there.
* The confidences of a response's tokens are as many as its tokens. `Confidences` takes two bytes
  for each, a third of what JSON does.
"""

from __future__ import annotations

import json
import math
import re
import sys
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator, UserDefinedType

from executor.models.confidence import PER_NAT

WholeNumber = BigInteger().with_variant(Integer, "sqlite")
"""Whole numbers of 64 bits; all of SQLite's have as many, and only INTEGER can number its rows."""

# "Data link escape" exists to change the meaning of what follows. A text that holds it by itself
# keeps it, doubled.
_ESCAPE = "\x10"
_TO_ESCAPE = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED = re.compile("\x10(\x10|[0-9a-f]{4})")


def escape(text: str) -> str:
    """Return a text without NUL and surrogates: U+0010 and four hex digits stand for them."""
    if text.isascii() and "\0" not in text and _ESCAPE not in text:
        return text
    return _TO_ESCAPE.sub(
        lambda one: _ESCAPE + (_ESCAPE if one[0] == _ESCAPE else f"{ord(one[0]):04x}"), text
    )


def unescape(text: str) -> str:
    """Return the text that `escape` was given."""
    if _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda one: _ESCAPE if one[1] == _ESCAPE else chr(int(one[1], 16)), text)


class Characters(TypeDecorator[str]):
    """A text of any length and any characters."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what is written."""
        # What is no text is for the database to refuse.
        return escape(value) if isinstance(value, str) else value

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return what was written."""
        return None if value is None else unescape(value)


class Real(UserDefinedType[float]):
    """A number of double precision; it may be infinite or NaN."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Return the type's name in SQL: in both databases, eight bytes."""
        return "FLOAT"

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Return the function that gives what is written."""
        if dialect.name != "sqlite":
            return None
        return lambda value: "NaN" if value != value else value

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], float | None] | None:
        """Return the function that gives what was written."""
        if dialect.name != "sqlite":
            return None
        return lambda value: float(value) if isinstance(value, str) else value


class Confidences(TypeDecorator[tuple[float, ...]]):
    """Confidences of tokens (`executor.models.confidence`); none are NULL."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: tuple[float, ...] | None, dialect: Dialect) -> bytes | None:
        """Return what is written: multiples of 1 / `PER_NAT` in 16 bits, low byte first."""
        if not value:
            return None
        return _low_byte_first(array("H", [round(PER_NAT * one) for one in value])).tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[float, ...]:
        """Return what was written."""
        numbers = array("H")
        numbers.frombytes(value or b"")
        return tuple(one / PER_NAT for one in _low_byte_first(numbers))


def _low_byte_first(numbers: array[int]) -> array[int]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


_NUMBER = "$number"
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def encode(value: Any) -> str:
    """Return a value as JSON that every reader takes: ASCII, without NaN and infinities."""
    try:
        return _encoder.encode(value)
    except ValueError:  # a number that JSON lacks
        return _encoder.encode(_with_named_numbers(value))


def decode(content: str | bytes) -> Any:
    """Return the value that `encode` was given; tuples come back as lists."""
    text = content.decode() if isinstance(content, bytes) else content
    if _NUMBER not in text:
        return json.loads(text)
    return json.loads(text, object_hook=_number)


def _with_named_numbers(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(float(value))}
    if isinstance(value, Mapping):
        return {key: _with_named_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_named_numbers(item) for item in value]
    return value


def _number(found: dict[str, Any]) -> Any:
    named = found.get(_NUMBER) if len(found) == 1 else None
    return float(named) if named in ("nan", "inf", "-inf") else found
