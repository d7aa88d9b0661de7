"""Work that rarely has to wait: done on the event loop, and in a thread only where it must.

A thread costs a short piece of work more than itself: two changes of thread, and a fight for the
interpreter with the loop. Who waits for another process says so first (`must_not_wait_here`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")

_on_the_loop: ContextVar[bool] = ContextVar("on_the_loop", default=False)


class _WaitError(Exception):
    """The work has to wait, and nothing of it has been done."""


def must_not_wait_here() -> None:
    """To be called before waiting for another process: ends what `promptly` tries on the loop."""
    if _on_the_loop.get():
        raise _WaitError


async def promptly(work: Callable[[], T], *, long: bool = False) -> T:
    """What `work` returns: done here where it need not wait, else in a thread.

    Args:
        work: may be begun anew after it has come to where it would have to wait.
        long: whether it would hold up the loop even without waiting; then it is done in a thread.
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
