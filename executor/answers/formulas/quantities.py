"""Quantities: formulas with units, and what they are in base units."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from executor.answers.formulas import units
from executor.answers.formulas.expressions import (
    Call,
    Const,
    Expr,
    Num,
    PlusMinus,
    Power,
    Product,
    Sum,
    UnitOf,
    UnreadableError,
    add,
    has_plus_minus,
    has_units,
    multiply,
    number,
    parts,
    power,
)
from executor.answers.formulas.parser import parse


@dataclass(frozen=True, slots=True)
class Quantity:
    """A formula with or without units.

    Attributes:
        bare: the formula without its units, which a bare number is compared with; None if it adds
            different units (3 hours 20 minutes), so that no number stands for it.
        base: the formula in base units.
        dimension: base units with their powers; empty for a plain formula.
        things: name of what is counted, `%` for hundredths, or nothing.
        others: what it is if a unit of several meanings has another one.
    """

    bare: Expr | None
    base: Expr
    dimension: units.Dimension = ()
    things: str = ""
    others: tuple[Quantity, ...] = ()


def read_quantity(text: str) -> Quantity:
    """Read a whole formula with or without units.

    Raises:
        UnreadableError: it cannot be read completely.
    """
    return quantity(parse(text))


def quantity(expression: Expr) -> Quantity:
    """Separate a formula from its units.

    Raises:
        UnreadableError: it adds different dimensions, or raises a unit to an odd power.
    """
    if not has_units(expression):
        return Quantity(expression, expression)
    ambiguous = min(_units_of(expression) & units.AMBIGUOUS.keys(), default=None)
    if ambiguous is None:
        return _separated(expression)
    readings: list[Quantity] = []
    for one in units.AMBIGUOUS[ambiguous]:
        with suppress(UnreadableError):
            reading = quantity(_renamed(expression, ambiguous, one))
            readings += replace(reading, others=()), *reading.others
    if not readings:
        raise UnreadableError("a unit that has no place here in any of its meanings")
    return replace(readings[0], others=tuple(readings[1:]))


def _separated(expression: Expr) -> Quantity:
    if not has_units(expression):
        return Quantity(expression, expression)
    match expression:
        case UnitOf(name):
            unit = units.unit(name)
            if name.startswith(units.COUNTED) or name in units.HUNDREDTHS:
                things = "%" if name in units.HUNDREDTHS else name
                return Quantity(number(1), number(1), things=things)
            size = multiply(number(unit.factor), power(Const("pi"), number(unit.pi)))
            return Quantity(number(1), size if unit.pi else number(unit.factor), unit.dimension)
        case Product(factors):
            return _product([_separated(factor) for factor in factors])
        case Power(base, exponent):
            return _power(_separated(base), exponent)
        case Sum(terms) if not has_plus_minus(expression):
            return _sum([_separated(term) for term in terms], [_units_of(term) for term in terms])
        case Call(name, arguments):
            inner = [_separated(argument) for argument in arguments]
            if any(part.dimension not in ((), ANGLE_DIMENSION) for part in inner):
                raise UnreadableError(f"{name} of a quantity with a unit")
            turns = [
                multiply(part.base, Const("pi")) if part.dimension else part.base for part in inner
            ]
            value = Call(name, tuple(turns))
            return Quantity(value, value)
    raise UnreadableError("a unit where none can stand")


ANGLE_DIMENSION: units.Dimension = ((units.ANGLE, 1),)
"""Dimension of an angle."""


def _product(factors: list[Quantity]) -> Quantity:
    powers: dict[str, int] = {}
    for factor in factors:
        for base, times in factor.dimension:
            powers[base] = powers.get(base, 0) + times
    bares = [factor.bare for factor in factors]
    bare = multiply(*(b for b in bares if b is not None)) if None not in bares else None
    things = "".join(factor.things for factor in factors)
    whole = multiply(*(factor.base for factor in factors))
    return Quantity(bare, whole, _dimension(powers), things)


def _power(base: Quantity, exponent: Expr) -> Quantity:
    if not isinstance(exponent, Num) or exponent.number.value.denominator != 1:
        raise UnreadableError("a unit with such a power")
    times = exponent.number.value.numerator
    powers = {name: n * times for name, n in base.dimension}
    bare = None if base.bare is None else power(base.bare, exponent)
    return Quantity(bare, power(base.base, exponent), _dimension(powers))


def _sum(terms: list[Quantity], written: list[frozenset[str]]) -> Quantity:
    if len({(term.dimension, term.things) for term in terms}) != 1:
        raise UnreadableError("a sum of different dimensions, or of things that are counted")
    if not terms[0].dimension:
        total = add(*(term.base for term in terms))
        return Quantity(total, total, things=terms[0].things)
    one_unit = len(set(written)) == 1
    bares = [term.bare for term in terms]
    bare = add(*(b for b in bares if b is not None)) if one_unit and None not in bares else None
    return Quantity(bare, add(*(term.base for term in terms)), terms[0].dimension)


def _renamed(expression: Expr, name: str, other: str) -> Expr:
    """Return an expression with another unit in the place of one."""
    match expression:
        case UnitOf(known):
            return UnitOf(other) if known == name else expression
        case Sum(terms):
            return add(*(_renamed(term, name, other) for term in terms))
        case Product(factors):
            return multiply(*(_renamed(factor, name, other) for factor in factors))
        case Power(base, exponent):
            return power(_renamed(base, name, other), _renamed(exponent, name, other))
        case PlusMinus(sign, term):
            return PlusMinus(sign, _renamed(term, name, other))
        case Call(function, arguments):
            return Call(function, tuple(_renamed(one, name, other) for one in arguments))
        case _:
            return expression


def _units_of(expression: Expr) -> frozenset[str]:
    if isinstance(expression, UnitOf):
        return frozenset({expression.name})
    return frozenset().union(*(_units_of(part) for part in parts(expression)))


def _dimension(powers: dict[str, int]) -> units.Dimension:
    return tuple(sorted((name, times) for name, times in powers.items() if times))
