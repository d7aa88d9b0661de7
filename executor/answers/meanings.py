"""What an answer can be."""

from __future__ import annotations

from dataclasses import dataclass

from executor.answers.formulas.expressions import Expr, Num
from executor.answers.formulas.numbers import Number
from executor.answers.formulas.quantities import Quantity


@dataclass(frozen=True, slots=True)
class Text:
    """Words, or whatever cannot be read."""

    text: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """A set phrase: `no solution`, `undefined`, `infinitely many`, `all real numbers`."""

    key: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """A formula with one value."""

    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Items:
    """Several answers: a list without brackets, a set, a point, an interval.

    Attributes:
        brackets: opening and closing bracket, such as `()`, `(]` or `{}`; empty for a plain list.
        items: the answers.
        listed: whether they are written as Python writes a list of numbers: `[2, 3]`. That is an
            interval or a list; `[2,3]` is an interval.
    """

    brackets: str
    items: tuple[Meaning, ...]
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Union:
    """A union of sets."""

    sets: tuple[Meaning, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A matrix by rows."""

    rows: tuple[tuple[Meaning, ...], ...]


@dataclass(frozen=True, slots=True)
class Equation:
    """An equation or a membership.

    Attributes:
        name: what it gives a value to, such as `x` or `f(x)`; empty for a worked sum; None if it
            gives no value.
        value: the value, or the set that `name` lies in.
        rounded: the value as a rounded number, if one stands behind an exact one.
        difference: left side minus right side, if both are formulas.
    """

    name: str | None
    value: Meaning | None
    difference: Expr | None
    rounded: Meaning | None = None


@dataclass(frozen=True, slots=True)
class Inequality:
    """A positive formula: `larger - smaller > 0`, or >= 0 if not strict."""

    difference: Expr
    strict: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The letter of a choice, with its content if that was given: `(A) 5`.

    Attributes:
        letters: its letters in capitals.
        content: what the choice says, if the answer has it.
        marked: whether more than a bare letter says that it is a choice: `(A)`, `Option A`.
    """

    letters: str
    content: Meaning | None
    marked: bool = True


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio, which is not cancelled: 2:4 is not 1:2."""

    terms: tuple[Meaning, ...]


HALF_DAY = 12 * 3600
"""Seconds of half a day."""


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day.

    Attributes:
        seconds: seconds since midnight; before noon if the half of the day is not known.
        known: whether it is certain which half of the day is meant.
        named: whether the answer names the half: `am`, `pm`, `noon`.
        as_ratio: what it is if it is no time: `1:10` may be the ratio of 1 to 10.
    """

    seconds: int
    known: bool
    named: bool = True
    as_ratio: Ratio | None = None


@dataclass(frozen=True, slots=True)
class Based:
    """Digits in a base that is written: 52_8."""

    digits: str
    base: str


Meaning = (
    Text | Phrase | Scalar | Items | Union | Matrix | Equation | Inequality | Choice | Clock
    | Ratio | Based
)  # fmt: skip


def number_of(meaning: Meaning) -> Number | None:
    """Return the exact number that a meaning is, or None."""
    is_plain = isinstance(meaning, Scalar) and not meaning.quantity.dimension
    base = meaning.quantity.base if isinstance(meaning, Scalar) else None
    return base.number if is_plain and isinstance(base, Num) else None


def scalar(expression: Expr) -> Scalar:
    """Return a formula without units as a meaning."""
    return Scalar(Quantity(expression, expression))
