"""The one form of values of programs."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from executor.sandbox.inside.outputs import LONGEST, canonical

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers(0, 3) | st.text(max_size=2), inner, max_size=3)
        | st.frozensets(LEAVES, max_size=3)
    ),
    max_leaves=5,
)


@settings(max_examples=30)
@given(VALUES, VALUES)
def test_texts_are_equal_if_values_are(a: Any, b: Any) -> None:
    assert (canonical(a) == canonical(b)) == (a == b)


def test_numbers_are_equal_up_to_rounding() -> None:
    assert canonical(0.1 + 0.2) == canonical(0.3) != canonical(0.3001)
    assert canonical(2.0) == canonical(2) == canonical(Decimal(2)) == canonical(Fraction(4, 2))
    assert canonical(10**30) != canonical(10**30 + 1)
    assert canonical(float("nan")) == canonical(float("nan")) != canonical(float("inf"))
    assert canonical(Decimal("Infinity")) == canonical(float("inf"))


def test_long_values_have_a_digest_and_objects_are_alike() -> None:
    assert len(canonical(list(range(1000)))) <= LONGEST
    assert canonical("x" * 1000) != canonical("x" * 1001)
    assert canonical(object()) == canonical(object())
