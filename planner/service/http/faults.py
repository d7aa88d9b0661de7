"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from executor.errors import EngineError, InputError, StoreError, one_line
from planner.service.answering.answerer import (
    ContextExceededError,
    DeadlineExceededError,
    FieldError,
)
from planner.service.queue.fair_queue import (
    QueueFullError,
    TooManyQuestionsError,
    TurnTimeoutError,
)

INVALID = "invalid_request_error"
OVERLOADED = "rate_limit_error"
SERVER = "server_error"

_LONGEST = 1000  # characters of a message; some quote the request
ENGINE_RETRY_SECONDS = 5
"""Seconds after which a client may ask again if an engine was lost."""


class RequestError(Exception):
    """A request that gets an error as its response.

    Args:
        status: HTTP status of the response.
        message: one line.
        param: the field of the request that is at fault.
        code: identifier for programs.
        kind: OpenAI's `type` of the error.
        retry_after: seconds after which the client should ask again.
        headers: further headers of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        kind: str = INVALID,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = one_line(message, _LONGEST)
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    def record(self) -> dict[str, Any]:
        """Return the body of the response."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> Response:
        """Return the response."""
        return Response(
            json.dumps(self.record()).encode(),
            self.status,
            headers=self.headers,
            media_type="application/json",
        )


class ClientGoneError(Exception):
    """The client has closed its connection; nobody is left to answer."""


def to_request_error(error: Exception) -> RequestError:
    """Return the response to an error; that of an unexpected error quotes nothing of it."""
    match error:
        case RequestError():
            return error
        case QueueFullError():
            return RequestError(
                429, str(error),
                kind=OVERLOADED, code="queue_full", retry_after=error.retry_after,
            )  # fmt: skip
        case TooManyQuestionsError():
            return RequestError(400, str(error), param="prompt", code="too_many_prompts")
        case ContextExceededError():
            return RequestError(400, str(error), param=error.param, code="context_length_exceeded")
        case FieldError():
            return RequestError(400, str(error), param=error.param, code="invalid_value")
        case StoreError() | SQLAlchemyError():
            return store_unavailable()
        case InputError():
            return RequestError(400, str(error), code="invalid_value")
        case EngineError():
            return RequestError(
                503, "the engine is not available; ask again later",
                kind=SERVER, code="engine_unavailable", retry_after=ENGINE_RETRY_SECONDS,
            )  # fmt: skip
        case TurnTimeoutError():
            return _deadline_exceeded(error.retry_after)
        case DeadlineExceededError():
            return _deadline_exceeded(ENGINE_RETRY_SECONDS)
        case HTTPException():
            return _from_http_exception(error)
        case RequestValidationError():
            return from_validation_error(error.errors()[0])
        case _:
            return RequestError(
                500, "the server failed on this request", kind=SERVER, code="internal"
            )


def shutting_down() -> RequestError:
    """Return the response to a request that comes while the server shuts down."""
    return RequestError(
        503, "the server is shutting down", kind=SERVER, code="shutting_down", retry_after=5,
        headers={"Connection": "close"},
    )  # fmt: skip


def store_unavailable(message: str = "the store is not available") -> RequestError:
    """Return the response to a request that needs the store; why it fails is for the log alone."""
    return RequestError(
        503, f"{message}; ask again later",
        kind=SERVER, code="store_unavailable", retry_after=ENGINE_RETRY_SECONDS,
    )  # fmt: skip


def not_ready(reason: str) -> RequestError:
    """Return the response to a readiness probe if questions cannot be answered now."""
    return RequestError(
        503, reason, kind=SERVER, code="not_ready", retry_after=ENGINE_RETRY_SECONDS
    )


def invalid(param: str, reason: str) -> RequestError:
    """Return the response to a request whose field has a wrong value."""
    return RequestError(400, f"{param}: {reason}", param=param, code="invalid_value")


def from_validation_error(error: Mapping[str, Any], param: str | None = None) -> RequestError:
    """Return the response to an error that pydantic found.

    It quotes nothing of the input except the name of an unknown field.

    Args:
        error: one of pydantic's `errors()`.
        param: the field as clients know it; None: the path of the error names it.
    """
    path, message = error["loc"], str(error["msg"]).removeprefix("Value error, ")
    if param is None:
        param = ".".join(str(part)[:64] for part in path if part != "body")
    match error["type"]:
        case "json_invalid":
            return RequestError(400, f"the body is not JSON: {message}", code="invalid_json")
        case "extra_forbidden":
            unknown = f"unrecognized request argument supplied: {param}"
            return RequestError(400, unknown, param=param, code="unknown_parameter")
    if not param:
        return RequestError(400, message, code="invalid_value")
    return RequestError(400, f"{param}: {message}", param=param, code="invalid_value")


def _deadline_exceeded(retry_after: float) -> RequestError:
    return RequestError(
        503, "max_seconds: the time ran out before any answer was written",
        param="max_seconds", kind=SERVER, code="deadline_exceeded", retry_after=retry_after,
        # OpenAI's clients repeat a request after a 503 by default; here the client set the limit.
        headers={"X-Should-Retry": "false"},
    )  # fmt: skip


def _from_http_exception(error: HTTPException) -> RequestError:
    messages = {
        404: "there is nothing at this path; GET /openapi.json lists the paths",
        405: "this path does not allow this method",
    }
    message = messages.get(error.status_code, HTTPStatus(error.status_code).phrase)
    code = HTTPStatus(error.status_code).name.lower()
    return RequestError(error.status_code, message, code=code, headers=error.headers)
