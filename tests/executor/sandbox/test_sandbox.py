"""Programs in the sandbox: verdicts, limits, and what a run leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from executor.concurrency import AbandonedError, in_thread, inline_or_thread
from executor.errors import InputError
from executor.sandbox import sandbox as module
from executor.sandbox.inside.warden import descendants
from executor.sandbox.sandbox import Isolation, Limits, Sandbox
from executor.sandbox.suite import Call, Pair, Source, Suite, VerdictKind, all_passed
from tests.helpers.waiting import until

pytestmark = pytest.mark.process

ADD = "def add(a, b):\n    return a + b\n"
SUITE = Suite((Source("assert add(1, 2) == 3"), Source("assert add(2, 2) == 4")), "add")


def kinds(sandbox: Sandbox, program: str, suite: Suite) -> list[str]:
    return [one.kind.value for one in sandbox.run(program, suite)]


VERDICTS = [
    (ADD, ["passed", "passed"]),
    ("def add(a, b):\n    return 2 * b\n", ["failed", "passed"]),
    ("def add(a, b):\n    return a / 0\n", ["raised", "raised"]),
    ("def add(a, b):\n    return nothing\n", ["raised", "raised"]),
    ("def add(a, b: return a", ["syntax_error", "syntax_error"]),
    ("def sub(a, b):\n    return a - b\n", ["raised", "raised"]),
    ("", ["raised", "raised"]),
    ("x = 1 / 0\n" + ADD, ["raised", "raised"]),
    ("print('x' * 10_000_000)\n" + ADD, ["passed", "passed"]),
]


@pytest.mark.parametrize(("program", "expected"), VERDICTS)
def test_each_test_has_a_verdict(sandbox: Sandbox, program: str, expected: list[str]) -> None:
    assert kinds(sandbox, program, SUITE) == expected


def test_a_call_has_the_value_as_its_output(sandbox: Sandbox) -> None:
    """Equal values have equal outputs, whatever the program says about them."""
    lying = "class Any(int):\n    __hash__ = int.__hash__\n    __eq__ = lambda *_: True\n"
    program = f"{lying}def add(a, b):\n    return {{Any(a): (a + b) / 1, 'all': {{b, a}}}}\n"
    calls = Suite((Call("add(1, 2)"), Call("add(2, 0)"), Call("add()"), Call("1")), "add")
    verdicts = sandbox.run(program, calls)
    assert [one.kind.value for one in verdicts] == ["passed", "passed", "raised", "unused"]
    same = sandbox.run("def add(a, b): return {'all': {a, b}, a: a + b}", calls)
    assert [one.output for one in same] == [one.output for one in verdicts]
    assert verdicts[0].output != verdicts[1].output
    assert verdicts[2].output == verdicts[3].output == ""


def test_a_script_s_output_is_told_with_its_verdict(sandbox: Sandbox) -> None:
    pairs = Suite((Pair("1 2", "3\n"), Pair("1 2", "3 \n\n"), Pair("x", "0")))
    program = "print(sum(map(int, input().split())))"
    verdicts = sandbox.run(program, pairs)
    assert [one.kind.value for one in verdicts] == ["passed", "passed", "raised"]
    assert verdicts[0].output == verdicts[1].output == '"3"' and verdicts[2].output == ""


def test_units_that_had_to_be_ended_stop_a_run(sandbox: Sandbox) -> None:
    suite = Suite((Call("add(1, 2)"), Call("add(2, 2)"), Call("add(3, 2)")), "add")
    program = "import os\ndef add(a, b):\n    return a if a < 2 else os._exit(0)\n"
    before = sandbox.runs
    kinds = [one.kind.value for one in sandbox.run(program, suite, most_broken=1)]
    assert kinds == ["passed", "ended", "ended"] and sandbox.runs == before + 1


CASE = """import unittest
class TestAdd(unittest.TestCase):
    def setUp(self): self.one = 1
    def test_small(self): self.assertEqual(add(self.one, 2), 3)
    def test_equal(self): self.assertEqual(add(2, 2), 4)
