"""Connections whose client does not read: they are closed, so that they hold no place for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.auto import AutoHTTPProtocol


def impatient(seconds: float, let_go: Callable[[], None]) -> type[asyncio.Protocol]:
    """The protocol by which uvicorn speaks HTTP, closing a connection where writing stands still.

    What is sent beyond a transport's buffer waits until the client has read of it. A client that
    reads slowly may take as long as it likes, one that reads nothing for so many seconds is gone:
    the application learns of it as of any other that has gone.

    Args:
        seconds: without a byte that could be written.
        let_go: told of each connection that is closed for it.
    """

    class Impatient(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        _watch: asyncio.TimerHandle | None = None
        _unread = 0

        def pause_writing(self) -> None:
            """The buffer is full."""
            super().pause_writing()
            self._look()

        def resume_writing(self) -> None:
            """There is room in it."""
            self._stop()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            """The connection has ended."""
            self._stop()
            super().connection_lost(exc)

        def _look(self) -> None:
            self._unread = self.transport.get_write_buffer_size()
            self._watch = self.loop.call_later(seconds, self._judge)

        def _judge(self) -> None:
            if self.transport.get_write_buffer_size() < self._unread:
                self._look()
            else:
                self.transport.abort()
                let_go()

        def _stop(self) -> None:
            if self._watch is not None:
                self._watch.cancel()
                self._watch = None

    return Impatient
