"""Intervals: how they are written, and their unions and intersections if the ends are numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from executor.answers.formulas.expressions import Const, negate, number
from executor.answers.meanings import Items, Meaning, Phrase, Scalar, Union, number_of, scalar

BRACKETS = ("()", "(]", "[)", "[]")
"""The brackets that an interval can have."""

INFINITY = scalar(Const("oo"))
"""An end that lies beyond all numbers."""

MINUS_INFINITY = scalar(negate(Const("oo")))
"""An end that lies below all numbers."""

_OPEN = {"(": True, "[": False, ")": True, "]": False}


@dataclass(frozen=True, slots=True, order=True)
class _Span:
    """An interval, ordered by its lower end; the end of a closed one lies before that of an open.

    Attributes:
        low: lower end, maybe minus infinity.
        open_low: whether the lower end is no part of it.
        high: upper end, maybe infinity.
        open_high: whether the upper end is no part of it.
    """

    low: Fraction | float
    open_low: bool
    high: Fraction | float
    open_high: bool


def united(sets: Sequence[Meaning]) -> Meaning | None:
    """Return the union of sets of numbers; None if some set is not known."""
    known = [_spans(one) for one in sets]
    if not known or any(one is None for one in known):
        return None
    return _meaning(_merged(span for spans in known for span in spans or ()))


def intersection(sets: Sequence[Meaning]) -> Meaning | None:
    """Return the intersection of sets of numbers; None if some set is not known."""
    known = [_spans(one) for one in sets]
    if not known or any(one is None for one in known):
        return None
    common = known[0] or []
    for spans in known[1:]:
        pairs = [_common(a, b) for a in common for b in spans or ()]
        common = [span for span in pairs if span is not None]
    return _meaning(_merged(common))


def is_interval(value: Meaning | None) -> bool:
    """Whether two items stand in brackets that an interval can have."""
    return isinstance(value, Items) and len(value.items) == 2 and value.brackets in BRACKETS


def in_brackets(brackets: str, items: tuple[Meaning, ...]) -> Items:
    """Return items in brackets; an infinite end is open, however it is written."""
    if len(items) == 2 and brackets in BRACKETS:
        if items[0] == MINUS_INFINITY:
            brackets = "(" + brackets[1]
        if items[1] == INFINITY:
            brackets = brackets[0] + ")"
    return Items(brackets, items)


def overlap_of_half_lines(sets: Sequence[Items]) -> Meaning | None:
    """Intersect a half line to the right with a half line to the left."""
    if len(sets) != 2:
        return None
    right = next((s for s in sets if s.items[1] == INFINITY), None)
    left = next((s for s in sets if s.items[0] == MINUS_INFINITY), None)
    if right is None or left is None or right is left:
        return None
    return Items(right.brackets[0] + left.brackets[1], (right.items[0], left.items[1]))


def _spans(one: Meaning) -> list[_Span] | None:
    """Return a set as intervals, a number of it as one from itself to itself."""
    match one:
        case Phrase("reals"):
            return [_Span(-math.inf, True, math.inf, True)]
        case Phrase("none"):
            return []
        case Union(sets):
            inner = [_spans(part) for part in sets]
            return None if None in inner else [s for part in inner for s in part or ()]
        case Items("{}", items):
            points = [_end(item) for item in items]
            whole = [p for p in points if isinstance(p, Fraction)]
            return [_Span(p, False, p, False) for p in whole] if len(whole) == len(items) else None
        case Items(brackets, (first, last)) if brackets and set(brackets) <= _OPEN.keys():
            low, high = _end(first), _end(last)
            if low is None or high is None or low >= high:
                return None
            return [_Span(low, _OPEN[brackets[0]], high, _OPEN[brackets[1]])]
    return None


def _end(item: Meaning) -> Fraction | float | None:
    known = number_of(item)
    if known is not None:
        return known.value
    return next((end for end, written in _INFINITE.items() if item == written), None)


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for span in sorted(spans):
        last = merged[-1] if merged else None
        touches = last is not None and (
            span.low < last.high
            or (span.low == last.high and not (span.open_low and last.open_high))
        )
        if last is None or not touches:
            merged.append(span)
            continue
        # Of two upper ends in one place the closed one lies further.
        high, closed = max((last.high, not last.open_high), (span.high, not span.open_high))
        merged[-1] = _Span(last.low, last.open_low, high, not closed)
    return merged


def _common(a: _Span, b: _Span) -> _Span | None:
    low, open_low = max((a.low, a.open_low), (b.low, b.open_low))
    high, closed = min((a.high, not a.open_high), (b.high, not b.open_high))
    if low > high or (low == high and (open_low or not closed)):
        return None
    return _Span(low, open_low, high, not closed)


def _meaning(spans: list[_Span]) -> Meaning:
    if not spans:
        return Phrase("none")
    if spans == [_Span(-math.inf, True, math.inf, True)]:
        return Phrase("reals")
    points = tuple(_written(span.low) for span in spans if span.low == span.high)
    sets = [_interval(span) for span in spans if span.low < span.high]
    sets += [Items("{}", points)] if points else []
    return sets[0] if len(sets) == 1 else Union(tuple(sets))


def _interval(span: _Span) -> Items:
    brackets = ("(" if span.open_low else "[") + (")" if span.open_high else "]")
    return Items(brackets, (_written(span.low), _written(span.high)))


def _written(end: Fraction | float) -> Scalar:
    if not isinstance(end, Fraction):
        return _INFINITE[end]
    return scalar(number(end))


_INFINITE = {-math.inf: MINUS_INFINITY, math.inf: INFINITY}
