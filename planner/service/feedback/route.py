"""`POST /v1/feedback`: the HTTP side of `planner.service.feedback.feedback`."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from executor.errors import InputError
from planner.service.feedback.feedback import Feedback, UnknownAnswerError
from planner.service.http.faults import ENGINE_RETRY, SERVER, RequestError, invalid
from planner.service.http.limits import read_json
from planner.service.http.responses import ErrorResponse
from planner.service.http.settings import Settings

_ERRORS: dict[int | str, str] = {
    400: "a field is wrong",
    404: "no such answer, too long ago, or cut short by its deadline",
    408: "the body took too long",
    413: "the body is too large",
    415: "the body is not JSON by its content type",
    503: "the store cannot be written; Retry-After says when to tell it again",
}

_SECONDS = 5.0  # that a client waits for the store; one told later is told again


class Told(BaseModel):
    """What a client says of an answer."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="`id` of the response that is told of", max_length=200)
    right: StrictBool = Field(description="whether its answer was right")


class Noted(Told):
    """What was noted."""

    object: Literal["feedback"]
    counts: bool = Field(
        description="whether it is evidence for the next fit; else nothing is kept"
    )
    reason: str | None = Field(description="why it does not count")


def feedback_router(feedback: Feedback, settings: Settings | None = None) -> APIRouter:
    """The route; what the client got wrong is raised, for the application to answer.

    Args:
        feedback: is told.
        settings: of the server: how long a body may take.
    """
    router = APIRouter()
    seconds = (settings or Settings()).body_seconds

    @router.post(
        "/v1/feedback",
        response_model=Noted,
        responses={
            status: {"model": ErrorResponse, "description": words}
            for status, words in _ERRORS.items()
        },
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": Told.model_json_schema()}}}},
    )  # fmt: skip
    async def tell(request: Request) -> dict[str, Any]:
        """Store that an answer was right or wrong; told again, the last word counts."""
        body = await read_json(request, seconds)
        try:
            told = Told.model_validate_json(body)
        except ValidationError as error:
            raise invalid(error.errors(include_url=False, include_context=False)[0]) from None
        try:
            async with asyncio.timeout(_SECONDS):
                reason = await asyncio.wrap_future(feedback.submit(told.id, right=told.right))
        except UnknownAnswerError as error:
            raise RequestError(404, str(error), param="id", code="answer_not_found") from None
        except (InputError, TimeoutError) as error:
            raise RequestError(
                503, "the store cannot be written now; tell it again later",
                kind=SERVER, code="store_unavailable", retry_after=ENGINE_RETRY,
            ) from error  # fmt: skip
        return {
            "object": "feedback", "id": told.id, "right": told.right,
            "counts": reason is None, "reason": reason,
        }  # fmt: skip

    return router
