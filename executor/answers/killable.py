"""Child processes that answer one question at a time and can be killed in the middle of one.

They are for library calls that may never return and cannot be interrupted in a thread. A script in
a new interpreter, the nursery, imports what they need; each child is a fork of it, which takes
milliseconds. The parent itself is never forked: it may hold the threads of torch or vLLM.

pebble's ProcessPool was tried instead. Its children import the parent's `__main__` again, which
runs a user's script twice; it finds crashes and time-outs by polling every 0.1 s; a child that was
killed costs a second for a new interpreter; and it has no order of service that a caller could
choose (`executor.answers.pool`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

from executor.errors import EngineError

START_SECONDS = 60.0
"""Most seconds that a nursery may take to start; a question's time begins afterwards."""

STARVED = 2.0
"""Seconds of waiting that count as one of a child's work, however little of a core it gets."""

_SHORTEST_WAIT = 0.001
_CPU_CLOCK = 2  # of clock_getcpuclockid(3) on Linux: the process's time on all its processors
_FORK_SECONDS = 10.0
"""Most seconds that a nursery may take for a fork: it does nothing else."""


class WorkerError(EngineError):
    """The child processes cannot be started; finished problems are kept."""


class ChildDiedError(Exception):
    """A child process ended without a reply."""


class Line:
    """A socket that carries one JSON object per line."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._received = b""

    def send(self, message: bytes, *descriptors: int) -> None:
        """Send a line, which must fit the socket's buffer, with file descriptors.

        Raises:
            ChildDiedError: nobody is at the other end.
        """
        try:
            if descriptors:
                socket.send_fds(self._socket, [message], descriptors)
            else:
                self._socket.sendall(message)
        except OSError:
            raise ChildDiedError from None

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Wait for a line; return None after `seconds`, and the wait can then go on.

        Raises:
            ChildDiedError: nobody is at the other end, or `close` or `wake` was called.
        """
        end = time.monotonic() + seconds
        while not self._received.endswith(b"\n"):
            if not self._readable(max(0.0, end - time.monotonic())):
                return None
            try:
                piece = self._socket.recv(65536)
            except OSError:
                raise ChildDiedError from None
            if not piece:
                raise ChildDiedError
            self._received += piece
        line, self._received = self._received, b""
        reply: dict[str, Any] = json.loads(line)
        return reply

    @property
    def silent(self) -> bool:
        """Whether there is nothing to receive, not even the end."""
        return not self._received and not self._readable(0)

    def wake(self) -> None:
        """Make a thread that waits in `receive` raise ChildDiedError, now or when it gets there."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _readable(self, seconds: float) -> bool:
        # poll, not select: a service may hold more descriptors than select can name.
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except ValueError:
            raise ChildDiedError from None
        return bool(poll.poll(1000 * seconds))


class Child:
    """A child process; one thread at a time may use it.

    Attributes:
        pid: its process id.
        line: the socket that it serves.
        nursery: process that it was forked from.
        slowed: whether it is slower than other children for good (`slow_down`).
    """

    def __init__(self, pid: int, line: Line, nursery: _Process) -> None:
        self.pid = pid
        self.line = line
        self.nursery = nursery
        self.slowed = False

    def send(self, request: bytes) -> None:
        """Send a request, a line; see `Line.send`."""
        self.line.send(request)

    def receive(
        self, seconds: float, deadline: float | None = None
    ) -> tuple[dict[str, Any] | None, float]:
        """Wait for the reply to the request; the wait can go on after its time.

        Time is the child's own, so that a reply does not depend on what else the machine does. A
        child that gets less than half a core is given up all the same.

        Args:
            seconds: most seconds of the child's processor time, and half of the wait.
            deadline: time by `time.monotonic` at which the wait ends in any case; None: no such.

        Returns:
            The reply, or None if there was none in time; and the seconds that this wait took.

        Raises:
            ChildDiedError: it died, or another thread woke this one.
        """
        started = time.monotonic()
        before = self._cpu_seconds(started)
        reply, spent = None, 0.0
        while reply is None and spent < seconds:
            wait = max(seconds - spent, _SHORTEST_WAIT)
            if deadline is not None:
                wait = min(wait, max(0.0, deadline - time.monotonic()))
            reply = self.line.receive(wait)
            now = time.monotonic()
            spent = max(self._cpu_seconds(now) - before, (now - started) / STARVED)
            if deadline is not None and now >= deadline:
                break
        return reply, spent

    def _cpu_seconds(self, otherwise: float) -> float:
        """Return the child's processor time so far; `otherwise` if the system does not tell it."""
        if sys.platform != "linux":
            return otherwise
        try:
            return time.clock_gettime((~self.pid << 3) | _CPU_CLOCK)
        except OSError:  # it is dead
            raise ChildDiedError from None

    def slow_down(self, niceness: int) -> None:
        """Let other processes go before it; only a privileged process could take that back."""
        self.slowed = True
        with contextlib.suppress(OSError):  # it is dead, which its line tells
            os.setpriority(os.PRIO_PROCESS, self.pid, niceness)

    @property
    def usable(self) -> bool:
        """Whether it waits for a request; a child that was killed from outside does not."""
        return self.line.silent

    def end(self) -> None:
        """Kill it and wait for its end."""
        self.nursery.end(self.pid)
        self.line.close()


