"""The guard of the marks `process` and `socket`: what it refuses, and which marks it gives."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.helpers import guard
from tests.helpers.command import apportion, apportion_process
from tests.helpers.fake_server import serving


@pytest.fixture
def guarded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Skip without the guard; what the test provokes on purpose does not fail it."""
    if request.config.getoption("--unguarded"):
        pytest.skip("runs without the guard")
    yield
    guard._guard.found.clear()


def bind() -> None:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))


def connect() -> None:
    with socket.socket() as opened:
        opened.connect(("127.0.0.1", 9))


def start() -> None:
    multiprocessing.get_context("spawn").Process(target=bind).start()


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize(
    ("call", "mark"),
    [(lambda: os.system("true"), "process"), (start, "process"), (bind, "socket"),
     (connect, "socket"), (os.fork, "process")],
    ids=["system", "multiprocessing", "bind", "connect", "fork"],
)  # fmt: skip
def test_what_an_unmarked_test_must_not_do(call: Callable[[], object], mark: str) -> None:
    with pytest.raises(guard.UnmarkedError, match=f"needs the mark '{mark}'"):
        call()
    assert len(guard._guard.found) == 1


def test_sockets_of_an_event_loop_need_no_mark() -> None:
    ours, its = socket.socketpair()
    with ours, its:
        ours.sendall(b"x")
        assert its.recv(1) == b"x"


def runs() -> None:
    subprocess.run([sys.executable, "-c", ""], check=True)


@contextmanager
def served() -> Iterator[None]:
    with serving():
        yield


class Opened:
    def method(self) -> None:
        with served():
            pass


def test_marks_follow_from_what_is_called_however_indirectly() -> None:
    def both() -> None:
        apportion_process(*())
        Opened()

    assert guard._marks(runs) == {"process"}
    assert guard._marks(served) == guard._marks(Opened) == {"socket"}
    assert guard._marks(both) == {"process", "socket"}
    assert guard._marks(apportion) == frozenset()
