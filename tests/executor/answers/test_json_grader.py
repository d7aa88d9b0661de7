"""JSON values as answers: one value in any spelling is one vote, and no two values are."""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.json_grader import JsonGrader
from executor.answers.voting import group

GRADER = JsonGrader()
# The spellings in each line are one value; those of different lines are different values.
VALUES = (
    ("0", "-0", "0.0", "0e5", "-0.000"),
    ("1", "1.0", "10e-1", "0.1E1", "1e0"),
    ("-1", "-1.00"),
    ("10", "1e1", "10.0"),
    ("0.1", "1e-1", "0.10"),
    ("100000000000000000001",),
    ("100000000000000000000", "1e20"),
    ("1e400", "10e399"),
    ("0.3333333333333333",),
    ("0.33333333333333331",),
    ('"1"', ' "1" ', '"\\u0031"'),
    ('"é"', '"\\u00e9"'),
    ('"e\\u0301"',),
    ("true",),
    ('"true"',),
    ("false",),
    ("null",),
    ('""',),
    ("[]", "[ ]"),
    ("[1, 2]", "[1.0,2]"),
    ("[2, 1]",),
    ("{}", "{ }"),
    ('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}', '{"a": 3, "b": [2], "a": 1}'),
    ('{"a": "1", "b": [2]}',),
    ('{"a": {"b": 1}}',),
    ('{"a": {"b": 1, "c": null}}',),
    ('{"1": 1}',),
)
NO_JSON = (
    "",
    "x",
    "{",
    "{'a': 1}",
    "[1,]",
    "NaN",
    "Infinity",
    "1 2",
    '{"a": NaN}',
    "01",
    "[" * 10**5,
)


@pytest.mark.parametrize("spellings", VALUES, ids=lambda spellings: str(spellings[0]))
def test_every_spelling_is_the_same_answer(spellings: tuple[str, ...]) -> None:
    found = {GRADER.extract(one) for one in spellings}
    assert len(found) == 1 and None not in found
    for a, b in itertools.product(spellings, repeat=2):
        assert GRADER.equivalent(a, b) and GRADER.correct(a, b)


def test_no_two_values_are_the_same_answer() -> None:
    answers = [GRADER.extract(spellings[0]) for spellings in VALUES]
    assert group(answers, GRADER) == list(range(len(VALUES)))
    for a, b in itertools.permutations(answers, 2):
        assert a is not None and b is not None
        assert not GRADER.equivalent(a, b)


@pytest.mark.parametrize("text", NO_JSON, ids=lambda text: text[:10])
def test_what_is_not_json_has_no_answer(text: str) -> None:
    assert GRADER.extract(text) is None
    assert not GRADER.correct(None, text)


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)  # fmt: skip


def exact(text: str) -> object:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@given(VALUE)
def test_the_one_spelling_is_json_of_the_same_value(value: object) -> None:
    spelt = GRADER.extract(json.dumps(value))
    assert spelt is not None and exact(spelt) == exact(json.dumps(value))
    assert GRADER.extract(spelt) == spelt
    assert GRADER.extract(json.dumps(value, indent=1, ensure_ascii=False)) == spelt
