"""Formulas compared by their values, with many more digits than they could agree in by chance.

Two formulas without variables are equal if their values agree to `DIGITS` bits beyond the largest
and smallest number that occurs in either. Formulas with variables are compared at several points,
which depend on nothing but the names of the variables: polynomials and rational functions that
agree at random points are equal with overwhelming probability (Schwartz 1980, Zippel 1979), and the
same holds for the elementary functions of answers.

Values are real if they can be: a root of odd degree of a negative number is real, and sqrt(x^3)
and x sqrt(x) are both undefined for x < 0. Formulas must be defined at the same points, so that
ln(x^2) is not 2 ln(x). If an imaginary unit occurs in either, principal values are taken.

Numbers that need too many digits (9^9^9^9) are refused before they are computed.

All of this sets mpmath's precision, which the process has one of: only one thread may compare.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath

from executor.answers.equality import Values
from executor.answers.formulas.expressions import (
    Call,
    Const,
    Expr,
    Num,
    Power,
    Product,
    Sum,
    Sym,
    has_variables,
    parts,
)

DIGITS = 200
"""Bits in which equal values must agree, beyond what their size needs."""

LARGEST_EXPONENT = 4_000
"""Largest binary exponent of a number that occurs; larger ones are not compared."""

LARGEST_ARGUMENT = 1_000
"""Largest argument of a factorial or binomial coefficient that is not computed exactly."""

_RANGES = ((0.1, 0.9), (0.1, 0.9), (1.1, 4.0), (1.1, 4.0), (0.1, 0.9), (1.1, 4.0), (5.0, 40.0),
           (4.0, 60.0))  # fmt: skip
_SIGNED = (False, True, False, True, True, True, False, True)
FEWEST_POINTS = 3
"""Fewest points at which formulas with variables must be defined."""


class _UndefinedError(Exception):
    """The formula has no value at this point."""


class _TooLargeError(Exception):
    """A number of the formula is too large or too small to compute."""


class Evaluated(Values):
    """Comparisons by value; each takes milliseconds, or is refused."""

    def evaluated(self, a: Expr, b: Expr) -> bool:
        """Whether two formulas have one value; a rounded decimal equals what rounds to it."""
        try:
            if not has_variables(a) and not has_variables(b):
                return _same_constants(a, b)
            return _same_functions(a, b)
        except (_TooLargeError, _UndefinedError, *_FAILURES):
            return False

    def ratio(self, a: Expr, b: Expr, *, positive: bool) -> bool:
        """Whether two formulas with variables differ by a constant factor only."""
        try:
            return _proportional(a, b, positive=positive)
        except (_TooLargeError, _UndefinedError, *_FAILURES):
            return False


_FAILURES = (ArithmeticError, ValueError, TypeError, NotImplementedError, RecursionError)


def _same_constants(a: Expr, b: Expr) -> bool:
    one, two, spread = _both(a, b, {}, imaginary=_has_i(a) or _has_i(b))
    if one is None and two is None:
        one, two, spread = _both(a, b, {}, imaginary=True)
    if one is None or two is None:
        return False
    step = max(_step(a), _step(b))
    if step:
        allowed = mpmath.mpf(step.numerator) / step.denominator / 2
        return bool(mpmath.im(one) == mpmath.im(two) and abs(one - two) <= allowed)
    return _close(one, two, spread)


def _step(expression: Expr) -> Fraction:
    return expression.number.step if isinstance(expression, Num) else Fraction(0)


def _same_functions(a: Expr, b: Expr) -> bool:
    imaginary = _has_i(a) or _has_i(b)
    names = sorted(_names(a) | _names(b))
    for mode in (True,) if imaginary else (False, True):
        points = 0
        for k in range(len(_RANGES)):
            one, two, spread = _both(a, b, _point(names, k), imaginary=mode)
            if (one is None) != (two is None):
                return False
            if one is None or two is None:
                continue
            if not _close(one, two, spread):
                return False
            points += 1
        if points >= FEWEST_POINTS:
            return True
    return False


def _proportional(a: Expr, b: Expr, *, positive: bool) -> bool:
    names = sorted(_names(a) | _names(b))
    if _names(a) != _names(b) or not names:
        return False
    imaginary = _has_i(a) or _has_i(b)
    first: Any = None
    points = 0
    for k in range(len(_RANGES)):
        one, two, _ = _both(a, b, _point(names, k), imaginary=imaginary)
        if (one is None) != (two is None):
            return False
        if one is None or two is None:
            continue
        if one == 0 or two == 0:
            return False
        quotient = one / two
        if positive and not (mpmath.im(quotient) == 0 and quotient > 0):
            return False
        if first is not None and abs(quotient / first - 1) > mpmath.mpf(2) ** -DIGITS:
            return False
        first = quotient
        points += 1
    return points >= FEWEST_POINTS


def _both(a: Expr, b: Expr, point: dict[str, Fraction], *, imaginary: bool) -> tuple[Any, Any, int]:
    """Evaluate two formulas with digits enough for the numbers in them.

    Returns:
        Both values, None for one that is undefined; and the largest binary exponent, of either
        sign, of a number that occurred.
    """
    spread = 64
    for _ in range(3):
        mpmath.mp.prec = DIGITS + 120 + 3 * spread
        evaluation = _Evaluation(point, imaginary=imaginary)
        values = [evaluation.defined(expression) for expression in (a, b)]
        if evaluation.spread <= spread:
            return values[0], values[1], spread
        spread = evaluation.spread
    return values[0], values[1], spread


def _close(one: Any, two: Any, spread: int) -> bool:
    return bool(abs(one - two) <= mpmath.mpf(2) ** -(DIGITS + 3 * spread // 2))


def _point(names: list[str], k: int) -> dict[str, Fraction]:
    low, high = _RANGES[k]
    point = {}
    for name in names:
        source = random.Random(zlib.crc32(f"{k} {name}".encode()))
        value = Fraction(source.uniform(low, high)).limit_denominator(10**7)
        point[name] = -value if _SIGNED[k] and source.random() < 0.5 else value
    return point


def _names(expression: Expr) -> set[str]:
    if isinstance(expression, Sym):
        return {expression.name}
    return set().union(*(_names(part) for part in parts(expression)))


def _has_i(expression: Expr) -> bool:
    return expression == Const("i") or any(_has_i(part) for part in parts(expression))


class _Evaluation:
    """One evaluation at a point.

    Attributes:
        spread: largest binary exponent, of either sign, of a number that occurred; sums count only
            if they are large, because a small one may be the rounding error of 0.
    """

    def __init__(self, point: dict[str, Fraction], *, imaginary: bool) -> None:
        self._point = point
        self._imaginary = imaginary
        self.spread = 0

    def defined(self, expression: Expr) -> Any:
        try:
            value = self._value(expression)
        except (_UndefinedError, ZeroDivisionError):
            return None
        return None if mpmath.isnan(value) or mpmath.isinf(value) else value

    def _value(self, expression: Expr) -> Any:
        value = self._computed(expression)
        if not self._imaginary and mpmath.im(value) != 0:
            raise _UndefinedError
        self._note(value, small=not isinstance(expression, Sum | Call))
        return value

    def _note(self, value: Any, *, small: bool) -> None:
        size = abs(value)
        if size == 0 or mpmath.isinf(size) or mpmath.isnan(size):
            return
        exponent = int(mpmath.mag(size))
        if abs(exponent) > LARGEST_EXPONENT:
            raise _TooLargeError
        if exponent > 0 or small:
            self.spread = max(self.spread, abs(exponent))

    def _computed(self, expression: Expr) -> Any:
        match expression:
            case Num(number):
                return mpmath.mpf(number.value.numerator) / number.value.denominator
            case Sym(name):
                value = self._point[name]
                return mpmath.mpf(value.numerator) / value.denominator
            case Const("pi"):
                return +mpmath.pi
            case Const("e"):
                return +mpmath.e
            case Const("i"):
                return mpmath.mpc(0, 1)
            case Sum(terms):
                return sum((self._value(term) for term in terms), mpmath.mpf(0))
            case Product(factors):
                product = mpmath.mpf(1)
                for factor in factors:
                    product *= self._value(factor)
                return product
            case Power(base, exponent):
                return self._power(base, exponent)
            case Call(name, arguments):
                return self._call(name, [self._value(argument) for argument in arguments])
        raise _UndefinedError

    def _power(self, base: Expr, exponent: Expr) -> Any:
        low, high = self._value(base), self._value(exponent)
        if low == 0:
            if mpmath.re(high) <= 0:
                raise _UndefinedError
            return mpmath.mpf(0)
        size = float(abs(mpmath.log(abs(low), 2)) * abs(high)) + float(abs(mpmath.im(high)))
        if not size <= LARGEST_EXPONENT:
            raise _TooLargeError
        if self._imaginary or mpmath.im(low) or low > 0:
            return low**high
        exact = exponent.number.value if isinstance(exponent, Num) else None
        if exact is not None and exact.denominator % 2:
            root = (-low) ** high
            return -root if exact.numerator % 2 else root
        if high == int(high):
            return low ** int(high)
        raise _UndefinedError

    def _call(self, name: str, arguments: list[Any]) -> Any:
        if name == "log":
            argument, base = arguments
            return self._log(argument) / self._log(base)
        if name == "ln":
            return self._log(arguments[0])
        if name in ("factorial", "binom") and any(abs(a) > LARGEST_ARGUMENT for a in arguments):
            raise _TooLargeError
        if name in ("gcd", "lcm"):
            whole = [int(a) for a in arguments]
            if any(w != a for w, a in zip(whole, arguments, strict=True)):
                raise _UndefinedError
            return mpmath.mpf(math.gcd(*whole) if name == "gcd" else math.lcm(*whole))
        function = _FUNCTIONS.get(name)
        return function(*arguments) if function else _unknown(name, arguments)

    def _log(self, argument: Any) -> Any:
        if argument == 0 or (not self._imaginary and argument < 0):
            raise _UndefinedError
        return mpmath.log(argument)


def _unknown(name: str, arguments: list[Any]) -> Any:
    """Stand in for a function that nobody knows: a smooth one that depends on its name."""
    source = random.Random(zlib.crc32(name.encode()))
    total = mpmath.mpf(source.randint(1, 10**9)) / 10**9
    for argument in arguments:
        total = mpmath.sin(total + argument * (source.randint(10**8, 10**9) / mpmath.mpf(10**9)))
    return total


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": mpmath.sin, "cos": mpmath.cos, "tan": mpmath.tan, "cot": mpmath.cot, "sec": mpmath.sec,
    "csc": mpmath.csc, "sinh": mpmath.sinh, "cosh": mpmath.cosh, "tanh": mpmath.tanh,
    "coth": mpmath.coth, "sech": mpmath.sech, "csch": mpmath.csch,
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan, "arccot": mpmath.acot,
    "arcsec": mpmath.asec, "arccsc": mpmath.acsc, "arcsinh": mpmath.asinh,
    "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "arccoth": mpmath.acoth,
    "arcsech": mpmath.asech, "arccsch": mpmath.acsch,
    "abs": abs, "floor": mpmath.floor, "ceil": mpmath.ceil, "max": max, "min": min,
    "factorial": mpmath.factorial, "binom": mpmath.binomial,
}  # fmt: skip
