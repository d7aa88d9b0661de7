"""Delivery of results from the engines' threads to the event loops that wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any


class Outbox(threading.local):
    """Actions that a thread of the engines runs on event loops; each thread has its own outbox.

    Between `open` and `flush` actions are collected, so that a loop is woken once per step and not
    once per output: with small models that would cost as much as the step.
    """

    def __init__(self) -> None:
        self._held: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] | None = None

    def open(self) -> None:
        """Start to collect the actions of this thread."""
        self._held = {}

    def put(self, loop: asyncio.AbstractEventLoop, action: Callable[[], None]) -> None:
        """Run `action` on a loop, now or at the next flush; a closed loop ignores it."""
        if self._held is None:
            self._wake(loop, [action])
        else:
            self._held.setdefault(loop, []).append(action)

    def flush(self) -> None:
        """Send the collected actions."""
        held, self._held = self._held or {}, None
        for loop, actions in held.items():
            self._wake(loop, actions)

    @staticmethod
    def _wake(loop: asyncio.AbstractEventLoop, actions: list[Callable[[], None]]) -> None:
        def run() -> None:
            for action in actions:
                action()

        # RuntimeError means that the loop is closed and nothing waits there; the thread goes on.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(run)


OUTBOX = Outbox()


def post(loop: asyncio.AbstractEventLoop, action: Callable[..., None], *arguments: Any) -> None:
    """Run `action`, which must not raise, on an event loop."""
    OUTBOX.put(loop, functools.partial(action, *arguments))


class Delivery:
    """The result that a caller on one event loop awaits, filled from the engines' thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop

    def fail(self, error: BaseException) -> None:
        """End with an error; any thread may call it."""
        post(self._loop, self._end, error)

    def _end(self, error: BaseException | None = None) -> None:
        """End once, with or without an error; later calls change nothing. On the loop only."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
