"""What the importers' tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from executor.answers.grader import MathGrader


@pytest.fixture(scope="session")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared
