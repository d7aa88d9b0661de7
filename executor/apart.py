"""An engine in a process of its own, beside this one's.

In one process the policy, the PRM and this program take turns: on the engines' thread, and on the
interpreter. Apart, a policy is stepped by a process that does nothing else, while its finished
responses are scored and searched on here. On a CPU each of the two has half of the cores.

The process is `executor.engine_process`; what is said between the two is described there.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from executor.capacity import Capacity
from executor.delivery import OUTBOX
from executor.engine import EngineCounters, Output
from executor.engine_options import CORES, EngineOptions, own_cores
from executor.errors import EngineError
from executor.stepped import Request

_END_SECONDS = 10.0


def start_apart(
    name: str, model: Path | str, options: EngineOptions, cores: str | None = None, **extra: Any
) -> EngineApart:
    """Load `model` in a process of its own; blocks until it is ready.

    Args:
        name, model, options, extra: see `EngineHost.start`.
        cores: that it may use on a CPU, as vLLM wants them; None: half of those there are, and
            engines that this process loads later have the other half.

    Raises:
        EngineError: vLLM cannot load the model.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    divided = division()
    if divided is not None:
        environment[CORES], os.environ[CORES] = divided
    if cores is not None:
        environment[CORES] = cores
    ours, its = Pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "executor.engine_process", str(its.fileno())],
        pass_fds=[its.fileno()],
        env=environment,
        stdout=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C is this process's to handle
    )
    its.close()
    ours.send((name, str(model), options, extra))
    try:
        hello = ours.recv()
    except (EOFError, OSError):
        hello = EngineError(f"vLLM cannot load {model}: its process ended")
    if isinstance(hello, Exception):
        ours.close()
        child.wait()
        raise hello
    return EngineApart(name, child, ours, *hello)


@functools.cache
def division() -> tuple[str, str] | None:
    """The cores of a policy's engine apart, and of what is loaded here; a single one is shared.

    None where the user has said which cores engines are to take. Made once: what is set by it looks
    like that.
    """
    mine = own_cores()
    if os.environ.get(CORES, mine) != mine:
        return None
    each = mine.split(",")
    return ",".join(each[: (len(each) + 1) // 2]), ",".join(each[len(each) // 2 :])


class EngineApart:
    """An engine in another process; see `executor.engine.Engine`."""

    def __init__(
        self,
        name: str,
        child: subprocess.Popen[bytes],
        pipe: Connection,
        max_context: int,
        capacity: Capacity,
    ) -> None:
        self.name = name
        self.max_context = max_context
        self.capacity = capacity
        self._child = child
        self._pipe = pipe
        self._lock = threading.Lock()
        self._lost: str | None = None
        self._requests: dict[str, Request] = {}
        self._asked: deque[Future[Any]] = deque()
        self._counters = EngineCounters()
        self._letters: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name=f"{name} {work.__name__}", daemon=True)
            for work in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._child.pid

    def submit(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        *,
        deliver: Callable[[Output], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """See `Engine.submit`."""
        with self._lock:
            lost = self._lost
            if lost is None:
                children = getattr(params, "n", 1)
                self._requests[request_id] = Request(deliver, fail, children)
                self._letters.put(("add", request_id, prompt_ids, params))
        if lost is not None:
            fail(EngineError(lost))

    async def cancel(self, request_id: str) -> list[tuple[int, int, int]]:
        """See `Engine.cancel`."""
        counts = await asyncio.wrap_future(self._ask("abort", request_id))
        with self._lock:
            self._requests.pop(request_id, None)
        return counts or []

    def count(self) -> EngineCounters:
        """See `Engine.count`; of a lost engine the last that was asked for."""
        self._counters = self._ask("count").result() or self._counters
        return self._counters

    def forget(self) -> None:
        """See `Engine.forget`."""
        self._ask("forget").result()

    def stop(self) -> None:
        """See `Engine.stop`."""
        atexit.unregister(self.stop)
        self._end(f"engine {self.name} was stopped")
        self._letters.put(None)
        try:
            self._child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for thread in self._threads:
            thread.join()
        self._pipe.close()

    def _ask(self, method: str, *arguments: Any) -> Future[Any]:
        """The result of a method of the engine; None where it is lost."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # nobody may cancel it: answers come in turn
        with self._lock:
            if self._lost is None:
                self._asked.append(future)
                self._letters.put((method, *arguments))
                return future
        future.set_result(None)
        return future

    def _send(self) -> None:
        """Send what is queued, all of it in one letter."""
        ended = False
        while not ended:
            letters = [self._letters.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    letters.append(self._letters.get_nowait())
            ended = None in letters
            try:
                self._pipe.send(letters)
            except OSError:
                return  # its process is gone: whoever receives finds out

    def _receive(self) -> None:
        try:
            while True:
                OUTBOX.open()
                for letter in self._pipe.recv():
                    self._take(*letter)
                OUTBOX.flush()
        except (EOFError, OSError):
            self._end(f"engine {self.name} was lost: its process ended")
        finally:
            OUTBOX.flush()

    def _take(self, kind: str, *told: Any) -> None:
        if kind == "answer":
            with self._lock:
                future = self._asked.popleft()
            # What was handed out before an answer reaches its loop before it.
            OUTBOX.flush()
            OUTBOX.open()
            future.set_result(told[0])
            return
        request_id, what = told
        with self._lock:
            request = self._requests.get(request_id)
            if request is None:
                return
            request.open_children -= 1 if kind == "failed" else max(1, len(what.completions))
            if kind == "failed" or request.open_children <= 0:
                del self._requests[request_id]
        (request.fail if kind == "failed" else request.deliver)(what)

    def _end(self, why: str) -> None:
        """Fail what is under way and whatever is asked from here on; the first reason counts."""
        with self._lock:
            if self._lost is not None:
                return
            self._lost = why
            requests, self._requests = self._requests, {}
            asked, self._asked = self._asked, deque()
        for request in requests.values():
            request.fail(EngineError(why))
        for future in asked:
            future.set_result(None)
