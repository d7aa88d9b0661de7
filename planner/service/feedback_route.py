"""`POST /v1/feedback`: the HTTP side of `planner.service.feedback`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from planner.service.feedback import Feedback


class Told(BaseModel):
    """What a client says of an answer."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="`id` of the response that is told of", max_length=200)
    right: StrictBool = Field(description="whether its answer was right")


def feedback_router(feedback: Feedback) -> APIRouter:
    """The route; what the client got wrong is raised as `InputError`."""
    router = APIRouter()

    # Not async: the store is written in a thread.
    @router.post("/v1/feedback")
    def tell(told: Told) -> dict[str, Any]:
        """Store that an answer was right or wrong; told again, the last word counts."""
        feedback.tell(told.id, right=told.right)
        return {"object": "feedback", "id": told.id, "right": told.right}

    return router
