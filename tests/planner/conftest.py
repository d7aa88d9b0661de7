"""What the planner's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

import planner.prediction.outcome_model  # noqa: F401  only libraries that are loaded can be limited


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Fits this small gain nothing from threads, which on busy cores wait for each other."""
    with threadpool_limits(limits=1):
        yield
