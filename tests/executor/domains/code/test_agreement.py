"""CodeT's groups and its choice."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.domains.code.agreement import (
    TESTS_OF_A_SAMPLE,
    Agreement,
    agreements,
    best_programs,
    generated_tests,
)

PASSED = [frozenset(one) for one in ({0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1, 2}, {3}, ())]


def test_a_group_passes_exactly_the_same_tests() -> None:
    groups = agreements(PASSED, [1, 1, 1, 2])
    assert groups == [Agreement((0, 1, 2, 3), 2), Agreement((4,), 3), Agreement((5,), 2)]
    assert [one.score for one in groups] == [4, 3, 2]


def test_tests_count_as_often_as_they_were_written() -> None:
    assert best_programs(PASSED, [1, 1, 1, 1]) == [0, 1, 2, 3]
    assert best_programs(PASSED, [1, 1, 3, 1]) == [4]


def test_equal_groups_share_the_choice() -> None:
    assert best_programs([frozenset({0}), frozenset({1}), frozenset()], [1, 1]) == [0, 1]
    assert best_programs([frozenset(), frozenset()], [1]) == [0, 1]


@given(st.lists(st.frozensets(st.integers(0, 3)), max_size=6))
def test_every_program_that_passes_something_is_in_one_group(passed: list[frozenset[int]]) -> None:
    groups = agreements(passed, [1] * 4)
    members = sorted(itertools.chain.from_iterable(one.programs for one in groups))
    assert members == [i for i, tests in enumerate(passed) if tests]
    for one in groups:
        assert one.score == pytest.approx(math.sqrt(len(one.programs)) * one.tests)
        assert {passed[i] for i in one.programs} == {passed[one.programs[0]]}


def test_tests_are_read_from_what_a_model_wrote() -> None:
    text = "f(1) == 2\nassert f([1,\n 2]) == 3, 'all'\nassert g(1)\nassert f(1 ==\nassert f(3)\ndef"
    assert generated_tests(text, "f") == [
        "assert f(1) == 2",
        "assert f([1,\n 2]) == 3, 'all'",
        "assert f(3)",
    ]
    block = "Here:\n```python\nassert f(1) == 2\nassert f(2) == 3\n```\nThese test f."
    assert generated_tests(block, "f") == ["assert f(1) == 2", "assert f(2) == 3"]
    many = "\nassert ".join(f"f({i})" for i in range(9))
    assert len(generated_tests(many, "f")) == TESTS_OF_A_SAMPLE
