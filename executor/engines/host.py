"""vLLM engines inside this process, stepped in turn by one thread.

vLLM's `AsyncLLM` always starts a process of its own; on few cores its busy-waiting costs a third of
the speed and twenty seconds of loading. An `LLMEngine` that a thread steps gives the same
asynchronous interface without that. All engines must be stepped from the same thread (otherwise the
CPU attention kernel crashes), so the one `EngineHost` of the process builds and steps them, and
nothing else holds a reference to them.
"""

from __future__ import annotations

import asyncio
import atexit
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from executor.engines.base import Cut, EngineCounters, EngineOutput
from executor.engines.batching import PrmBatching
from executor.engines.delivery import OUTBOX
from executor.engines.options import EngineOptions
from executor.engines.vllm_engine import VllmEngine
from executor.errors import EngineError

T = TypeVar("T")

_SHUT_DOWN = "the engines of this process were shut down"


class HostedEngine:
    """An engine in this process; see `executor.engines.base.Engine`."""

    def __init__(self, host: EngineHost, stepped: VllmEngine) -> None:
        self.host = host
        self.stepped = stepped
        self.name = stepped.name
        self.max_context = stepped.max_context
        self.capacity = stepped.capacity

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

        def add() -> None:
            self.stepped.add(request_id, prompt_ids, params, deliver, fail)

        if not self.host.send(add):
            fail(EngineError(_SHUT_DOWN))

    async def cancel(self, request_id: str) -> list[Cut]:
        """See `Engine.cancel`."""
        return await asyncio.wrap_future(self.host.call(lambda: self.stepped.abort(request_id)))

    @property
    def lost(self) -> bool:
        """See `Engine.lost`."""
        return self.stepped.lost is not None

    def count(self) -> EngineCounters:
        """See `Engine.count`."""
        return self.stepped.count()

    def forget(self) -> None:
        """See `Engine.forget`."""
        self.host.call(self.stepped.forget).result()

    def stop(self) -> None:
        """See `Engine.stop`."""
        self.host.stop(self.stepped)


class EngineHost:
    """The thread of this process that builds and steps vLLM engines; `host()` returns it."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._engines: list[VllmEngine] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="vllm-engines", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def call(self, action: Callable[[], T]) -> Future[T]:
        """Run `action` on the host's thread before its next step.

        Returns:
            A future of its result.
        """
        future: Future[T] = Future()
        # A waiting task may be cancelled; the future may not, or it could not take its result.
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                future.set_result(action())
            except BaseException as error:
                future.set_exception(error)

        if not self.send(run):
            future.set_exception(EngineError(_SHUT_DOWN))
        return future

    def send(self, action: Callable[[], None]) -> bool:
        """Run `action`, which must not raise, before the next step; False if it never will run."""
        if self._closed:
            return False
        self._commands.put(action)
        return True

    def start(
        self, name: str, model: Path | str, options: EngineOptions, **extra: Any
    ) -> HostedEngine:
        """Load `model` into a new engine; blocks until it is ready.

        Args:
            name: name of the engine in messages and metrics.
            model: checkpoint folder or hub id.
            options: sizes and types.
            extra: further vLLM engine arguments (`runner`, `convert`, `pooler_config`, ...).

        Raises:
            EngineError: vLLM cannot load the model.
        """

        def build() -> VllmEngine:
            stepped = VllmEngine(name, model, options, extra)
            self._engines.append(stepped)
            return stepped

        return HostedEngine(self, self.call(build).result())

    def stop(self, engine: VllmEngine) -> None:
        """Release an engine's memory; unfinished requests fail."""

        def release() -> None:
            if engine not in self._engines:
                return
            self._engines.remove(engine)
            engine.release(last=not self._engines)

        self.call(release).result()

    def close(self) -> None:
        """End the thread and fail unfinished requests; runs at exit."""
        if not self._closed:
            self.call(self._fail_all)
            self._closed = True
            self._commands.put(None)
        self._thread.join(timeout=10)

    def _fail_all(self) -> None:
        for engine in self._engines:
            engine.fail_all(EngineError(f"engine {engine.name} was stopped"))

    def _run(self) -> None:
        held = PrmBatching()
        while True:
            busy = [engine for engine in self._engines if engine.busy]
            if not self._drain(block=not busy):
                return
            writers = [engine for engine in busy if engine.writes]
            for engine in busy:
                if engine.busy and (engine.writes or held.long_enough(engine, writers)):
                    OUTBOX.open()
                    try:
                        engine.step()
                    finally:
                        OUTBOX.flush()

    def _drain(self, *, block: bool) -> bool:
        """Run queued commands, after waiting for the first if `block`; False if the thread ends."""
        try:
            command = self._commands.get(block=block)
            while True:
                if command is None:
                    return False
                command()
                command = self._commands.get_nowait()
        except queue.Empty:
            return True


_host: EngineHost | None = None
_host_lock = threading.Lock()


def host() -> EngineHost:
    """Return the engine host of this process; it starts at first use."""
    global _host
    with _host_lock:
        if _host is None:
            _host = EngineHost()
        return _host
