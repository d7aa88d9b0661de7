"""Closes connections whose client does not read, so that they hold no resources for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.auto import AutoHTTPProtocol


def protocol_with_write_timeout(
    seconds: float, on_timeout: Callable[[], None]
) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP protocol with a limit on how long writing may stand still.

    Data beyond the transport's buffer waits until the client has read some of it. A client that
    reads slowly may take as long as it likes. If it reads nothing for `seconds`, its connection is
    closed, which the application sees as any other disconnection.

    Args:
        seconds: longest time without a byte written.
        on_timeout: called for each connection that is closed for this reason.
    """

    class WriteTimeoutProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
        _timer: asyncio.TimerHandle | None = None
        _unread_bytes = 0

        def pause_writing(self) -> None:
            """Start the timer: the buffer is full."""
            super().pause_writing()
            self._start_timer()

        def resume_writing(self) -> None:
            """Stop the timer: there is room in the buffer."""
            self._stop_timer()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            """Stop the timer: the connection has ended."""
            self._stop_timer()
            super().connection_lost(exc)

        def _start_timer(self) -> None:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self._timer = self.loop.call_later(seconds, self._check)

        def _check(self) -> None:
            if self.transport.get_write_buffer_size() < self._unread_bytes:
                self._start_timer()
            else:
                self.transport.abort()
                on_timeout()

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return WriteTimeoutProtocol
