"""Server-sent events: the progress of the search, then the chosen answer.

Nothing of an answer is sent before the answer is chosen: the client could not unread it. While the
search goes on, progress is sent in comments (`: apportion {"stage": ...}`), which every client of
server-sent events skips. If a request asks for `progress`, it is sent in chunks instead. Such
chunks have no choices, and most programs read `chunk.choices[0]`, which would fail on them; so they
are sent on request only.

The first event fixes the status at 200. A later error is sent as an event with `error`, and the
stream ends without `[DONE]`. So the first event is held back for a moment: if an engine is already
lost, the client gets a plain 503.

The framing is ours and not sse-starlette's: its `EventSourceResponse` sends the status before the
first event is there, which rules out the plain 503; it watches for disconnection and sends pings in
tasks of its own beside `ClientTask`; and it sends chunks one by one, which costs more than all
other work on them (see `_BATCH`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import asdict

from starlette.types import Send

from planner.service.answering.answerer import QueryProgress, QueryResult
from planner.service.http.client_task import ClientTask
from planner.service.http.faults import ClientGoneError, to_request_error
from planner.service.http.writing import Writer

_HEARTBEAT = b": alive\n\n"
# Seconds for which the first event is held back.
_HOLD_SECONDS = 0.2
# Seconds between two progress events of one stage.
_PROGRESS_SECONDS = 0.1
# Chunks of the answer that are sent together.
_BATCH = 64

OnFailure = Callable[[Exception], None]


class LatestProgress:
    """Keeps the newest progress that was not sent: slow clients get less of it, and none late."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._progress: QueryProgress | None = None
        self._stage: str | None = None
        self._next_at = time.perf_counter() + _HOLD_SECONDS

    def report(self, progress: QueryProgress) -> None:
        """Keep the progress in place of the last one, if that was not sent, and call `wake`."""
        self._progress = progress
        self.wake()

    def seconds_until_due(self) -> float | None:
        """Return the seconds until there is progress to send; None: there is none to send."""
        if self._progress is None:
            return None
        if self._stage is not None and self._progress.stage != self._stage:
            return 0.0
        return max(0.0, self._next_at - time.perf_counter())

    def take(self) -> QueryProgress:
        """Return the progress that is due, and forget it."""
        progress, self._progress = self._progress, None
        assert progress is not None
        self._stage, self._next_at = progress.stage, time.perf_counter() + _PROGRESS_SECONDS
        return progress


async def send_events(
    writer: Writer,
    task: ClientTask[tuple[QueryResult, ...]],
    latest: LatestProgress,
    send: Send,
    *,
    heartbeat: float,
    on_failure: OnFailure,
) -> None:
    """Send the events of one request.

    Args:
        writer: writes the chunks.
        task: answers the request.
        latest: progress of the task.
        send: the ASGI channel to the client.
        heartbeat: seconds of silence after which a comment is sent.
        on_failure: called with an error after the first event; an earlier error is raised.
    """
    latest.wake = task.wake
    events = _EventStream(send)
    try:
        while not task.done:
            due = latest.seconds_until_due()
            if due == 0.0:
                await events.send(_progress_event(writer, latest.take()))
            elif not await task.wait(heartbeat if due is None else due) and due is None:
                await events.send(_HEARTBEAT)
        results = await task.result()
        written = writer.events(results)
        while batch := list(itertools.islice(written, _BATCH)):
            await events.send(b"".join(batch))
            # `send` only waits if the client is slow; this lets other tasks run in any case.
            await asyncio.sleep(0)
        await events.end(writer.end)
    except Exception as error:
        if not events.started:
            raise
        on_failure(error)
        if not isinstance(error, ClientGoneError):
            await events.end(writer.failure(to_request_error(error)))


class _EventStream:
    """The body of a response that starts with its first event."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def send(self, data: bytes) -> None:
        if not self.started:
            self.started = True
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


def _progress_event(writer: Writer, progress: QueryProgress) -> bytes:
    if writer.request.progress:
        return writer.progress(progress)
    return b": apportion " + json.dumps(asdict(progress)).encode() + b"\n\n"
