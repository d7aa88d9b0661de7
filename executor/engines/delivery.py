"""How what the engines' thread finds out reaches the event loops that wait for it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any


class Outbox(threading.local):
    """What a thread of the engines wants run on event loops; each thread has its own.

    Between `open` and `flush` it is gathered, so that a loop is woken once a step and not once an
    output: with small models that costs as much as the step.
    """

    def __init__(self) -> None:
        self._held: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] | None = None

    def open(self) -> None:
        """Gather from here on what this thread puts."""
        self._held = {}

    def put(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        """Run `action` on a loop, now or at the next flush; a closed loop wants no answers."""
        if self._held is None:
            self._wake(loop, [action])
        else:
            self._held.setdefault(loop, []).append(action)

    def flush(self) -> None:
        """Send what was gathered."""
        held, self._held = self._held or {}, None
        for loop, actions in held.items():
            self._wake(loop, actions)

    @staticmethod
    def _wake(loop: asyncio.AbstractEventLoop, actions: list[Callable[[], None]]) -> None:
        def run() -> None:
            for action in actions:
                action()

        # RuntimeError says that the loop is closed: whoever waited is gone, the thread goes on.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(run)


OUTBOX = Outbox()


def post(loop: asyncio.AbstractEventLoop, action: Callable[..., None], *arguments: Any) -> None:
    """Run `action`, which must not raise, on an event loop."""
    OUTBOX.put(loop, functools.partial(action, *arguments))


class Delivery:
    """What a caller awaits of its requests; filled from the engines' thread, lives on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def fail(self, error: BaseException) -> None:
        """End with an error; called from any thread."""
        post(self._loop, self._end, error)

    def _end(self, error: BaseException | None = None) -> None:
        """End once, well or not; later ends change nothing. On the loop only."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
