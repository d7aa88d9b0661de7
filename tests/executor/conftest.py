"""What tests of the executor share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from executor.answers.grader import MathGrader


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    """One grader, and its child process, for a module."""
    with MathGrader() as shared:
        yield shared
