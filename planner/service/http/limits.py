"""Limits on the body of a request: its size, its time, and its content type."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from planner.service.http.faults import ClientGoneError, RequestError


def limit_body(scope: Scope, receive: Receive, max_bytes: int) -> Receive:
    """Return a `receive` that refuses a body of more than `max_bytes`.

    Raises:
        RequestError: 413; at once if the head of the request gives a larger size, else when too
            many bytes have come.
    """
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > max_bytes:
            raise _too_large(max_bytes)
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise _too_large(max_bytes)
        return message

    return limited


async def read_json(request: Request, seconds: float) -> bytes:
    """Return the body of a request; `limit_body` limits its size.

    Args:
        request: the request.
        seconds: most seconds that the body may take to arrive.

    Raises:
        RequestError: the content type is not JSON (415), or the body is too slow (408).
        ClientGoneError: the client closed the connection before the body was complete.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    # A page of another site can make a browser send plain text here, but not JSON.
    if kind != "application/json":
        raise RequestError(
            415, "the content type must be application/json", code="unsupported_media_type"
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise RequestError(
            415, "the body must not be packed; leave out the header Content-Encoding",
            code="unsupported_media_type",
        )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            return await request.body()
    except TimeoutError:
        raise RequestError(
            408, "the body took too long to arrive",
            code="request_timeout", headers={"Connection": "close"},
        ) from None  # fmt: skip
    except ClientDisconnect:
        raise ClientGoneError from None


def _too_large(max_bytes: int) -> RequestError:
    return RequestError(
        413, f"the body must have at most {max_bytes} bytes",
        code="request_too_large", headers={"Connection": "close"},
    )  # fmt: skip
