"""A formula with one value, or with the two of a plus-minus sign."""

from __future__ import annotations

from executor.answers.forms.measured import whole_with_unit
from executor.answers.forms.parts import Parts
from executor.answers.formulas.expressions import UnreadableError, has_plus_minus, with_signs
from executor.answers.formulas.parser import parse
from executor.answers.formulas.quantities import Quantity, quantity, read_quantity
from executor.answers.meanings import Items, Meaning, Scalar


def formula(form: str, parts: Parts) -> Meaning | None:
    """Read a formula, with or without units; a plus-minus sign makes a list in brackets `±`."""
    for reader in (read_quantity, lambda whole: whole_with_unit(whole, parts), _of_variables):
        try:
            found = reader(form)
        except UnreadableError:
            continue
        if found is not None:
            return _expanded(found, form) if isinstance(found, Quantity) else found
    return None


def _of_variables(form: str) -> Quantity:
    """Read a formula in which no word outside `\\text` is a unit: `4 m + 2`."""
    return quantity(parse(form, plain_units=False))


def _expanded(found: Quantity, form: str) -> Meaning:
    """Write out a plus-minus sign."""
    if not has_plus_minus(found.base):
        return Scalar(found)
    both = parse(form, plain_units=False)
    return Items("±", tuple(Scalar(quantity(with_signs(both, sign))) for sign in (1, -1)))
