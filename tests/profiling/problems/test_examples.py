"""Examples in prompts, as tests."""

from __future__ import annotations

import pytest

from profiling.problems.examples import examples

LINES = [
    ("f(1) == 2", "assert f(1) == 2"),
    ("f(1)=2", "assert f(1) == 2"),
    ("* f([1, 2], 'a)') => [3]", "assert f([1, 2], 'a)') == [3]"),
    ("f(1) ==> (1, 2)", "assert f(1) == (1, 2)"),
    ("f(-1) -> None", "assert f(-1) == None"),
    ("f(1) ➞ 'x'", "assert f(1) == 'x'"),
    ("f({'a': 1}) should return True.", "assert f({'a': 1}) == True"),
    ("f(32)   # returns 'db'", "assert f(32) == 'db'"),
    ("f('a') # => 'No' (it is too short)", None),
    ("f(5) returns [1, 5] # not 3", "assert f(5) == [1, 5]"),
    ("assert f(1) => 2", "assert f(1) == 2"),
    ("for f(1, 2) == 12", "assert f(1, 2) == 12"),
    ("f(3) == 1 + 2 = 3", None),
    ("f(n) == 3", None),
    ("f(aa) => False", None),
    ("g(1) == f(2)", None),
    ("so f(1) == 2 holds", None),
    ("f(1)", None),
    ("f(1) 2", None),
]


@pytest.mark.parametrize(("line", "test"), LINES)
def test_an_example_is_a_call_and_a_literal(line: str, test: str | None) -> None:
    head = f'def f(n):\n    """Do it.\n\n    {line}\n    """\n'
    assert examples(head, "f") == (() if test is None else (test,))


def test_doctests_come_before_lines() -> None:
    head = 'def f(n):\n    """f(0) == 0\n    >>> f(1)\n    2\n    >>> f(2)\n    Foo\n    """\n'
    assert examples(head, "f") == ("assert f(1) == 2",)
    assert examples("def f(n:", "f") == ()
