"""Equality of answers that were read: exact where it can be, by evaluation where it must be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from executor.answers.formulas.expressions import Const, Expr, Num, Product, Sym, multiply, parts
from executor.answers.formulas.quantities import ANGLE_DIMENSION, Quantity
from executor.answers.formulas.units import COUNTED, SOMETHING, unit
from executor.answers.meanings import (
    HALF_DAY,
    Based,
    Choice,
    Clock,
    Equation,
    Inequality,
    Items,
    Matrix,
    Meaning,
    Ratio,
    Scalar,
    Union,
    number_of,
)
from executor.answers.reading import Reading

MOST_UNMATCHED = 30
"""Most items of two lists that are compared each with each."""


class Values:
    """How the values of two formulas are compared; this one leaves it open if it must evaluate.

    `executor.answers.evaluation.Evaluated` decides the rest, in a process that can be killed.
    """

    def equal(self, a: Expr, b: Expr) -> bool | None:
        """Whether two formulas have one value; None if that is not known."""
        if a == b:
            return True
        if isinstance(a, Num) and isinstance(b, Num):
            return a.number.same_as(b.number)
        if _is_infinite(a) or _is_infinite(b):
            return False
        return self.evaluated(a, b)

    def proportional(self, a: Expr, b: Expr, *, positive: bool) -> bool | None:
        """Whether `a` is `b` times a number other than 0 (or above 0); None if not known."""
        return True if a == b else self.ratio(a, b, positive=positive)

    def evaluated(self, a: Expr, b: Expr) -> bool | None:
        """Override: compare two formulas by their values."""
        return None

    def ratio(self, a: Expr, b: Expr, *, positive: bool) -> bool | None:
        """Override: compare two formulas up to a factor."""
        return None


def same(a: Reading, b: Reading, values: Values) -> bool | None:
    """Whether two answers are equal; None if `values` leaves it open. Reflexive and symmetric."""
    if a.canonical == b.canonical:
        return True
    return _Comparison(values).same(a.meaning, b.meaning)


class _Comparison:
    def __init__(self, values: Values) -> None:
        self._values = values

    def same(self, a: Meaning, b: Meaning) -> bool | None:
        if a == b:
            return True
        if isinstance(b, Choice) and not isinstance(a, Choice):
            a, b = b, a
        if isinstance(a, Choice):
            return self._choice(a, b)
        if isinstance(a, Equation) or isinstance(b, Equation):
            return self._equation(a, b)
        a, b = _alone(a), _alone(b)
        if isinstance(b, Based):
            a, b = b, a
        match a, b:
            case Scalar(p), Scalar(q):
                return self._quantity(p, q)
            case Items(), Items():
                return self._items(a, b)
            case Union(p), Union(q):
                return self._unordered(p, q)
            case Matrix(p), Matrix(q):
                if [len(row) for row in p] != [len(row) for row in q]:
                    return False
                return self._ordered([c for row in p for c in row], [c for row in q for c in row])
            case (Matrix(), Items("[]", rows)) | (Items("[]", rows), Matrix()) if all(
                isinstance(row, Items) for row in rows
            ):
                # A matrix as Python writes it, row by row.
                matrix = a if isinstance(a, Matrix) else b
                assert isinstance(matrix, Matrix)
                return self._ordered([Items("[]", row) for row in matrix.rows], rows)
            case (Matrix(rows), Items("()", items)) | (Items("()", items), Matrix(rows)):
                # A vector as a column, and by its coordinates.
                return {len(row) for row in rows} == {1} and self._ordered(
                    [row[0] for row in rows], items
                )
            case Inequality(p, strict), Inequality(q, other):
                return strict == other and self._values.proportional(p, q, positive=True)
            case Ratio(p), Ratio(q):
                return self._ordered(p, q)
            case Clock(), Clock():
                return _one_time(a, b)
            case (Clock(), Ratio()) | (Ratio(), Clock()):
                time, ratio = (a, b) if isinstance(a, Clock) else (b, a)
                return isinstance(time, Clock) and time.as_ratio == ratio
            case Based(digits, "10"), Scalar():
                number = number_of(b)
                return digits.isdigit() and number is not None and number.value == int(digits)
        return False

    def _choice(self, a: Choice, b: Meaning) -> bool | None:
        if isinstance(b, Choice):
            if a.letters != b.letters:
                return False
            if a.content is None or b.content is None:
                return True
            return self.same(a.content, b.content)
        if a.content is not None:
            return self.same(a.content, b)
        # Between bare letters case matters: E is no Euler's number.
        return a.marked and isinstance(b, Scalar) and _letter(b.quantity.base) == a.letters

    def _equation(self, a: Meaning, b: Meaning) -> bool | None:
        if not isinstance(a, Equation):
            a, b = b, a
        assert isinstance(a, Equation)
        if not isinstance(b, Equation):
            if a.value is None or (isinstance(b, Items) and not b.brackets and _is_range(a)):
                return False
            verdict = self.same(a.value, b)
            if verdict is True or a.rounded is None:
                return verdict
            return _any([verdict, self.same(a.rounded, b)])
        if a.name and b.name and a.name != b.name and not (a.difference and b.difference):
            return False
        verdicts: list[bool | None] = []
        named_alike = a.name == b.name or "" in (a.name, b.name)
        if a.value is not None and b.value is not None and named_alike:
            verdicts.append(self.same(a.value, b.value))
        if a.difference is not None and b.difference is not None:
            verdicts.append(self._values.proportional(a.difference, b.difference, positive=False))
        return _any(verdicts)

    def _quantity(self, a: Quantity, b: Quantity) -> bool | None:
        if a.others or b.others:
            readings = [(p, q) for p in (a, *a.others) for q in (b, *b.others)]
            return _any(self._one_reading(p, q) for p, q in readings)
        return self._one_reading(a, b)

    def _one_reading(self, a: Quantity, b: Quantity) -> bool | None:
        if _other_things(a, b) or _other_things(b, a):
            return False
        if bool(a.dimension) == bool(b.dimension):
            return a.dimension == b.dimension and self._values.equal(a.base, b.base)
        angle, plain = (a, b) if a.dimension else (b, a)
        verdicts: list[bool | None] = []
        if a.bare is not None and b.bare is not None:
            verdicts.append(self._values.equal(a.bare, b.bare))
        if angle.dimension == ANGLE_DIMENSION and _in_radians(plain.base):
            half_turns = multiply(angle.base, Const("pi"))
            verdicts.append(self._values.equal(half_turns, plain.base))
        return _any(verdicts)

    def _items(self, a: Items, b: Items) -> bool | None:
        named, others = _by_names(a), _by_names(b)
        if (named is None) != (others is None):  # `y=2, x=1` is the point (1, 2)
            return self._ordered(named or a.items, others or b.items)
        kinds = {a.brackets, b.brackets}
        if kinds <= {"", "{}"}:
            if kinds == {"{}"}:
                return self._unordered(_distinct(a.items), _distinct(b.items))
            return self._unordered(a.items, b.items)
        if kinds == {"", "[]"} and (_may_be_interval(a) or _may_be_interval(b)):
            return False
        if len(kinds) == 1 or ("" in kinds and kinds <= {"", "()", "[]"}):
            return self._ordered(a.items, b.items)
        if kinds == {"()", "[]"} and len(a.items) != 2:
            return self._ordered(a.items, b.items)
        return False

    def _ordered(self, a: Sequence[Meaning], b: Sequence[Meaning]) -> bool | None:
        if len(a) != len(b):
            return False
        return _all(self.same(x, y) for x, y in zip(a, b, strict=True))

    def _unordered(self, a: Sequence[Meaning], b: Sequence[Meaning]) -> bool | None:
        if len(a) != len(b):
            return False
        left, unmatched = list(b), []
        for x in a:
            if x in left:
                left.remove(x)
            else:
                unmatched.append(x)
        if len(left) > MOST_UNMATCHED:
            return False
        open_question = False
        for x in unmatched:
            verdicts = [self.same(x, y) for y in left]
            if True in verdicts:
                del left[verdicts.index(True)]
            elif None in verdicts:
                open_question = True
            else:
                return False
        return None if open_question else True


def _by_names(items: Items) -> Sequence[Meaning] | None:
    """Return items that each give another name a value, in order of letters; None for others."""
    names = [one.name or "" for one in items.items if isinstance(one, Equation)]
    if len(names) < max(2, len(items.items)) or "" in names or len({*names}) < len(names):
        return None
    if any(len(name) > 1 for name in names):
        return items.items
    return [items.items[at] for at in sorted(range(len(names)), key=names.__getitem__)]


def _one_time(a: Clock, b: Clock) -> bool:
    """Whether two times of day are one; 11:00 may be in the half of the day that another names."""
    if a.seconds == b.seconds:
        return True
    open_half = (not a.known and b.named) or (not b.known and a.named)
    return open_half and (a.seconds - b.seconds) % HALF_DAY == 0


def _is_range(equation: Equation) -> bool:
    """Whether a variable lies in an interval, which is no list of its ends."""
    value = equation.value
    named_alone = equation.difference is None and not (equation.name or "").startswith("(")
    return isinstance(value, Items) and value.brackets not in ("", "{}") and named_alone


def _may_be_interval(items: Items) -> bool:
    """Whether two items in square brackets can be the ends of an interval: not those of [5,3]."""
    if items.brackets != "[]" or len(items.items) != 2 or items.listed:
        return False
    low, high = (number_of(item) for item in items.items)
    return low is None or high is None or low.value < high.value


def _in_radians(expression: Expr) -> bool:
    """Whether a formula without a unit has a pi in it, as an angle in radians has."""
    return expression == Const("pi") or any(map(_in_radians, parts(expression)))


def _other_things(a: Quantity, b: Quantity) -> bool:
    """Whether `a` counts something that `b` cannot be: 5 apples are not 5 cm, 25% is not $25."""
    if not a.things or a.things == b.things:
        return False
    if SOMETHING in (a.things, b.things) and b.things.startswith(COUNTED):
        return not a.things.startswith(COUNTED)
    return bool(b.things) or (a.dimension != b.dimension and b.dimension != _UNITS)


_UNITS = unit("unit").dimension


def _alone(meaning: Meaning) -> Meaning:
    """One item in a list or set is that item."""
    if isinstance(meaning, Items) and len(meaning.items) == 1:
        return meaning.items[0]
    return meaning


def _distinct(items: Iterable[Meaning]) -> list[Meaning]:
    return list(dict.fromkeys(items))


def _letter(expression: Expr) -> str | None:
    """Return the choice that a small letter may name: `c` for (C)."""
    known = isinstance(expression, Sym | Const) and expression.name in ("a", "b", "c", "d", "e")
    return expression.name.upper() if known and isinstance(expression, Sym | Const) else None


def _is_infinite(expression: Expr) -> bool:
    return expression == Const("oo") or (
        isinstance(expression, Product) and Const("oo") in expression.factors
    )


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    if False in found:
        return False
    return None if None in found else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    if True in found:
        return True
    return None if None in found else False
