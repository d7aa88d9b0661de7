"""Unions and intersections of intervals hold the numbers that they must, and no others."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product

import pytest

from executor.answers import intervals
from executor.answers.meanings import Items, Meaning, Phrase, Union, number_of
from executor.answers.reading import read

SETS = [
    "(1,3)", "[1,3]", "(1,2]", "[2,3)", "(2,4)", "[3,4]", r"\{2\}", r"\{1,4\}", r"(-\infty,2)",
    r"[2,\infty)", r"(1,2)\cup(3,4)", r"\mathbb{R}", r"\emptyset",
]  # fmt: skip
NUMBERS = [Fraction(n, 2) for n in range(-1, 11)]


def holds(one: Meaning, value: Fraction) -> bool:
    """Whether a set has a number in it, judged by what is written."""
    point = read(str(value)).meaning
    match one:
        case Phrase(key):
            return key == "reals"
        case Union(sets):
            return any(holds(part, value) for part in sets)
        case Items("{}", items):
            return point in items
        case Items(brackets, (low, high)):
            low_end, high_end = (float(str(written(end))) for end in (low, high))
            above = low_end < value or (low_end == value and brackets[0] == "[")
            return above and (value < high_end or (high_end == value and brackets[1] == "]"))
    raise AssertionError(one)


def written(end: Meaning) -> Fraction | float:
    known = number_of(end)
    if known is not None:
        return known.value
    return float("-inf") if end == read(r"-\infty").meaning else float("inf")


@pytest.mark.parametrize(("work", "of"), [(intervals.united, any), (intervals.intersection, all)])
def test_numbers_of_two_sets(
    work: Callable[[list[Meaning]], Meaning | None], of: Callable[[list[bool]], bool]
) -> None:
    for pair in product(SETS, repeat=2):
        sets = [read(form).meaning for form in pair]
        found = work(sets)
        assert found is not None, pair
        for value in NUMBERS:
            assert holds(found, value) == of([holds(one, value) for one in sets]), (pair, value)


def test_sets_that_are_not_known() -> None:
    for form in (r"[1,\sqrt2]", "(3,1)", "x", "(1,2,3)"):
        sets = [read(form).meaning, read("(1,2)").meaning]
        assert intervals.united(sets) is None
        assert intervals.intersection(sets) is None
