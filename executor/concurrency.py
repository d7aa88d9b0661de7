"""Helpers for event loops: work inline or in a thread, and work that must not be cancelled.

A thread costs a short piece of work more than the work itself: two thread switches, and contention
with the loop for the interpreter. So work that rarely waits starts on the event loop, and moves to
a thread only if it has to wait for another process (`must_not_wait_here`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_on_the_loop: ContextVar[bool] = ContextVar("on_the_loop", default=False)


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
    return await asyncio.to_thread(work)


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` until it is done, even if the awaiting task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    task.result()
