"""The middleware of every request: it checks the key, answers errors, and logs the request."""

from __future__ import annotations

import re
import time
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from planner.service.http.faults import RequestError
from planner.service.http.keys import KEYLESS_PATHS
from planner.service.http.limits import limit_body
from planner.service.http.request_handler import Exchange, RequestHandler
from planner.service.http.settings import is_loopback

EXCHANGE_KEY = "apportion.exchange"
"""Key of the `Exchange` in the scope of a request."""
_CLIENT_CLOSED_REQUEST = 499
_UNLOGGED_PATHS = KEYLESS_PATHS | {"/metrics"}
# A name or an IPv4 address, or an IPv6 address in brackets; then the port.
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<name>[^:]*))(?::[0-9]*)?")
# An identifier as tracing systems make them, and not a sentence: it is written to the log.
_CLIENT_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


class ServiceMiddleware:
    """Wraps the application in keys, errors, metrics and the log."""

    def __init__(self, app: ASGIApp, handler: RequestHandler) -> None:
        self._app = app
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = scope[EXCHANGE_KEY] = Exchange(token_hex(12), client_id=_client_id(scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                header = (b"x-request-id", (exchange.client_id or exchange.id).encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        try:
            exchange.key = self._check_key(scope)
            limited = limit_body(scope, receive, self._handler.settings.max_body)
            await self._app(scope, limited, send_with_id)
        except Exception as error:
            # uvicorn would log the error with its message, which may quote a question.
            fault = self._handler.record_failure(exchange, error)
            if fault is not None and exchange.status is None:
                await fault.response()(scope, receive, send_with_id)
        finally:
            self._record(scope, exchange)

    def _check_key(self, scope: Scope) -> int | None:
        """Return the index of the request's key; None if it needs none."""
        if self._handler.settings.local_only and not _has_local_host(scope):
            raise RequestError(
                403,
                "this server only answers requests to localhost; to allow others, start it with "
                "--api-keys",
                code="wrong_host",
            )
        keys = self._handler.settings.keys
        if keys is None or scope["path"] in KEYLESS_PATHS:
            return None
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) == 1 and (key := keys.match(given[0])) is not None:
            return key
        api = scope["path"].startswith("/v1/")
        raise RequestError(
            401,
            "incorrect API key" if given else "no API key; send it as Authorization: Bearer KEY",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer" if api else 'Basic realm="apportion"'},
        )

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        """Count the request, and log it unless it is a routine probe."""
        seconds = time.perf_counter() - exchange.started_at
        client_gone = exchange.error == "client_gone"
        status = _CLIENT_CLOSED_REQUEST if client_gone else exchange.status
        status = status or _CLIENT_CLOSED_REQUEST
        # The path of the route is logged: that of the request may hold anything.
        path = getattr(scope.get("route"), "path", "other")
        own_seconds = seconds - exchange.waited
        self._handler.metrics.count_request(path, status, seconds, own_seconds)
        self._handler.traffic.count_request(status)
        if path in _UNLOGGED_PATHS and status == 200:
            return
        log = self._handler.log
        log.info(
            "request",
            request=exchange.id,
            method=scope["method"] if scope["method"].isalpha() else "other",
            path=path,
            status=status,
            seconds=round(seconds, 6),
            own_seconds=round(own_seconds, 6),
            **exchange.log_fields(prompts=log.prompts),
        )


def _client_id(scope: Scope) -> str | None:
    """Return the request's id given by the client; None if it gives none or not a plain word."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    valid = len(given) == 1 and _CLIENT_REQUEST_ID.fullmatch(given[0])
    return given[0].decode() if valid else None


def _has_local_host(scope: Scope) -> bool:
    """Return whether the Host header is an address or name of this machine itself."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    parts = _HOST.fullmatch(hosts[0].decode("latin-1").lower())
    return parts is not None and is_loopback(parts["ipv6"] or parts["name"])
