"""A pytest plugin that keeps the marks `process` and `socket` truthful.

`make check` runs the tests that start no child process, open no network connection and load no
engine. A test without the marks `process`, `vllm` or `slow` fails if it starts a process; one
without `socket`, `vllm` or `slow` fails if it binds or connects a socket. `--unguarded` turns the
checks off.

Python's audit events (https://docs.python.org/3/library/audit_events.html) report both. The error
is raised at the call, and again at the end of the test in case the code under test caught it.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

import _posixsubprocess  # type: ignore[import-not-found]
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


class Unmarked(Exception):
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
        if mark is not None and mark in self.forbidden:
            self.refuse(mark, event, arguments)

    def refuse(self, mark: str, event: str, arguments: tuple[Any, ...]) -> None:
        """Record a call and raise `Unmarked`."""
        place = "".join(traceback.format_stack(limit=8)[:-2])
        thread = threading.current_thread().name
        message = f"{event}{arguments!r:.200} needs the mark {mark!r} ({thread}):\n{place}"
        self.found.append(message)
        raise Unmarked(message)


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
