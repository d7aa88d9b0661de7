"""Errors of the queue and of answering, as clients see them."""

from __future__ import annotations

import pytest

from planner.service.answering.answerer import DeadlineExceededError
from planner.service.http.faults import to_request_error
from planner.service.queue.fair_queue import (
    QueueFullError,
    TooManyQuestionsError,
    TurnTimeoutError,
)


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "retry_after"),
    [
        (QueueFullError("the queue is full", 2.5), 429, "queue_full", None, "3"),
        (TooManyQuestionsError("prompt: too many"), 400, "too_many_prompts", "prompt", None),
        (TurnTimeoutError(0.2), 503, "deadline_exceeded", "max_seconds", "1"),
        (DeadlineExceededError("late"), 503, "deadline_exceeded", "max_seconds", "5"),
    ],
    ids=["full", "too many", "no turn in time", "deadline"],
)
def test_errors_have_statuses_and_codes(
    error: Exception, status: int, code: str, param: str | None, retry_after: str | None
) -> None:
    fault = to_request_error(error)
    assert (fault.status, fault.code, fault.param) == (status, code, param)
    assert fault.headers.get("Retry-After") == retry_after


def test_an_unexpected_error_is_not_quoted() -> None:
    fault = to_request_error(LookupError("the question"))
    assert (fault.status, fault.code) == (500, "internal")
    assert "question" not in fault.message
