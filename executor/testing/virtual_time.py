"""Virtual time for tests: what sleeps takes no time, and a busy machine changes no result."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still while code runs, and jumps to the next timer.

    So a timeout of 0.5 s expires after what sleeps before it, however slow the machine is. While a
    thread works (`asyncio.to_thread`), the clock waits for it. Sockets and processes, which take
    real time, do not fit into it.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._threads = 0
        selector = selectors.DefaultSelector()
        self._wait = selector.select
        selector.select = self._select  # type: ignore[method-assign]
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since the loop was made, by its own clock."""
        return self._now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function in a thread; the clock stands still until it has ended."""
        self._threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: asyncio.Future[Any]) -> None:
        self._threads -= 1

    def _select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or (self._threads and timeout > 0):
            return self._wait(None)
        ready = self._wait(0)
        if not ready:
            self._now += max(0.0, timeout)
        return ready


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in virtual time and return its result, as `asyncio.run` does in real time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)
