"""An engine in a child process.

In one process the policy, the PRM and this program take turns on the engines' thread and on the
interpreter. In a child process a policy is stepped without a pause, while this process scores and
searches its finished responses. On a CPU each of the two engines has half of the cores.

The child runs `executor.engines.child_process`, which describes the messages between the two.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from executor.engines.base import Cut, EngineCounters, EngineOutput
from executor.engines.cache_size import weight_bytes
from executor.engines.capacity import Capacity
from executor.engines.cores import physical_cores
from executor.engines.delivery import OUTBOX
from executor.engines.options import EngineOptions
from executor.errors import EngineError, InputError

_END_SECONDS = 10.0


def start_subprocess_engine(
    name: str, model: Path | str, options: EngineOptions, **extra: Any
) -> SubprocessEngine:
    """Load `model` in a child process; blocks until it is ready.

    Args:
        name, model, options, extra: see `EngineHost.start`.

    Raises:
        EngineError: vLLM cannot load the model.
    """
    ours, its = Pipe()
    # -P: a file in the working folder must not hide a module.
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "executor.engines.child_process", str(its.fileno())],
        pass_fds=[its.fileno()],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)},
        stdout=subprocess.DEVNULL,
        process_group=0,  # only this process handles Ctrl-C
    )
    its.close()
    try:
        ours.send((name, str(model), options, extra))
        hello = ours.recv()
        if isinstance(hello, EngineError | InputError):
            raise hello
    except BaseException as error:
        # Also after an interrupt: nothing else would end a process that is still loading.
        child.kill()
        ended = child.wait()
        ours.close()
        if isinstance(error, EOFError | OSError):
            raise EngineError(f"vLLM cannot load {model}: {_describe_end(ended)}") from error
        raise
    return SubprocessEngine(name, child, ours, *hello)


def divided(
    options: EngineOptions, *, prm: Path | str | None
) -> tuple[EngineOptions, EngineOptions]:
    """Return the options of a policy's engine and of a PRM's in this process.

    The policy leaves memory for the PRM's weights, unless the size of its cache is given. If it has
    a child process, each engine gets half of the physical cores; they share a single one. Without a
    PRM the policy has all cores.

    Args:
        options: settings of both engines.
        prm: checkpoint folder or hub id of the PRM; None if this process loads none.
    """
    if prm is None:
        return options, options
    mine = others = options
    if options.kv_cache_gib is None:
        width = 4 if options.dtype == "float32" else 2
        mine = replace(options, beside=weight_bytes(str(prm), width=width))
    if options.apart:
        groups = physical_cores()
        at = (len(groups) + 1) // 2
        first, second = (
            tuple(core for group in half for core in group)
            for half in (groups[:at], groups[at:] or groups)
        )
        mine, others = replace(mine, cores=first), replace(others, cores=second)
    return mine, others


def _describe_end(code: int | None) -> str:
    """Describe how a process ended."""
    if code is None:
        return "its process hung up"
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"its process ended ({how})"


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """The callbacks of a request."""

    deliver: Callable[[EngineOutput], None]
    fail: Callable[[BaseException], None]


class SubprocessEngine:
    """An engine in a child process; see `executor.engines.base.Engine`."""

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
        self._requests: dict[str, _Callbacks] = {}
        self._asked: deque[Future[Any]] = deque()
        self._counters = EngineCounters()
        self._messages: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=work, name=f"{name} {work.__name__}", daemon=True)
            for work in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()
        atexit.register(self.stop)

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._child.pid

    def submit(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        *,
        deliver: Callable[[EngineOutput], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """See `Engine.submit`."""
        with self._lock:
            lost = self._lost
            if lost is None:
                self._requests[request_id] = _Callbacks(deliver, fail)
                self._messages.put(("add", request_id, prompt_ids, params))
        if lost is not None:
            fail(EngineError(lost))

    async def cancel(self, request_id: str) -> list[Cut]:
        """See `Engine.cancel`."""
        cut = await asyncio.wrap_future(self._ask("abort", request_id))
        with self._lock:
            self._requests.pop(request_id, None)
        return cut or []

    @property
    def lost(self) -> bool:
        """See `Engine.lost`."""
        return self._lost is not None

    def count(self) -> EngineCounters:
        """See `Engine.count`: the counters of the child's latest message."""
        return self._counters

    def forget(self) -> None:
        """See `Engine.forget`."""
        self._ask("forget").result()

    def stop(self) -> None:
        """See `Engine.stop`."""
        atexit.unregister(self.stop)
        self._end(f"engine {self.name} was stopped")
        self._messages.put(None)
        try:
            self._child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        for thread in self._threads:
            thread.join()
        self._pipe.close()

    def _ask(self, method: str, *arguments: Any) -> Future[Any]:
        """Return a future of the result of one of the engine's methods; None if it is lost."""
        future: Future[Any] = Future()
        # Not to be cancelled: answers come in the order of the calls.
        future.set_running_or_notify_cancel()
        with self._lock:
            if self._lost is None:
                self._asked.append(future)
                self._messages.put((method, *arguments))
                return future
        future.set_result(None)
        return future

    def _send(self) -> None:
        """Send all that is queued in one message."""
        ended = False
        while not ended:
            messages = [self._messages.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    messages.append(self._messages.get_nowait())
            ended = None in messages
            try:
                self._pipe.send(messages)
            except OSError:
                return  # the child is gone, which `_receive` finds out
            except Exception as error:
                self._end(f"engine {self.name} was lost: {error}")
                return

    def _receive(self) -> None:
        try:
            while True:
                self._counters, events = self._pipe.recv()
                OUTBOX.open()
                for kind, *content in events:
                    if kind == "answer":
                        # Events before an answer must reach their loop before it.
                        OUTBOX.flush()
                        self._answer(*content)
                        OUTBOX.open()
                    else:
                        self._hand_out(kind, *content)
                OUTBOX.flush()
        except (EOFError, OSError):
            self._end(f"engine {self.name} was lost: {self._how_it_ended()}")
        except Exception as error:
            self._end(f"engine {self.name} was lost: {error}")
        finally:
            OUTBOX.flush()

    def _how_it_ended(self) -> str:
        try:
            return _describe_end(self._child.wait(_END_SECONDS))
        except subprocess.TimeoutExpired:
            return _describe_end(None)

    def _answer(self, result: Any) -> None:
        with self._lock:
            future = self._asked.popleft() if self._asked else None
        if future is None:
            return  # the engine was lost meanwhile; the caller knows
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def _hand_out(self, kind: str, request_id: str, content: Any) -> None:
        with self._lock:
            request = self._requests.get(request_id)
            if request is not None and (kind == "failed" or content.last):
                del self._requests[request_id]
        if request is not None:
            (request.fail if kind == "failed" else request.deliver)(content)

    def _end(self, why: str) -> None:
        """Fail unfinished and later requests; the first reason counts."""
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
