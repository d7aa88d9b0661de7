"""Seeded mutations of JSON documents: what careless writers and attackers make of a good one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

# Texts of JSON that take the place of a value; not all are JSON, and some break parsers.
VALUES = (
    "null", "true", "false", "0", "-0.0", "1", "-1", "0.5", "1e308", "-1e308", "1e999", "1e-320",
    "NaN", "Infinity", "-Infinity", "1" + "0" * 30, "9" * 400, "9" * 5000, "1000000000",
    "-9223372036854775809", "3.0", "[]", "{}", "[null]", "[[]]", '[{"":{}}]', '""', '" "', '"1"',
    '"NaN"', '"all"', '"\\u0000"', '"\\ud800"', '"\\u202e\\u2028"', '"\U0001f9ee \u0661\u0662"',
    '"line\\nline\\r\\nline"', '"' + "x" * 5000 + '"', '{"name": "greedy"}',
    '{"name": "majority", "n": 1000000000}', "[" * 100 + "]" * 100, "[" * 3000 + "]" * 3000,
    '{"a":' * 1000 + "1" + "}" * 1000, "[" + "0," * 999 + "0]", "[1, 2", "'a'", "\x00", "\ufeff1",
)  # fmt: skip
_KEYS = ("", "n", "__class__", "\u202e", "a\nb", "x" * 300, "name", "NaN", "0", "\U0001f9ee")
_MARK = "@@mutated@@"


def mutants(document: Any, number: int, seed: int = 0) -> Iterator[bytes]:
    """Yield mutants of a document, as the bytes of a file or of a body.

    Args:
        document: plain values.
        number: number of mutants.
        seed: equal seeds give equal mutants.
    """
    chosen = random.Random(seed)
    for _ in range(number):
        yield _mutant(document, chosen)


def _mutant(document: Any, chosen: random.Random) -> bytes:
    record = json.loads(json.dumps(document))
    kind = chosen.choices(
        ("value", "delete", "rename", "add", "repeat", "swap", "bytes"), (10, 3, 2, 2, 1, 2, 1)
    )[0]
    paths = list(_paths(record))
    # Shallow parts have few paths, and would hardly ever be hit.
    depth = chosen.randint(1, max(map(len, paths)))
    path = chosen.choice([one for one in paths if len(one) <= depth])
    holder, key = _at(record, path[:-1]), path[-1]
    text = None
    match kind:
        case "value":
            text = chosen.choice(VALUES)
            holder[key] = _MARK
        case "delete":
            del holder[key]
        case "rename" if isinstance(holder, dict):
            holder[chosen.choice(_KEYS)] = holder.pop(key)
        case "add" if isinstance(holder, dict):
            holder[chosen.choice(_KEYS)] = _MARK
            text = chosen.choice(VALUES)
        case "swap":
            other = chosen.choice(paths)
            holder[key] = json.loads(json.dumps(_at(record, other)))
        case "bytes":
            body = bytearray(json.dumps(record).encode())
            for _ in range(chosen.randint(1, 4)):
                at = chosen.randrange(len(body))
                body[at : at + chosen.randint(0, 3)] = chosen.randbytes(chosen.randint(0, 3))
            return bytes(body)
        case _:
            if isinstance(holder, list):
                holder.insert(key, holder[key])
            else:
                holder[key] = [holder[key]]
    body_text = json.dumps(record)
    if text is not None:
        body_text = body_text.replace(json.dumps(_MARK), text)
    return body_text.encode("utf-8", "surrogatepass")


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    items = (
        value.items() if isinstance(value, dict)
        else enumerate(value) if isinstance(value, list) else ()
    )  # fmt: skip
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value