"""


def test_classes_of_unittest_are_run(sandbox: Sandbox) -> None:
    suite = Suite((Source(CASE),), "add")
    assert kinds(sandbox, ADD, suite) == ["passed"]
    assert kinds(sandbox, "def add(a, b):\n    return 2 * b\n", suite) == ["failed"]


def test_a_program_does_not_answer_for_a_module_that_tests_forgot(sandbox: Sandbox) -> None:
    suite = Suite((Source("assert np.allclose(add(1, 2), 3)"),), "add")
    forged = "class np:\n    allclose = staticmethod(lambda *a: True)\n"
    assert kinds(sandbox, f"{forged}def add(a, b):\n    return 0\n", suite) == ["failed"]
    methods = "class Solution:\n    @staticmethod\n    def add(a, b):\n        return a + b\n"
    assert kinds(sandbox, methods, Suite((Source("assert Solution.add(1, 2) == 3"),))) == ["passed"]


VALUES = [
    "None", "True", "0", "-1", "10**30", "2.5", "float('inf')", "1 + 2j", "'a\\ud800'", "b'a'",
    "bytearray(b'a')", "[1, [2, ()]]", "{1: [2], 'a': {3}}", "frozenset({1})", "range(2, 9, 3)",
    "Decimal('1.10')", "Fraction(1, 3)", "...", "int", "{(1, 'a'), (2, 'b')}",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_values_come_and_go_as_they_are(sandbox: Sandbox, value: str) -> None:
    imports = "from decimal import Decimal\nfrom fractions import Fraction\n"
    test = f"{imports}v = {value}\nassert same(v) == v and type(same(v)) is type(v)"
    assert kinds(sandbox, "def same(v):\n    return v\n", Suite((Source(test),))) == ["passed"]


USES = {
    "arguments changed in place": (
        "def f(x, y):\n    x.sort()\n    y['a'] = 1\n",
        "x, y = [2, 1], {}\nassert f(x, y) is None and x == [1, 2] and y == {'a': 1}",
    ),
    "errors by their kind": (
        "def f(x):\n    raise KeyError(x)\n",
        "try:\n    f(1)\nexcept KeyError as error:\n    assert '1' in str(error)\n"
        "else:\n    assert False",
    ),
    "objects of the program's": (
        "class Node:\n    def __init__(self, v):\n        self.v, self.next = v, None\n"
        "def total(n):\n    return n.v + (total(n.next) if n.next else 0)\n",
        "n = Node(1)\nn.next = Node(2)\nassert total(n) == 3 and n.next.v == 2 and n == n",
    ),
    "iterators": (
        "def count():\n    n = 0\n    while True:\n        yield n\n        n += 1\n",
        "c = count()\nassert [next(c), next(c), next(c)] == [0, 1, 2]",
    ),
    "subclasses as what they are": (
        "import collections\ndef f(s):\n    return collections.Counter(s)\n",
        "assert f('aab') == {'a': 2, 'b': 1}",
    ),
    "modules that tests forgot": ("def f():\n    return .3\n", "assert math.isclose(f(), 0.3)"),
    "functions of pytest's form": (
        "def f():\n    return 1\n",
        "def test_f():\n    assert f() == 1",
    ),
    "the entry point by name": ("def f():\n    return 1\n", "def check(g):\n    assert g() == 1"),
}


@pytest.mark.parametrize("name", USES)
def test_tests_may_use(sandbox: Sandbox, name: str) -> None:
    program, test = USES[name]
    suite = Suite((Source(test),), entry_point="f" if "def f" in program else None)
    assert [(v.kind.value, v.detail) for v in sandbox.run(program, suite)] == [("passed", "")]


def test_tests_that_use_nothing_of_the_program_say_nothing(sandbox: Sandbox) -> None:
    assert kinds(sandbox, ADD, Suite((Source("assert True"),))) == ["unused"]


def test_a_failed_test_is_quoted(sandbox: Sandbox) -> None:
    suite = Suite((Source("x = 1\nassert add(x, 1) == 3, 'sum'"),), "add")
    (verdict,) = sandbox.run(ADD, suite)
    assert verdict.detail == "assert add(x, 1) == 3, 'sum' (AssertionError: sum)"


def test_setup_and_head_are_there_for_the_tests(sandbox: Sandbox) -> None:
    test = Source("assert add(*start) == double(3)")
    suite = Suite((test,), "add", head="def double(n):\n    return 2 * n\n", setup="start = (2, 4)")
    assert kinds(sandbox, ADD, suite) == ["passed"]


PAIRS = [
    ("print(sum(map(int, input().split())))", "1 2\n", "3\n", "passed"),
    ("print(3, '  ')\nprint()", "", "3", "passed"),
    ("print(4)", "", "3", "failed"),
    ("import sys\nprint(3)\nsys.exit(0)", "", "3", "passed"),
    ("import os\nos.write(1, b'3')\nos._exit(0)", "", "3", "passed"),
    ("import sys\nprint(3)\nsys.exit(1)", "", "3", "raised"),
    ("if __name__ == '__main__':\n    print(len(input()))", "x" * 300_000, "300000", "passed"),
    ("print(", "", "", "syntax_error"),
    ("while True: print('x' * 10000)", "", "3", "output"),
]


@pytest.mark.parametrize(("program", "stdin", "stdout", "kind"), PAIRS)
def test_scripts_are_judged_by_their_output(
    sandbox: Sandbox, program: str, stdin: str, stdout: str, kind: str
) -> None:
    suite = Suite((Pair(stdin, stdout), Pair(stdin, stdout)))
    assert kinds(sandbox, program, suite) == [kind, kind]


@pytest.mark.long
def test_a_test_that_takes_too_long_does_not_cost_the_others_their_verdict(
    sandbox: Sandbox,
) -> None:
    program = "def f(n):\n    while n == 1: pass\n    return n\n"
    suite = Suite(tuple(Source(f"assert f({n}) == {n}") for n in range(3)), "f")
    assert kinds(sandbox, program, suite) == ["passed", "timed_out", "passed"]
    assert [one.kind.value for one in sandbox.run(program, suite, until_failed=True)] == [
        "passed", "timed_out",
    ]  # fmt: skip


@pytest.mark.long
def test_after_a_few_forced_ends_the_rest_is_not_tried(sandbox: Sandbox) -> None:
    suite = Suite(tuple(Source(f"assert f({n}) == {n}") for n in range(20)), "f")
    started = time.monotonic()
    verdicts = sandbox.run("import os\ndef f(n): os._exit(0)", suite)
    assert {one.kind for one in verdicts} == {VerdictKind.ENDED} and len(verdicts) == 20
    assert time.monotonic() - started < 10


def test_a_program_that_is_too_long_is_not_sent(sandbox: Sandbox) -> None:
    assert kinds(sandbox, "#" * (2 << 20), SUITE) == ["ended", "ended"]
    assert all_passed(sandbox.run(ADD, SUITE))


def test_many_runs_leave_no_process_and_no_file(sandbox: Sandbox, tmp_path: Path) -> None:
    before = set(Path("/tmp").iterdir())
    leaving = (
        "import os\nif os.fork() == 0:\n    os.setsid()\n    import time\n    time.sleep(600)\n"
    )
    suite = Suite((Source("assert add(1, 2) == 3"),), "add")
    others = descendants(os.getpid())  # of other tests in this process
    for _ in range(10):
        sandbox.run(f"{leaving}open('/tmp/left', 'w').close()\n{ADD}", suite)
        sandbox.run(ADD, suite)
    # A keeper outside, a warden inside, and the guest and judge that wait for the next program.
    until(lambda: len(set(descendants(os.getpid())) - set(others)) <= 4 * 2)
    assert not [path for path in set(Path("/tmp").iterdir()) - before if path.name == "left"]


def test_nothing_runs_once_a_sandbox_is_closed() -> None:
    with Sandbox(places=1) as sandbox:
        assert sandbox.passes(ADD, SUITE)
        keeper = sandbox._idle[0]._process.pid
        during = {keeper, *descendants(keeper)}
        assert len(during) > 1
    assert not [pid for pid in during if Path(f"/proc/{pid}").exists()]
    assert sandbox.passes(ADD, SUITE)
    sandbox.close()


def test_a_keeper_that_was_killed_is_replaced(sandbox: Sandbox) -> None:
    assert all_passed(sandbox.run(ADD, SUITE))
    (keeper,) = sandbox._idle
    os.kill(keeper._process.pid, signal.SIGKILL)
    keeper._process.wait()
    assert all_passed(sandbox.run(ADD, SUITE))


def test_threads_share_a_sandbox() -> None:
    with Sandbox(places=2) as sandbox:
        passed: list[bool] = []
        threads = [
            threading.Thread(target=lambda: passed.append(sandbox.passes(ADD, SUITE)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert passed == [True] * 8 and len(sandbox._idle) <= 2


def test_programs_run_beside_the_event_loop_and_end_when_nobody_waits() -> None:
    with Sandbox(Limits(seconds=30), places=1) as sandbox:

        async def work() -> float:
            assert await inline_or_thread(lambda: sandbox.passes(ADD, SUITE))
            endless = "def add(a, b):\n    while True: pass\n"
            task = asyncio.create_task(in_thread(lambda: sandbox.passes(endless, SUITE)))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, AbandonedError)):
                await task
            started = time.monotonic()
            assert await in_thread(lambda: sandbox.passes(ADD, SUITE))
            return time.monotonic() - started

        assert asyncio.run(work()) < 15


def test_without_isolation_programs_are_refused_or_run_with_a_remark(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(isolation: Isolation, *_: object) -> None:
        if isolation is not Isolation.NOTHING:
            raise module._RefusedError("not allowed")

    monkeypatch.setattr(module, "_Keeper", refuse)
    with pytest.raises(InputError, match=r"allows no isolation .* --unsafe-execution"):
        Sandbox().passes(ADD, SUITE)
    sandbox = Sandbox(unsafe=True)
    sandbox.check()
    assert sandbox.isolation is Isolation.NOTHING
    [said] = caplog.messages
    assert said.startswith("note: this system allows no isolation of programs (namespaces: not")


def test_without_isolation_what_is_trusted_runs_all_the_same() -> None:
    with Sandbox(Limits(seconds=1), places=1, isolation=Isolation.NOTHING) as sandbox:
        assert [one.kind.value for one in sandbox.run(ADD, SUITE)] == ["passed", "passed"]
        assert not sandbox.passes("import sys\nsys.exit(0)", SUITE)


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"memory": -1}])
def test_limits_are_positive(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not positive"):
        Sandbox(Limits(**limits))
