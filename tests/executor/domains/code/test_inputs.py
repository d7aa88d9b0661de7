"""Inputs on which programs are compared."""

from __future__ import annotations

import ast

from executor.domains.code.inputs import FEWEST, comparison
from executor.sandbox.suite import Call, Pair, Source, Suite


def calls(*tests: str, head: str = "", entry_point: str | None = "f") -> list[str]:
    suite, public = comparison(
        Suite(tuple(map(Source, tests)), entry_point, head, "import math").to_json()
    )
    assert public == len(tests) and suite.setup == "import math"
    assert [one.source for one in suite.units[:public] if isinstance(one, Source)] == list(tests)
    return [one.call for one in suite.units[public:] if isinstance(one, Call)]


def arguments(call: str) -> list[object]:
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    return [ast.literal_eval(one) for one in node.args]


def test_calls_of_public_tests_and_examples_come_first() -> None:
    head = 'def f(n):\n    """For example f( [1, (2)] ) gives 3, but f(n) and f() do not."""\n'
    found = calls("assert f(1) == 2 and g(3)", "assert abs(f('a)') - f(x)) < 1", head=head)
    assert found[:3] == ["f(1)", "f('a)')", "f([1, 2])"]
    assert len(found) == len(set(found)) == FEWEST


def test_variants_keep_types_and_signs_and_are_the_same_each_time() -> None:
    test = "assert f([3, 1], 2, {'a': True}, -1, 'one two', (0.5,)) == 0"
    found = calls(test)
    assert found == calls(test) and len(found) == FEWEST
    for call in found:
        numbers, k, named, negative, text, floats = arguments(call)
        assert isinstance(numbers, list) and all(n >= 0 for n in numbers)
        assert isinstance(k, int) and k >= 0 and isinstance(negative, int) and negative <= 0
        assert isinstance(named, dict) and set(named) == {"a"}
        assert isinstance(text, str) and set(text.split(" ")) <= {"one", "two"}
        assert isinstance(floats, tuple) and all(isinstance(x, float) for x in floats)


def test_values_are_made_up_from_annotations_if_there_is_no_call() -> None:
    found = calls(head="def f(a: int, b: List[str]) -> str:\n    '''Do it.'''\n")
    assert len(found) == FEWEST
    for call in found:
        number, texts = arguments(call)
        assert isinstance(number, int) and isinstance(texts, list)
        assert all(isinstance(one, str) for one in texts)
    assert calls(head="def f(a, b: int):\n    '''Do it.'''\n") == []
    assert calls(head="def f(a: int", entry_point=None) == []


def test_a_script_is_compared_on_the_inputs_of_its_tests() -> None:
    suite, public = comparison(Suite((Pair("1", "2"),)).to_json())
    assert suite.units == (Pair("1", "2"),) and public == 1
