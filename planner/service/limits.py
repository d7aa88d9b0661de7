"""What one request may take: bytes of its body, and places in a bounded queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from planner.service.faults import OVERLOADED, ClientGoneError, RequestError

_LONGEST_RETRY = 60.0
# Weight of the newest answer in the mean time an answer takes.
_NEWEST = 0.1


@dataclass(slots=True)
class Places:
    """The places of one request that wait for their turn."""

    left: int


class Queue:
    """Bounds what is under way: `concurrency` questions are answered, `room` more may wait.

    Questions come to their turn in the order they came. Whoever finds no room is refused at once,
    and told when there is likely to be some.

    Attributes:
        waiting, running: questions, now.
    """

    def __init__(self, concurrency: int, room: int) -> None:
        self.concurrency = concurrency
        self.room = room
        self.waiting = 0
        self.running = 0
        self._turns = asyncio.Semaphore(concurrency)
        self._seconds: float | None = None

    @property
    def capacity(self) -> int:
        """Questions that it holds in all."""
        return self.concurrency + self.room

    @contextmanager
    def places(self, questions: int) -> Iterator[Places]:
        """Places for the questions of one request, all or none; each is given back when its
        question's turn ends.

        Raises:
            RequestError: 429 where there are not as many now, 400 where there never will be.
        """
        if questions > self.capacity:
            raise RequestError(
                400, f"prompt: {questions} of them; this server takes at most {self.capacity}",
                param="prompt", code="too_many_prompts",
            )  # fmt: skip
        if self.waiting + self.running + questions > self.capacity:
            raise RequestError(
                429, "the queue is full; ask again later",
                kind=OVERLOADED, code="queue_full", retry_after=self.retry_after(),
            )  # fmt: skip
        self.waiting += questions
        places = Places(questions)
        try:
            yield places
        finally:
            self.waiting -= places.left

    @asynccontextmanager
    async def turn(self, places: Places) -> AsyncIterator[float]:
        """A question's turn, for which it has a place; yields the seconds it has waited."""
        came = time.perf_counter()
        async with self._turns:
            began = time.perf_counter()
            places.left -= 1
            self.waiting -= 1
            self.running += 1
            try:
                yield began - came
            finally:
                self.running -= 1
            # Of what failed the time says nothing: an engine that is lost fails at once.
            self._learn(time.perf_counter() - began)

    def retry_after(self) -> float:
        """Seconds until a place is likely to be free: a turn of all that wait before it."""
        if self._seconds is None:
            return 1.0
        rounds = (self.waiting + 1) / self.concurrency
        return min(_LONGEST_RETRY, rounds * self._seconds)

    def _learn(self, seconds: float) -> None:
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + _NEWEST * (seconds - before)


def bounded(scope: Scope, receive: Receive, most: int) -> Receive:
    """What a request's body is received by, up to so many bytes.

    Raises:
        RequestError: 413, at once where the head says that it is longer, else when it is.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > most:
            raise _too_large(most)
    read = 0

    async def receiving() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise _too_large(most)
        return message

    return receiving


async def read_json(request: Request, seconds: float) -> bytes:
    """The body of a request, of bounded length (see `bounded`).

    Raises:
        RequestError: it is not JSON by its content type (415), or too slow (408).
        ClientGoneError: the client went before it had sent all.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # Nothing else may do: a page of another site can send plain text here, but not JSON.
    if kind != "application/json":
        raise RequestError(
            415, "the content type must be application/json", code="unsupported_media_type"
        )
    try:
        async with asyncio.timeout(seconds):
            return await request.body()
    except TimeoutError:
        raise RequestError(
            408, "the body took too long to come",
            code="request_timeout", headers={"Connection": "close"},
        ) from None  # fmt: skip
    except ClientDisconnect:
        raise ClientGoneError from None


def _too_large(most: int) -> RequestError:
    return RequestError(
        413, f"the body must have at most {most} bytes",
        code="request_too_large", headers={"Connection": "close"},
    )  # fmt: skip
