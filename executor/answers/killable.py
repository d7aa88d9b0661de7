"""A child process that answers one question at a time and can be killed in the middle of one.

It is for library calls that may never return and cannot be interrupted in a thread. The child is a
new interpreter (never a fork: the parent may hold the threads of torch or vLLM).

pebble's ProcessPool was tried instead. Its children import the parent's `__main__` again, which
runs a user's script twice; it finds crashes and time-outs by polling every 0.1 s; and a round trip
takes 0.15 ms against 0.03 ms here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executor.concurrency import must_not_wait_here
from executor.errors import EngineError

START_SECONDS = 60.0
"""Most seconds that a child may take to start; a question's deadline begins afterwards."""


class WorkerError(EngineError):
    """The child process cannot be started; finished problems are kept."""


class _ChildDiedError(Exception):
    """The child ended without a reply."""


class KillableWorker:
    """A script in a child process that starts with the first question.

    Requests and replies are JSON objects, one per line. The script first writes `{"ready": true}`
    or `{"error": str}`, then one line per request, and ends when its stdin does. Many threads may
    ask; their questions wait in turn.

    Args:
        script: Python file to run. It must write nothing but its replies to stdout.
    """

    def __init__(self, script: Path) -> None:
        self._script = script
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._lost = 0
        self._cleanup: weakref.finalize[Any, Any] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None if it is not running."""
        child = self._child
        return child.pid if child is not None else None

    @property
    def lost(self) -> int:
        """Number of questions without a reply so far."""
        return self._lost

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        """Return the child's reply, or None if it took longer than `seconds` or crashed twice.

        After one crash the question is asked again: the child may have been killed from outside.

        Args:
            request: request of at most 64 KiB as JSON; it must fit the pipe, so that sending never
                waits.
            seconds: deadline of an attempt, from the moment the child is ready.

        Raises:
            WorkerError: the child does not start.
        """
        must_not_wait_here()
        line = json.dumps(request).encode() + b"\n"
        with self._lock:
            for _ in range(2):
                try:
                    reply = self._attempt(line, seconds)
                except _ChildDiedError:
                    continue
                if reply is None:
                    break
                return reply
            self._lost += 1
            return None

    def close(self) -> None:
        """End the child; a later question starts a new one."""
        with self._lock:
            self._kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _attempt(self, line: bytes, seconds: float) -> dict[str, Any] | None:
        child = self._running()
        reply = None
        try:
            reply = _exchange(child, line, seconds)
        finally:
            # Also after an interrupt: a late reply would be read as the next question's.
            if reply is None:
                self._kill()
        return reply

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self._kill()
        # -P: the script's folder holds modules whose names must not hide installed ones.
        child = subprocess.Popen(
            [sys.executable, "-P", str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is the parent's to handle
        )
        self._child = child
        self._cleanup = weakref.finalize(self, _end, child)
        why: str | None = "it ended at once"
        try:
            hello = _exchange(child, b"", START_SECONDS)
            late = {"error": f"it was silent for {START_SECONDS:.0f} s"}
            why = (late if hello is None else hello).get("error")
        except _ChildDiedError:
            pass
        finally:
            if why is not None:
                self._kill()
        if why is not None:
            raise WorkerError(f"{self._script.name} does not start: {why}")
        return child

    def _kill(self) -> None:
        if self._cleanup is not None:
            self._cleanup()
        self._child = self._cleanup = None


def _exchange(child: subprocess.Popen[bytes], line: bytes, seconds: float) -> dict[str, Any] | None:
    """Send a line and wait for a reply; None after `seconds`."""
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdin.write(line)
        child.stdin.flush()
    except (BrokenPipeError, ConnectionResetError):
        raise _ChildDiedError from None
    end = time.monotonic() + seconds
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not received.endswith(b"\n"):
            if not selector.select(max(0.0, end - time.monotonic())):
                return None
            piece = os.read(child.stdout.fileno(), 65536)
            if not piece:
                raise _ChildDiedError
            received += piece
    reply: dict[str, Any] = json.loads(received)
    return reply


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
