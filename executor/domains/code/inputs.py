"""Inputs on which programs are compared: calls in public tests and examples, and variants of them.

A call is used if its arguments are literals. Variants change one value a little and keep its type,
so that most of them are inputs that the function was meant for; without any call, values are made
up from the annotations of the function's arguments. All of it depends on the texts alone.
"""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from executor.sandbox.suite import Call, Pair, Source, Suite

FEWEST = 8
"""Inputs of a problem; if its tests and examples have fewer, variants are added."""
_MOST = 16  # calls of tests and examples that are used
_TRIES = 50  # for each variant that is wanted
_LONGEST_CALL = 2_000  # characters
_LONGEST_TEXT = 20_000  # characters of a docstring that are searched


@lru_cache(maxsize=1024)
def comparison(shown: str) -> tuple[Suite, int]:
    """Return the suite to run on what everybody may see, and the number of its public tests.

    The public tests come first, and calls behind them. A script has no calls: the inputs of its
    public tests are its inputs.

    Args:
        shown: the public tests (`Suite.to_json`).

    Raises:
        ValueError: it is no suite.
    """
    suite = Suite.from_json(shown)
    calls = tuple(Call(one) for one in _calls_of(suite))
    return replace(suite, units=(*suite.units, *calls)), len(suite.units)


def _calls_of(suite: Suite) -> list[str]:
    name = suite.entry_point
    if name is None or any(isinstance(one, Pair) for one in suite.units):
        return []
    sources = [unit.source for unit in suite.units if isinstance(unit, Source)]
    found = [call for source in sources for call in _in_source(source, name)]
    found += _in_text(suite.head[:_LONGEST_TEXT], name)
    seeds = list(dict.fromkeys(found))[:_MOST]
    makers = _from_annotations(suite.head, name)
    return seeds + _variants(seeds, name, makers, FEWEST - len(seeds))


def _in_source(source: str, name: str) -> Iterator[str]:
    """Yield the calls of a function, with literal arguments, in a test."""
    tree = _parsed(source)
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Call) and _arguments(node, name) is not None:
            yield ast.unparse(node)


def _in_text(text: str, name: str) -> Iterator[str]:
    """Yield the calls of a function, with literal arguments, in a text such as a docstring."""
    start = text.find(f"{name}(")
    while start >= 0:
        end = text.find(")", start)
        while 0 <= end < start + _LONGEST_CALL:
            tree = _parsed(text[start : end + 1])
            if tree is not None:
                yield from _in_source(text[start : end + 1], name)
                break
            end = text.find(")", end + 1)
        start = text.find(f"{name}(", start + 1)


def _arguments(node: ast.Call, name: str) -> list[Any] | None:
    """Return the values of a call's arguments; None if it is another call, or some are no literals.

    Calls without arguments, and with named ones, are left out.
    """
    if not (isinstance(node.func, ast.Name) and node.func.id == name):
        return None
    if node.keywords or not node.args:
        return None
    try:
        return [ast.literal_eval(one) for one in node.args]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


Maker = Callable[[random.Random], Any]


def _from_annotations(head: str, name: str) -> list[Maker]:
    """Return what makes values for each argument of a function; empty if a type is not known."""
    tree = _parsed(f"{head.rstrip()}\n    pass\n")
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.FunctionDef) and node.name == name:
            makers = [_maker(one.annotation) for one in node.args.args]
            return [one for one in makers if one is not None] if None not in makers else []
    return []


def _maker(annotation: ast.expr | None) -> Maker | None:
    match annotation:
        case ast.Name(id=kind) if kind in _PLAIN:
            return _PLAIN[kind]
        case ast.Name(id="list" | "List"):
            return _list_of(_PLAIN["int"])
        case ast.Subscript(value=ast.Name(id="list" | "List"), slice=inner):
            member = _maker(inner)
            return None if member is None else _list_of(member)
        case _:
            return None


def _list_of(member: Maker) -> Maker:
    return lambda rng: [member(rng) for _ in range(rng.randint(0, 6))]


_PLAIN: dict[str, Maker] = {
    "int": lambda rng: rng.choice((0, 1, 2, 3, 5, 10, rng.randint(4, 100))),
    "float": lambda rng: round(rng.uniform(0, 10), 1),
    "str": lambda rng: "".join(rng.choice("abcdeAB 12") for _ in range(rng.randint(0, 8))),
    "bool": lambda rng: rng.random() < 0.5,
}


def _variants(seeds: Sequence[str], name: str, makers: Sequence[Maker], n: int) -> list[str]:
    """Return up to `n` different calls beside the seeds."""
    given: list[list[Any]] = []
    for seed in seeds:
        (statement,) = ast.parse(seed).body
        assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
        given.append(_arguments(statement.value, name) or [])
    if n < 1 or not (given or makers):
        return []
    rng = random.Random(f"{name} {seeds}")
    variants: dict[str, None] = {}
    for _ in range(_TRIES * n):
        values = _changed(rng.choice(given), rng) if given else [make(rng) for make in makers]
        call = f"{name}({', '.join(map(repr, values))})"
        if call not in seeds and len(call) <= _LONGEST_CALL:
            variants[call] = None
        if len(variants) == n:
            break
    return list(variants)


def _changed(values: Sequence[Any], rng: random.Random) -> list[Any]:
    """Return arguments of which one is changed."""
    at = rng.randrange(len(values))
    return [_change(one, rng) if i == at else one for i, one in enumerate(values)]


def _change(value: Any, rng: random.Random) -> Any:
    """Return a value of the same type that differs a little."""
    match value:
        case bool():
            return not value
        case int():
            return _signed(value, rng.choice((abs(value) + 1, max(abs(value) - 1, 0),
                                              2 * abs(value), rng.randint(0, 20))))  # fmt: skip
        case float():
            return _signed(value, round(abs(value) * rng.choice((0.5, 1.5, 2.0)) + 0.5, 2))
        case str() if " " in value.strip():
            return " ".join(_rearranged(value.split(" "), rng))
        case str():
            return "".join(_rearranged(value, rng))
        case list() | tuple():
            return type(value)(_rearranged(value, rng))
        case set() | frozenset():
            return type(value)(_rearranged(sorted(value, key=repr), rng))
        case dict() if value:
            key = rng.choice(list(value))
            return value | {key: _change(value[key], rng)}
        case _:
            return value


def _signed(like: float, magnitude: float) -> float:
    """Return a number with the sign of another: functions of counts get no negative ones."""
    return -magnitude if like < 0 else magnitude


def _rearranged(members: Sequence[Any], rng: random.Random) -> list[Any]:
    """Return members in another order, or one less, or one twice, or one changed."""
    changed = list(members)
    if not changed:
        return changed
    at, way = rng.randrange(len(changed)), rng.randrange(4)
    if way == 0:
        rng.shuffle(changed)
    elif way == 1:
        del changed[at]
    elif way == 2:
        changed.insert(rng.randrange(len(changed) + 1), changed[at])
    elif isinstance(changed[at], str):
        changed[at] = rng.choice(changed)  # one of the same kind: its letters may not be free
    else:
        changed[at] = _change(changed[at], rng)
    return changed
