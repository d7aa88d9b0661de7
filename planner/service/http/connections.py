"""Bounds on what a connection may cost before a request is there, and after its response is made.

A key is looked at once the head of a request is complete, so what comes before needs bounds of its
own: bytes and seconds of a head, and connections of one client. A client that does not read its
response holds resources too, and is let go.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from planner.service.http.faults import RequestError

HEAD_TOO_LARGE, HEAD_TOO_SLOW, TOO_MANY, UNREAD = (
    "head_too_large", "head_too_slow", "too_many_connections", "unread",
)  # fmt: skip
# Most bytes around one byte of a body: clients may send it in very small chunks.
_FRAMING = 8


@dataclass(frozen=True, slots=True)
class ConnectionBounds:
    """Bounds of every connection of a server, and which connections clients hold.

    Attributes:
        head_bytes: most bytes of a request besides its body.
        head_seconds: most seconds until a head is complete, from the connection or, if it is not
            the first, from its first byte; and until the rest of a body has come whose request is
            answered already.
        write_seconds: longest time without a byte written while the client's buffer is full.
        per_client: most connections of one client: an IPv4 address, or a /64 network of IPv6.
        on_closed: called with the reason for each connection that is closed for going beyond them.
        held: connections by client, oldest first.
    """

    head_bytes: int
    head_seconds: float
    write_seconds: float
    per_client: int
    on_closed: Callable[[str], None]
    held: dict[str, dict[BoundedProtocol, None]] = field(default_factory=dict)

    def protocol(self) -> type[asyncio.Protocol]:
        """Return uvicorn's protocol with these bounds."""
        return type("Bounded", (BoundedProtocol,), {"bounds": self})


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds; see `ConnectionBounds`.

    The parser itself has none: it joins the pieces of a header that comes in many, each time anew.
    """

    bounds: ClassVar[ConnectionBounds]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._client_key: str | None = None
        self._awaits_head = True  # whether the next bytes are of a head
        self._beside_body = 0  # bytes of the request so far that are not of its body
        self._body_bytes = 0
        self._completed = False  # whether a request ended in the piece that is being parsed
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = 0

    # Connections of a client

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection; at the bound it takes the place of one that says nothing."""
        super().connection_made(transport)
        self._start_head_timer()
        if self.client is None:  # a Unix socket
            return
        self._client_key = client_of(self.client[0])
        held = self.bounds.held.setdefault(self._client_key, {})
        held[self] = None
        if len(held) > self.bounds.per_client:
            # If all are at work, it is the new one that has to go.
            silent = next((one for one in held if one.silent), self)
            silent.drop(TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and stop its timers."""
        self._forget()
        self._stop_head_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    @property
    def silent(self) -> bool:
        """Whether no request of the connection has come that is not answered."""
        return self.cycle is None or self.cycle.response_complete

    def drop(self, reason: str) -> None:
        """Close the connection at once."""
        self._forget()
        self.transport.abort()
        self.bounds.on_closed(reason)

    def _forget(self) -> None:
        held = self.bounds.held.get(self._client_key or "")
        if held is not None:
            held.pop(self, None)
            if not held:
                del self.bounds.held[self._client_key or ""]

    # Heads

    def data_received(self, data: bytes) -> None:
        """Parse the data in pieces, until a head goes beyond its bound."""
        size = self.bounds.head_bytes
        for start in range(0, len(data), size):
            if self.transport.is_closing():
                return
            piece = data[start : start + size] if len(data) > size else data
            body_before, self._completed = self._body_bytes, False
            super().data_received(piece)
            if self._completed:
                self._beside_body = 0
            else:
                self._beside_body += len(piece) - (self._body_bytes - body_before)
            if self._beside_body > size + _FRAMING * self._body_bytes:
                self._refuse(
                    RequestError(
                        431, f"the head of a request must have at most {size} bytes",
                        code="head_too_large",
                    ),
                    HEAD_TOO_LARGE,
                )  # fmt: skip
                return
        if self._head_timer is None and self.silent and not self.transport.is_closing():
            # A part of a head, or of a body that nobody reads any more.
            self._start_head_timer()

    def on_headers_complete(self) -> None:
        """Stop the timer: the head is there."""
        self._stop_head_timer()
        self._awaits_head = False
        self._body_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the bytes of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Await the next head."""
        self._completed = self._awaits_head = True
        self._body_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Do not wait for ever for the rest of a body that nobody reads."""
        super().on_response_complete()
        if not self._awaits_head and not self.transport.is_closing():
            self._start_head_timer()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.bounds.head_seconds, self._late)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _late(self) -> None:
        self._head_timer = None
        if not self.silent or self.transport.is_closing():
            return  # what came meanwhile is a request that is being answered
        self._refuse(
            RequestError(408, "the head of the request took too long", code="request_timeout"),
            HEAD_TOO_SLOW,
        )

    def _refuse(self, error: RequestError, reason: str) -> None:
        """Say why, unless there is nothing to answer or another response goes on; then close."""
        if self._awaits_head and self._beside_body and self.silent:
            body = json.dumps(error.record()).encode()
            head = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
            self.transport.write(
                STATUS_LINE[error.status] + head + b"connection: close\r\n\r\n" + body
            )
            self._forget()
            self.transport.close()
            self.bounds.on_closed(reason)
        else:
            self.drop(reason)

    # Responses

    def pause_writing(self) -> None:
        """Start the timer: the buffer is full.

        A client that reads slowly may take as long as it likes. If it reads nothing, its connection
        is closed, which the application sees as any other disconnection.
        """
        super().pause_writing()
        self._start_write_timer()

    def resume_writing(self) -> None:
        """Stop the timer: there is room in the buffer."""
        self._stop_write_timer()
        super().resume_writing()

    def _start_write_timer(self) -> None:
        self._unread_bytes = self.transport.get_write_buffer_size()
        self._write_timer = self.loop.call_later(self.bounds.write_seconds, self._check_written)

    def _check_written(self) -> None:
        if self.transport.get_write_buffer_size() < self._unread_bytes:
            self._start_write_timer()
        else:
            self.drop(UNREAD)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None


def client_of(host: str) -> str:
    """Return the name of the client at an address: who has one IPv6 address has a network of them.

    Args:
        host: an IPv4 or IPv6 address, or another name, which stands for itself: a proxy on a Unix
            socket may say `unix:`.
    """
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
