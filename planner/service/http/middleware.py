"""What every request passes: the key is looked at, what fails is answered, and all is noted."""

from __future__ import annotations

import re
import time
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.service.answering.request_handler import Desk, Exchange
from planner.service.http.faults import RequestError
from planner.service.http.keys import OPEN
from planner.service.http.limits import bounded
from planner.service.http.settings import is_loopback

EXCHANGE = "apportion.exchange"
"""Where the scope of a request holds its `Exchange`."""
_GONE = 499
_QUIET = OPEN | {"/metrics"}
# A word that tracing systems make, and no sentence: it is written to the log.
_NAME = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


class Door:
    """The application behind keys, errors, metrics and the log."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[EXCHANGE] = Exchange(token_hex(12), named=_named(scope))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                name = (b"x-request-id", (exchange.named or exchange.id).encode())
                message = {**message, "headers": [*message["headers"], name]}
            await send(message)

        try:
            exchange.key = self._admit(scope)
            bounds = bounded(scope, receive, self._desk.settings.max_body)
            await self._app(scope, bounds, sending)
        except Exception as error:
            # Beyond here it would be logged with its message, which may quote a question.
            fault = self._desk.failed(exchange, error)
            if fault is not None and exchange.status is None:
                await fault.response()(scope, receive, sending)
        finally:
            self._note(scope, exchange)

    def _admit(self, scope: Scope) -> int | None:
        """Which key a request came with; None where it needs none."""
        if self._desk.settings.only_here and not _is_here(scope):
            raise RequestError(
                403, "this server answers requests to localhost only; one with --api-keys others",
                code="wrong_host",
            )  # fmt: skip
        keys = self._desk.settings.keys
        if keys is None or scope["path"] in OPEN:
            return None
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and (key := keys.admit(given[0])) is not None:
            return key
        api = scope["path"].startswith("/v1/")
        raise RequestError(
            401,
            "incorrect API key" if given else "no API key; send it as Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer" if api else 'Basic realm="apportion"'},
        )

    def _note(self, scope: Scope, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.began
        status = _GONE if exchange.error == "client_gone" else exchange.status or _GONE
        # The path of the route: a request's own may hold anything.
        path = getattr(scope.get("route"), "path", "other")
        self._desk.metrics.request(path, status, seconds, seconds - exchange.away)
        self._desk.traffic.request(status)
        if path in _QUIET and status == 200:
            return
        log = self._desk.log
        log.info(
            "request",
            request=exchange.id,
            method=scope["method"] if scope["method"].isalpha() else "other",
            path=path,
            status=status,
            seconds=round(seconds, 6),
            own_seconds=round(seconds - exchange.away, 6),
            **exchange.fields(prompts=log.prompts),
        )


def _named(scope: Scope) -> str | None:
    """What the client calls its request; None where it does not, or by no plain word."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    return given[0].decode() if len(given) == 1 and _NAME.fullmatch(given[0]) else None


def _is_here(scope: Scope) -> bool:
    """Whether the Host header is an address or name of this machine itself."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    name = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
    name = name[: name.rindex(":")] if name.rpartition(":")[2].isdigit() else name
    return is_loopback(name.removeprefix("[").removesuffix("]"))
