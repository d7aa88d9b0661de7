"""Helpers for event loops: work inline or in a thread, and work that must not be cancelled.

A thread costs a short piece of work more than the work itself: two thread switches, and contention
with the loop for the interpreter. So work that rarely waits starts on the event loop, and moves to
a thread only if it has to wait for another process (`must_not_wait_here`).

A thread cannot be cancelled. So work in a thread asks whether anybody still waits for it
(`current_stop`), and ends itself if not.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

T = TypeVar("T")

MOST_THREADS = 256
"""Most pieces of work that wait in threads at once; further ones queue."""

_on_the_loop: ContextVar[bool] = ContextVar("on_the_loop", default=False)
_stop: ContextVar[Stop | None] = ContextVar("stop", default=None)
# Not the loop's default threads, of which there are few: a piece of work may wait here for seconds,
# and must not hold up others, or the store.
_threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="waiting")


class AbandonedError(Exception):
    """Work ends because nobody waits for its result any more."""


class Stop:
    """A signal to work in a thread: nobody waits for its result any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given = False
        self._wakes: list[Callable[[], None]] = []

    def give(self) -> None:
        """Give the signal, and wake whoever waits (`waking`); any thread may call this."""
        with self._lock:
            self._given = True
            wakes = list(self._wakes)
        for wake in wakes:
            wake()

    def check(self) -> None:
        """Return unless the signal was given.

        Raises:
            AbandonedError: it was.
        """
        if self._given:
            raise AbandonedError

    @contextlib.contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` if the signal is given during this context, or was given before."""
        with self._lock:
            self._wakes.append(wake)
            given = self._given
        try:
            if given:
                wake()
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)


def current_stop() -> Stop:
    """Return the signal that ends the work of this thread."""
    return _stop.get() or Stop()


class _WaitError(Exception):
    """The work has to wait, and nothing of it has been done."""


def must_not_wait_here() -> None:
    """Announce a wait for another process; makes `inline_or_thread` move the work to a thread."""
    if _on_the_loop.get():
        raise _WaitError


async def inline_or_thread(work: Callable[[], T], *, long: bool = False) -> T:
    """Return the result of `work`, run on the event loop if it need not wait, else in a thread.

    Args:
        work: function that calls `must_not_wait_here` before it waits. It may be called twice: it
            starts again in the thread.
        long: whether the work would block the loop even without waiting; it then runs in a thread
            from the start.
    """
    if not long:
        before = _on_the_loop.set(True)
        try:
            return work()
        except _WaitError:
            pass
        finally:
            _on_the_loop.reset(before)
    return await in_thread(work)


async def in_thread(work: Callable[[], T]) -> T:
    """Return the result of `work`, run in a thread; cancelling also stops the work.

    The work ends at the next place that looks at `current_stop`, as waits for a grader do.
    """
    stop = Stop()
    before = _stop.set(stop)
    try:
        context = copy_context()
    finally:
        _stop.reset(before)
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_threads, lambda: context.run(work))
    except asyncio.CancelledError:
        stop.give()
        raise


def retrieve(task: asyncio.Future[Any]) -> None:
    """Take note of the error of a task that has ended.

    asyncio logs an error, with its traceback, that nobody has taken note of. As a callback of a
    task this keeps the log clean if all that waited for the task were cancelled meanwhile.
    """
    if not task.cancelled():
        task.exception()


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` until it is done, even if the awaiting task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
