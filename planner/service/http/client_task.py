"""Work for a client that may close its connection, in a server that may shut down."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

from starlette.types import Receive

from planner.service.http.faults import ClientGoneError

T = TypeVar("T")
R = TypeVar("R")


class ClientTask(Generic[T]):
    """A coroutine that runs while its client is connected, and is cancelled when the client goes.

    Three events wake the waiting caller: the work is done, the client has gone, or `wake` was
    called. Use it as an asynchronous context manager: at the end nothing of it is left running.

    Args:
        work: the coroutine.
        receive: the ASGI channel by which the client's disconnection is reported.
    """

    def __init__(self, work: Coroutine[Any, Any, T], receive: Receive) -> None:
        self._woken = asyncio.Event()
        self._stop_error: Exception | None = None
        self._coroutines = work, _wait_for_disconnect(receive)
        self._work = asyncio.create_task(self._wake_after(work))
        self._disconnect = asyncio.create_task(self._wake_after(self._coroutines[1]))
        for task in (self._work, self._disconnect):
            task.add_done_callback(lambda _: self._woken.set())  # also if it never started

    async def __aenter__(self) -> ClientTask[T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in (self._work, self._disconnect):
            task.cancel()
        # An error of the work was raised to the caller already, or nobody waits for it any more.
        await asyncio.gather(self._work, self._disconnect, return_exceptions=True)
        for coroutine in self._coroutines:
            coroutine.close()  # if its task was cancelled before it started

    @property
    def done(self) -> bool:
        """Whether the work is done."""
        return self._work.done()

    def wake(self) -> None:
        """Wake the waiting caller."""
        self._woken.set()

    def stop(self, error: Exception) -> None:
        """Make the waiting caller raise `error`, unless the work is done."""
        self._stop_error = error
        self._woken.set()

    async def _wake_after(self, coroutine: Coroutine[Any, Any, R]) -> R:
        try:
            return await coroutine
        finally:
            # The caller continues in the next iteration of the event loop; the done callback alone
            # would wake it one iteration later.
            self._woken.set()

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait for an event.

        Args:
            seconds: most seconds to wait; None: no limit.

        Returns:
            Whether there was an event in time.

        Raises:
            ClientGoneError: the client has gone before the work was done.
            Exception: the error that `stop` was called with.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        if not self.done:
            if self._stop_error is not None:
                raise self._stop_error
            if self._disconnect.done():
                raise ClientGoneError
        return True

    async def result(self) -> T:
        """Return the result of the work; raise its error, or those of `wait`."""
        while not self.done:
            await self.wait()
        return self._work.result()


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