class Nursery:
    """A script that forks children; it starts when the first child is needed.

    The script's stdin is a Unix socket. It first writes the line `{"ready": true}` or
    `{"error": str}`. Then it answers `{"fork": true}`, which comes with a child's end of a socket,
    with `{"pid": int}`, and `{"end": int}` by killing that child. When its socket ends, so does it,
    and its children with it. `executor/answers/worker.py` is such a script.

    Args:
        script: Python file to run.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._cleanup: weakref.finalize[Any, Any] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the nursery, or None if it is not running."""
        process = self._process
        return None if process is None else process.pid

    def child(self) -> Child:
        """Fork a child.

        Raises:
            WorkerError: the nursery does not start, or cannot fork.
        """
        with self._lock:
            for _ in range(2):  # the nursery itself may have been killed from outside
                process = self._running()
                try:
                    return process.fork()
                except ChildDiedError:
                    self._forget()
        raise WorkerError(f"{self._script.name} cannot fork a child process")

    def close(self) -> None:
        """End the nursery and its children; a later child starts a new one."""
        with self._lock:
            self._forget()

    def _running(self) -> _Process:
        if self._process is None:
            process = _Process(self._script)
            cleanup = weakref.finalize(self, process.close)
            try:
                process.wait_until_ready()
            except BaseException:
                cleanup()
                raise
            self._process, self._cleanup = process, cleanup
        return self._process

    def _forget(self) -> None:
        if self._cleanup is not None:
            self._cleanup()
        self._process = self._cleanup = None


class _Process:
    """A nursery that runs."""

    def __init__(self, script: Path) -> None:
        self._name = script.name
        self._lock = threading.Lock()
        mine, theirs = socket.socketpair()
        with theirs:
            # -P: the script's folder holds modules whose names must not hide installed ones.
            self._popen = subprocess.Popen(
                [sys.executable, "-P", str(script)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is the parent's to handle
                # Threads of a library would not be there in a fork.
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._line = Line(mine)
        self._ready = False

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait_until_ready(self) -> None:
        why: str | None = "it ended at once"
        with contextlib.suppress(ChildDiedError):
            hello = self._line.receive(START_SECONDS)
            late = {"error": f"it was silent for {START_SECONDS:.0f} s"}
            why = (late if hello is None else hello).get("error")
        if why is not None:
            raise WorkerError(f"{self._name} does not start: {why}")
        self._ready = True

    def fork(self) -> Child:
        mine, theirs = socket.socketpair()
        with theirs:
            try:
                reply = self._ask({"fork": True}, theirs.fileno())
            except BaseException:
                mine.close()
                raise
        return Child(reply["pid"], Line(mine), self)

    def end(self, pid: int) -> None:
        # If the nursery died, its children died with it.
        with contextlib.suppress(ChildDiedError):
            self._ask({"end": pid})

    def _ask(self, request: dict[str, Any], *descriptors: int) -> dict[str, Any]:
        with self._lock:
            self._line.send(json.dumps(request).encode() + b"\n", *descriptors)
            reply = self._line.receive(_FORK_SECONDS)
            if reply is None:
                self._line.wake()  # a late reply would be read as the next request's
                raise ChildDiedError
            return reply

    def close(self) -> None:
        self._line.wake()  # it kills its children then, and ends
        if not self._ready:
            self._popen.kill()
        try:
            self._popen.wait(_FORK_SECONDS)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._line.close()
