"""Answers that are JSON: two are equal if they are the same JSON value."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

# Numbers with more digits are compared as they are written: arithmetic on them is not cheap.
_LONGEST_NUMBER = 400


class JsonGrader:
    """The grader of JSON values.

    The answer of a response is the response itself, if it is JSON. The order of the names of an
    object does not count, nor how numbers and characters are spelt: `1`, `1.0` and `10e-1` are
    equal.
    """

    timeouts = 0

    def extract(self, response: str) -> str | None:
        """Return the value in its one spelling, or None if the response is not JSON."""
        try:
            return _spelt(json.loads(response, parse_constant=_no_constant, parse_float=_Number,
                                     parse_int=_Number))  # fmt: skip
        except (ValueError, RecursionError):
            return None

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers are the same value; both may be in any spelling."""
        return a == b or (self.extract(a) or a) == (self.extract(b) or b)

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether an answer is the same value as the reference."""
        return answer is not None and self.equivalent(answer, reference)


class _Number(str):
    """A number as it is written in JSON."""

    __slots__ = ()


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _spelt(value: Any) -> str:
    """Return a JSON value in the one spelling that all equal values share."""
    if isinstance(value, _Number):
        return _spelt_number(value)
    if isinstance(value, dict):
        pairs = (f"{json.dumps(name)}:{_spelt(value[name])}" for name in sorted(value))
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    return json.dumps(value)


def _spelt_number(written: str) -> str:
    if len(written) > _LONGEST_NUMBER:
        return written
    try:
        sign, digits, exponent = Decimal(written).as_tuple()
    except InvalidOperation:  # an exponent beyond all bounds
        return written
    assert isinstance(exponent, int)
    shown = "".join(map(str, digits)).lstrip("0")
    bare = shown.rstrip("0")
    if not bare:
        return "0"
    exponent += len(shown) - len(bare)
    minus = "-" if sign else ""
    if 0 <= exponent <= 15:
        return f"{minus}{bare}{'0' * exponent}"
    if -15 <= exponent < 0:
        padded = bare.rjust(1 - exponent, "0")
        return f"{minus}{padded[:exponent]}.{padded[exponent:]}"
    return f"{minus}{bare}e{exponent}"
