"""Server-sent events: how far the search is, then the answer that was chosen.

Nothing of an answer is sent before it is chosen: what a client has read cannot be taken back.
While the search goes on, progress comes as comments (`: apportion {"stage": ...}`), which every
client of server-sent events skips. Only who asks for `progress` gets it as chunks, since they have
no choices: a loop over `chunk.choices[0]`, which most programs have, fails on them. With the first
event the status is 200, whatever happens: a fault then comes as an event with `error`, and the
stream ends without `[DONE]`. So the first event waits a little: an engine that is lost already is a
plain 503.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.types import Send

from planner.service.answering.answerer import Answered, Progress
from planner.service.answering.client_task import Attended
from planner.service.http.faults import ClientGoneError, fault_of
from planner.service.http.response_formats import Writer

_DONE = b"data: [DONE]\n\n"
_ALIVE = b": alive\n\n"
# Seconds: before the first event, and between two of one stage.
_HOLD = 0.2
_PACE = 0.1
# Events that are sent at once: one by one they cost more than all else.
_BATCH = 64

Failed = Callable[[Exception], None]


class Latest:
    """The newest progress that was not told yet: a slow client gets less of it, not later."""

    def __init__(self) -> None:
        self.notice: Callable[[], None] = lambda: None
        self._progress: Progress | None = None
        self._stage: str | None = None
        self._next = time.perf_counter() + _HOLD

    def report(self, progress: Progress) -> None:
        """Keep it, in place of what was not told."""
        self._progress = progress
        self.notice()

    def due(self) -> float | None:
        """Seconds until there is something to tell; None: there is nothing."""
        if self._progress is None:
            return None
        if self._stage is not None and self._progress.stage != self._stage:
            return 0.0
        return max(0.0, self._next - time.perf_counter())

    def take(self) -> Progress:
        """What is to be told now."""
        progress, self._progress = self._progress, None
        assert progress is not None
        self._stage, self._next = progress.stage, time.perf_counter() + _PACE
        return progress


async def stream(
    writer: Writer,
    work: Attended[tuple[Answered, ...]],
    latest: Latest,
    send: Send,
    *,
    heartbeat: float,
    failed: Failed,
) -> None:
    """Send the events of one request.

    Args:
        writer: writes its chunks.
        work: answers it.
        latest: its progress.
        send: of the application.
        heartbeat: seconds of silence after which a comment says that the stream is alive.
        failed: told of what goes wrong after the first event; what does before is raised.
    """
    latest.notice = work.notice
    events = _Events(send)
    try:
        while not work.done:
            due = latest.due()
            if due == 0.0:
                await events.send(_progress(writer, latest.take()))
            elif not await work.moved(heartbeat if due is None else due) and due is None:
                await events.send(_ALIVE)
        answers = await work.result()
        chunks = writer.chunks(answers)
        while batch := list(itertools.islice(chunks, _BATCH)):
            await events.send(b"".join(map(_event, batch)))
            await asyncio.sleep(0)  # sending waits for slow clients only: others get their turn
        await events.end(_DONE)
    except Exception as error:
        if not events.begun:
            raise
        failed(error)
        if not isinstance(error, ClientGoneError):
            await events.end(_event(fault_of(error).record()))


class _Events:
    """The body of a response that begins with its first event."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def send(self, data: bytes) -> None:
        if not self.begun:
            self.begun = True
            headers = [
                (b"content-type", b"text/event-stream; charset=utf-8"),
                (b"cache-control", b"no-cache"),
                (b"x-accel-buffering", b"no"),
            ]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes) -> None:
        await self.send(data)
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _progress(writer: Writer, progress: Progress) -> bytes:
    if writer.asked.progress:
        return _event(writer.progress(progress))
    return b": apportion " + json.dumps(asdict(progress)).encode() + b"\n\n"


def _event(record: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(record).encode() + b"\n\n"
