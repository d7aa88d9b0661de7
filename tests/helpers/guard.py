"""A pytest plugin that gives tests the marks `process` and `socket` and keeps them truthful.

`make check` runs the tests that start no child process, bind or connect no socket and load no
engine. Two parts see to that:

* At collection, a test gets the marks of the helpers that it or one of its fixtures calls
  (`_OPENERS`), directly or through other functions of the tests.
* While a test runs, starting a process needs the mark `process` and binding or connecting a socket
  the mark `socket`; without it the test fails. Tests marked `slow` or `vllm` may do both.
  `--unguarded` turns this part off.

Python's audit events (https://docs.python.org/3/library/audit_events.html) report both. The error
is raised at the call, and again at the end of the test in case the code under test caught it.
"""

from __future__ import annotations

import _posixsubprocess  # type: ignore[import-not-found]
import inspect
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType
from typing import Any

import pytest

_EVENTS = {
    "subprocess.Popen": "process",
    "os.exec": "process",
    "os.fork": "process",
    "os.forkpty": "process",
    "os.posix_spawn": "process",
    "os.spawn": "process",
    "os.system": "process",
    "socket.bind": "socket",
    "socket.connect": "socket",
}
_EVERYTHING = frozenset({"slow", "vllm"})
"""Marks of tests that `make check` leaves out, and that may do both."""
_HARMLESS = frozenset({"file", "lscpu", "uname"})
"""Programs by which libraries ask about the machine when they are first imported or used."""
_OPENERS = {
    "tests.helpers.chromium.Chromium": "process",
    "tests.helpers.command.apportion_process": "process",
    "tests.helpers.fake_server.FakeServer": "socket",
    "tests.helpers.postgres.PostgresServer": "process",
    "tests.helpers.served_app.serving": "socket",
    "tests.helpers.serving.serving": "socket",
}
"""Helpers that need a mark."""


class UnmarkedError(Exception):
    """A test does what only tests with a certain mark may do."""


class _Guard:
    """What the running test must not do, and what it did nevertheless.

    Attributes:
        forbidden: the marks that the running test lacks.
        found: a line for each call that needs one of them.
    """

    def __init__(self) -> None:
        self.forbidden: frozenset[str] = frozenset()
        self.found: list[str] = []

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Refuse what the running test has no mark for; called for every audit event."""
        mark = _EVENTS.get(event)
        if (
            mark is not None
            and mark in self.forbidden
            and not (arguments and arguments[0] in _HARMLESS)
        ):
            self.refuse(mark, event, arguments)

    def refuse(self, mark: str, event: str, arguments: tuple[Any, ...]) -> None:
        """Record a call and raise `UnmarkedError`."""
        place = "".join(traceback.format_stack(limit=8)[:-2])
        thread = threading.current_thread().name
        message = f"{event}{arguments!r:.200} needs the mark {mark!r} ({thread}):\n{place}"
        self.found.append(message)
        raise UnmarkedError(message)


_guard = _Guard()
_fork_exec = _posixsubprocess.fork_exec


def _guarded_fork_exec(*arguments: Any) -> Any:
    """multiprocessing starts its children by this function, which raises no audit event."""
    if "process" in _guard.forbidden:
        _guard.refuse("process", "fork_exec", arguments[:1])
    return _fork_exec(*arguments)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--unguarded",
        action="store_true",
        help="do not check that tests which start processes or use sockets are marked",
    )


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--unguarded"):
        sys.addaudithook(_guard.audit)  # stays for good, and does nothing unless a test forbids
        _posixsubprocess.fork_exec = _guarded_fork_exec
        config.pluginmanager.register(_Checks(), "process and socket marks")


@pytest.hookimpl(tryfirst=True)  # before tests are selected by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not isinstance(item, pytest.Function):
            continue
        fixtures = [one for found in item._fixtureinfo.name2fixturedefs.values() for one in found]
        for function in (item.function, *(fixture.func for fixture in fixtures)):
            for mark in _marks(getattr(function, "__func__", function)):
                item.add_marker(mark)


@cache
def _marks(start: Any) -> frozenset[str]:
    """Return the marks that a function needs for all that it may call in the tests' own modules."""
    marks, seen, left = set(), set(), [start]
    while left:
        part = left.pop()
        if isinstance(part, FunctionType):
            part = inspect.unwrap(part)  # a context manager, for instance
        if part is subprocess:
            marks.add("process")
        elif (inspect.isclass(part) or isinstance(part, FunctionType)) and part not in seen:
            seen.add(part)
            name = f"{part.__module__}.{part.__qualname__}"
            if name in _OPENERS:
                marks.add(_OPENERS[name])
            elif name.startswith("tests."):
                left += _used(part)
    return frozenset(marks)


@cache
def _used(part: Any) -> list[Any]:
    """Return the globals that a function, or the methods of a class, look up."""
    functions = [part] if isinstance(part, FunctionType) else vars(part).values()
    return [
        function.__globals__.get(name)
        for function in functions
        if isinstance(function, FunctionType)
        for name in _names(function.__code__)
    ]


def _names(code: CodeType) -> set[str]:
    """Return the names that a function and those defined in it look up."""
    nested = (one for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names}.union(*map(_names, nested))


class _Checks:
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        marks = {mark.name for mark in item.iter_markers()}
        if not marks & _EVERYTHING:
            _guard.forbidden = frozenset({"process", "socket"}) - marks
        try:
            return (yield)
        finally:
            _guard.forbidden = frozenset()
            _guard.found.clear()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Iterator[None]:
        report: Any = yield
        if not report.passed:
            _guard.found.clear()  # reported already
        elif _guard.found and call.when == "teardown":
            report.outcome = "failed"
            report.longrepr = "\n".join(_guard.found)
        return report
