"""Answers compared as text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from executor.answers.exact_grader import ExactGrader
from executor.testing.grader_conformance import GraderConformance


class TestExactGrader(GraderConformance):
    @pytest.fixture
    def grader(self) -> ExactGrader:
        return ExactGrader()

    @pytest.fixture
    def responses(self) -> Sequence[tuple[str, str | None]]:
        return [(" B\n", "B"), ("x = 5", "x = 5"), ("  ", None)]

    @pytest.fixture
    def equal(self) -> Sequence[tuple[str, str]]:
        return [("B", " B "), ("\\frac{1}{2}", "\\frac{1}{2}\n")]

    @pytest.fixture
    def unequal(self) -> Sequence[tuple[str, str]]:
        return [("1/2", "0.5"), ("B", "b"), ("204", "204.0")]
