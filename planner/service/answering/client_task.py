"""Work for a client that may go away, in a server that may be told to end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from starlette.types import Receive

from planner.service.http.faults import ClientGoneError

T = TypeVar("T")
R = TypeVar("R")


class Attended(Generic[T]):
    """A coroutine that runs as long as its client stays, and is cancelled when it goes.

    Whoever waits is woken by three things: the work is done, the client has gone, or `notice` was
    called. Use it as an asynchronous context manager: at the end nothing of it is left.
    """

    def __init__(self, work: Coroutine[Any, Any, T], receive: Receive) -> None:
        self._moved = asyncio.Event()
        self._stopped: Exception | None = None
        self._within = work, _gone(receive)
        self._work = asyncio.create_task(self._waking(work))
        self._client = asyncio.create_task(self._waking(self._within[1]))
        for task in (self._work, self._client):
            task.add_done_callback(lambda _: self._moved.set())  # even if it never began

    async def __aenter__(self) -> Attended[T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in (self._work, self._client):
            task.cancel()
        # What it raises has been raised to who waited, or nobody wants to know any more.
        await asyncio.gather(self._work, self._client, return_exceptions=True)
        for within in self._within:
            within.close()  # of a task that was cancelled before it began

    @property
    def done(self) -> bool:
        """Whether the work is done."""
        return self._work.done()

    def notice(self) -> None:
        """Wake whoever waits."""
        self._moved.set()

    def stop(self, error: Exception) -> None:
        """Have whoever waits raise `error`, unless the work is done."""
        self._stopped = error
        self._moved.set()

    async def _waking(self, work: Coroutine[Any, Any, R]) -> R:
        try:
            return await work
        finally:
            # Whoever waits goes on in the next turn of the loop, and not in the one after that.
            self._moved.set()

    async def moved(self, seconds: float | None = None) -> bool:
        """Wait until something happens; False where nothing did for so many seconds.

        Raises:
            ClientGoneError: the client has gone before the work was done.
            Exception: what `stop` was given.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return False
        self._moved.clear()
        if not self.done:
            if self._stopped is not None:
                raise self._stopped
            if self._client.done():
                raise ClientGoneError
        return True

    async def result(self) -> T:
        """What the work returns; raises what it raises, and see `moved`."""
        while not self.done:
            await self.moved()
        return self._work.result()


async def _gone(receive: Receive) -> None:
    """Returns when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
