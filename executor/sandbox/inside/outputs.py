"""Values in one form: equal values of programs have the same text, whoever computed them.

Numbers are equal as in Python (1, 1.0 and True), and up to nine digits: sums in another order
differ by rounding. The order of sets and dictionaries does not count. Objects of the program's own
classes are alike, because the program alone could say how they differ.
"""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

LONGEST = 200
"""Characters of a text; of a longer one its digest is taken."""
_EXACT = 1e15  # whole floats below this are whole numbers
_DIGITS = ".9g"


def canonical(value: Any) -> str:
    """Return the text of a value; see this module's docstring.

    Raises:
        RecursionError: it is nested too deeply.
    """
    return shortened(json.dumps(_plain(value), separators=(",", ":")))


def shortened(text: str) -> str:
    """Return a text, or the digest of a long one."""
    if len(text) <= LONGEST:
        return text
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float, Decimal, Fraction)):
        return _number(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):
        return {"tuple": [_plain(one) for one in value]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(json.dumps(_plain(one)) for one in value)}
    if isinstance(value, dict):
        return {"dict": sorted(json.dumps([_plain(k), _plain(v)]) for k, v in value.items())}
    if isinstance(value, (bytes, bytearray, complex, range)):
        return {type(value).__name__: str(value)}
    return {"object": type(value).__name__}


def _number(value: float | Decimal | Fraction) -> Any:
    if isinstance(value, int):
        return int(value) if abs(value) < _EXACT else {"int": hex(value)}
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return {"number": "large"}
    if not math.isfinite(number):
        return {"number": str(number)}
    if number.is_integer() and abs(number) < _EXACT:
        return int(number)
    return float(format(number, _DIGITS))
