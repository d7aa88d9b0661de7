"""`POST /v1/feedback`: the HTTP side of `planner.service.feedback.recorder`."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from executor.errors import InputError
from planner.service.feedback.recorder import FeedbackRecorder, UnknownAnswerError
from planner.service.http.faults import (
    RequestError,
    from_validation_error,
    store_unavailable,
)
from planner.service.http.limits import read_json
from planner.service.http.responses import ErrorResponse
from planner.service.http.settings import ServiceSettings

_ERRORS: dict[int | str, str] = {
    400: "a field is wrong",
    404: "there is no such answer, or it is too old, or its deadline cut it short",
    408: "the body took too long",
    413: "the body is too large",
    415: "the body is not JSON by its content type",
    503: "the store cannot be written; Retry-After says when to send it again",
}

_STORE_SECONDS = 5.0  # longest wait of a client for the store; then it has to send again


class FeedbackRequest(BaseModel):
    """A client's verdict on an answer."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="`id` of the response with the answer", max_length=200)
    right: StrictBool = Field(description="whether the answer was right")


class FeedbackResponse(FeedbackRequest):
    """Confirmation of feedback."""

    object: Literal["feedback"]
    counts: bool = Field(
        description="whether it is evidence for the next fit; if not, nothing is kept"
    )
    reason: str | None = Field(description="why it does not count")


def feedback_router(
    feedback: FeedbackRecorder, settings: ServiceSettings | None = None
) -> APIRouter:
    """Return the route; errors are raised, and the application answers them.

    Args:
        feedback: records the verdicts.
        settings: settings of the server; `body_seconds` limits the time of a body.
    """
    router = APIRouter()
    seconds = (settings or ServiceSettings()).body_seconds

    @router.post(
        "/v1/feedback",
        response_model=FeedbackResponse,
        responses={
            status: {"model": ErrorResponse, "description": description}
            for status, description in _ERRORS.items()
        },
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {
            "schema": FeedbackRequest.model_json_schema()}}}},
    )  # fmt: skip
    async def tell(request: Request) -> dict[str, Any]:
        """Store whether an answer was right; if sent again, the last verdict counts."""
        body = await read_json(request, seconds)
        try:
            verdict = FeedbackRequest.model_validate_json(body)
        except ValidationError as error:
            [first, *_] = error.errors(include_url=False, include_context=False)
            raise from_validation_error(first) from None
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                reason = await asyncio.wrap_future(feedback.submit(verdict.id, right=verdict.right))
        except UnknownAnswerError as error:
            raise RequestError(404, str(error), param="id", code="answer_not_found") from None
        except (InputError, TimeoutError) as error:
            raise store_unavailable("the store cannot be written now") from error
        return {
            "object": "feedback", "id": verdict.id, "right": verdict.right,
            "counts": reason is None, "reason": reason,
        }  # fmt: skip

    return router
