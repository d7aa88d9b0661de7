"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from executor.errors import EngineError, InputError
from planner.service.answering.answerer import LateError, NoRoomError

INVALID = "invalid_request_error"
OVERLOADED = "rate_limit_error"
SERVER = "server_error"

ENGINE_RETRY = 5
"""Seconds after which a client may ask again when an engine was lost."""


class RequestError(Exception):
    """A request that is not answered.

    Args:
        status: of the response.
        message: one line.
        param: the field of the request that is at fault.
        code: a word for programs.
        retry_after: seconds after which it is worth asking again.
        headers: further ones.
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
        self.message = " ".join(message.split())
        self.param = param
        self.code = code
        self.kind = kind
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))

    def record(self) -> dict[str, Any]:
        """The body."""
        error = {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> Response:
        """The response."""
        return Response(
            json.dumps(self.record()).encode(),
            self.status,
            headers=self.headers,
            media_type="application/json",
        )


class ClientGoneError(Exception):
    """The client has closed its connection; nobody is left to answer."""


def fault_of(error: Exception) -> RequestError:
    """What is said of an error; of one that is not expected nothing that it may quote."""
    match error:
        case RequestError():
            return error
        case NoRoomError():
            return RequestError(400, str(error), param=error.param, code="context_length_exceeded")
        case InputError():
            return RequestError(400, str(error), code="invalid_value")
        case EngineError():
            return RequestError(
                503, "the engine is not available; ask again later",
                kind=SERVER, code="engine_unavailable", retry_after=ENGINE_RETRY,
            )  # fmt: skip
        case LateError():
            return late()
        case HTTPException():
            return _http(error)
        case RequestValidationError():
            return invalid(error.errors()[0])
        case _:
            return RequestError(
                500, "the server failed on this request", kind=SERVER, code="internal"
            )


def ending() -> RequestError:
    """What is said while the server ends."""
    return RequestError(
        503, "the server is shutting down", kind=SERVER, code="shutting_down", retry_after=5,
        headers={"Connection": "close"},
    )  # fmt: skip


def invalid(error: Mapping[str, Any], param: str | None = None) -> RequestError:
    """What is said of pydantic's finding, which quotes the input only where it is a field's name.

    Args:
        error: one of its `errors()`.
        param: the field, where its path does not name it as clients know it.
    """
    where, message = error["loc"], str(error["msg"]).removeprefix("Value error, ")
    if param is None:
        param = ".".join(str(part)[:64] for part in where if part != "body")
    match error["type"]:
        case "json_invalid":
            return RequestError(400, f"the body is not JSON: {message}", code="invalid_json")
        case "extra_forbidden":
            said = f"unrecognized request argument supplied: {param}"
            return RequestError(400, said, param=param, code="unknown_parameter")
    if not param:
        return RequestError(400, message, code="invalid_value")
    return RequestError(400, f"{param}: {message}", param=param, code="invalid_value")


def late(retry_after: float = ENGINE_RETRY) -> RequestError:
    """What is said where a request's own time ran out before there was anything to answer with."""
    return RequestError(
        503, "max_seconds: time ran out before anything was written",
        param="max_seconds", kind=SERVER, code="deadline_exceeded", retry_after=retry_after,
        # OpenAI's clients ask again on a 503 unless told otherwise; who set a deadline decides.
        headers={"X-Should-Retry": "false"},
    )  # fmt: skip


def not_ready(why: str) -> RequestError:
    """What is said where questions cannot be answered now."""
    return RequestError(503, why, kind=SERVER, code="not_ready", retry_after=ENGINE_RETRY)


def _http(error: HTTPException) -> RequestError:
    words = {
        404: "there is nothing at this path; GET /openapi.json says what there is",
        405: "this path does not take this method",
    }
    message = words.get(error.status_code, HTTPStatus(error.status_code).phrase)
    code = HTTPStatus(error.status_code).name.lower()
    return RequestError(error.status_code, message, code=code, headers=error.headers)
