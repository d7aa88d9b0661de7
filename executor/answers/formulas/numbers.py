"""Exact numbers, and what a decimal of many places is equal to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

ROUNDED_PLACES = 5
"""Decimals with at least this many places count as rounded (0.66667 for 2/3)."""

ROUNDED_DIGITS = 3
"""Fewest significant digits of a rounded decimal: 0.00001 does not stand for 0.0000123."""


EXACT = Fraction(0)
"""Step of a number that is not rounded."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact number, with the precision it was written in.

    A decimal of `ROUNDED_PLACES` or more places, and of `ROUNDED_DIGITS` or more significant
    digits, is a rounded figure in the benchmarks (`0.6666666667`). It equals every number within
    half a unit of its last place. Shorter decimals are exact: 0.33 is not 1/3. A factor scales the
    unit of the last place too, so that 3.14159 x 10^-8 equals pi/10^8 and 3 x 10^-8 does not.

    Attributes:
        value: exact value.
        step: one unit of the last place if the number counts as rounded, else 0.
    """

    value: Fraction
    step: Fraction = EXACT

    def same_as(self, other: Number) -> bool:
        """Whether two numbers are equal; of two rounded ones the coarser decides. Symmetric."""
        if self.value == other.value:
            return True
        if not self.step and not other.step:
            return False
        return 2 * abs(self.value - other.value) <= max(self.step, other.step)

    def times(self, factor: Number) -> Number:
        """The product; it is rounded if exactly one of the factors is."""
        step = self.step * abs(factor.value) if not factor.step else Fraction(0)
        if factor.step and not self.step:
            step = factor.step * abs(self.value)
        return Number(self.value * factor.value, step)


def decimal(text: str) -> Number:
    """Read an unsigned whole number or decimal, such as `12`, `1.50` or `.5`."""
    if text.isdigit():
        return Number(Fraction(int(text)))
    whole, _, places = text.partition(".")
    value = Fraction(int((whole + places) or "0"), 10 ** len(places))
    significant = len((whole + places).lstrip("0"))
    rounded = len(places) >= ROUNDED_PLACES and significant >= ROUNDED_DIGITS
    return Number(value, Fraction(1, 10 ** len(places)) if rounded else Fraction(0))


def repeating(whole: str, start: str, period: str) -> Number:
    """Return the exact value of a repeating decimal: 0.1(6) is `repeating("0", "1", "6")`."""
    scale = 10 ** len(start)
    head = Fraction(int((whole + start) or "0"), scale)
    return Number(head + Fraction(int(period), scale * (10 ** len(period) - 1)))
