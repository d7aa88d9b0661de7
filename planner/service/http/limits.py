"""What the body of a request may take: bytes and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope

from planner.service.http.faults import ClientGoneError, RequestError


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
