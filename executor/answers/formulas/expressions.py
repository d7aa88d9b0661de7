"""Formulas as trees, and how they are put together with exact arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from executor.answers.formulas.numbers import Number

LARGEST_BITS = 100_000
"""Largest exact power or factorial in bits; larger ones stay powers."""


class UnreadableError(Exception):
    """The formula has a part that the grammar does not know."""


@dataclass(frozen=True, slots=True)
class Num:
    """A rational number."""

    number: Number


@dataclass(frozen=True, slots=True)
class Sym:
    """A variable; its name holds its subscript and its accent."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    """A constant: `pi`, `e`, `i` or `oo`."""

    name: str


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum of two or more terms."""

    terms: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """A product of two or more factors."""

    factors: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Power:
    """A power; a quotient is a product with a power of -1."""

    base: Expr
    exponent: Expr


@dataclass(frozen=True, slots=True)
class Call:
    """A function of its arguments; a name outside `FUNCTIONS` is a function nobody knows."""

    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class UnitOf:
    """A unit of measurement, by its name in `executor.answers.formulas.units`."""

    name: str


@dataclass(frozen=True, slots=True)
class PlusMinus:
    """A plus-minus or minus-plus sign before a term."""

    sign: int
    term: Expr


Expr = Num | Sym | Const | Sum | Product | Power | Call | UnitOf | PlusMinus

HYPERBOLIC = ("sinh", "cosh", "tanh", "coth", "sech", "csch")
CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")
FUNCTIONS = frozenset((*CIRCULAR, *HYPERBOLIC, *(f"arc{n}" for n in (*CIRCULAR, *HYPERBOLIC)))) | {
    "ln",
    "log",
    "exp",
    "cis",
    "sqrt",
    "abs",
    "floor",
    "ceil",
    "max",
    "min",
    "gcd",
    "lcm",
    "binom",
}
"""Names of the functions that have values."""


def number(value: Fraction | int) -> Num:
    """Return an exact number as an expression."""
    return Num(Number(Fraction(value)))


def add(*terms: Expr) -> Expr:
    """Return a sum; numbers are added up."""
    flat: list[Expr] = []
    total: Num | None = None
    at = 0
    for term in terms:
        for part in term.terms if isinstance(term, Sum) else (term,):
            if not isinstance(part, Num):
                flat.append(part)
            elif total is None:
                total, at = part, len(flat)
            else:
                total = number(total.number.value + part.number.value)
    # A 0 without a unit does not vanish beside a quantity: "180° 0" is no angle.
    if total is not None and (not flat or total.number.value or any(map(has_units, flat))):
        flat.insert(at, total)
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def multiply(*factors: Expr) -> Expr:
    """Return a product; numbers are multiplied."""
    flat: list[Expr] = []
    total = Number(Fraction(1))
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Num):
                total = total.times(part.number)
            else:
                flat.append(part)
    if total != Number(Fraction(1)) or not flat:
        flat.insert(0, Num(total))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def negate(term: Expr) -> Expr:
    """Return the negative."""
    return multiply(number(-1), term)


def power(base: Expr, exponent: Expr) -> Expr:
    """Return a power; an exact one of small numbers is computed."""
    if isinstance(base, Num) and isinstance(exponent, Num):
        value, times = base.number.value, exponent.number.value
        if value == 0 and times <= 0:
            raise UnreadableError("0 has no such power")
        bits = max(value.numerator.bit_length(), value.denominator.bit_length())
        if times.denominator == 1 and bits * abs(times.numerator) <= LARGEST_BITS:
            return base if times == 1 else number(value**times.numerator)
    return Power(base, exponent)


def divide(top: Expr, bottom: Expr) -> Expr:
    """Return a quotient."""
    return multiply(top, power(bottom, number(-1)))


def factorial(argument: Expr) -> Expr:
    """Return a factorial; a small one is computed."""
    if isinstance(argument, Num):
        value = argument.number.value
        if value.denominator == 1 and 0 <= value <= 1000:
            product = 1
            for n in range(2, value.numerator + 1):
                product *= n
            return number(product)
    return Call("factorial", (argument,))


def has_variables(expression: Expr) -> bool:
    """Whether an expression contains a variable or an unknown function."""
    if isinstance(expression, Sym):
        return True
    if isinstance(expression, Call) and expression.name not in FUNCTIONS | {"factorial"}:
        return True
    return any(has_variables(part) for part in parts(expression))


def parts(expression: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside an expression."""
    match expression:
        case Sum(terms):
            return terms
        case Product(factors):
            return factors
        case Power(base, exponent):
            return base, exponent
        case Call(_, arguments):
            return arguments
        case PlusMinus(_, term):
            return (term,)
        case _:
            return ()


def has_units(expression: Expr) -> bool:
    """Whether an expression contains a unit of measurement."""
    return isinstance(expression, UnitOf) or any(has_units(p) for p in parts(expression))


def has_plus_minus(expression: Expr) -> bool:
    """Whether an expression contains a plus-minus sign."""
    return isinstance(expression, PlusMinus) or any(has_plus_minus(p) for p in parts(expression))


def with_signs(expression: Expr, sign: int) -> Expr:
    """Return the expression with all plus-minus signs read as `sign`."""
    match expression:
        case PlusMinus(own, term):
            return multiply(number(own * sign), with_signs(term, sign))
        case Sum(terms):
            return add(*(with_signs(term, sign) for term in terms))
        case Product(factors):
            return multiply(*(with_signs(factor, sign) for factor in factors))
        case Power(base, exponent):
            return power(with_signs(base, sign), with_signs(exponent, sign))
        case Call(name, arguments):
            return Call(name, tuple(with_signs(a, sign) for a in arguments))
        case _:
            return expression


def binomial(top: Expr, bottom: Expr) -> Expr:
    if isinstance(top, Num) and isinstance(bottom, Num):
        n, k = top.number.value, bottom.number.value
        if n.denominator == k.denominator == 1 and 0 <= k <= n <= 1000:
            value = Fraction(1)
            for i in range(k.numerator):
                value = value * (n - i) / (i + 1)
            return number(value)
    return Call("binom", (top, bottom))


def exact_root(inner: Num, index: Num) -> Expr:
    r"""Return \sqrt{4} as 2; another root stays a power."""
    value, times = inner.number.value, index.number.value
    if times == 2 and value >= 0:
        top, bottom = _integer_root(value.numerator), _integer_root(value.denominator)
        if top is not None and bottom is not None:
            return number(Fraction(top, bottom))
    return power(inner, divide(number(1), index))


def _integer_root(value: int) -> int | None:
    root = math.isqrt(value)
    return root if root * root == value else None
