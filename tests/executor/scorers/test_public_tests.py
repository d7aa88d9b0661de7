"""The score of public tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from executor.domains.execution import Execution
from executor.scorers.base import ResponseScorer, WholeResponse
from executor.scorers.public_tests import PublicTests
from executor.testing.response_scorer_conformance import ResponseScorerConformance, whole


class TestConformance(ResponseScorerConformance):
    """The suite of all scorers of responses."""

    @pytest.fixture
    def scorer(self) -> ResponseScorer:
        return PublicTests()

    @pytest.fixture
    def responses(self) -> Sequence[WholeResponse]:
        execution = Execution((True, False))
        return [replace(whole("def f(): ..."), execution=execution), whole("cut", finished=False)]


def test_it_is_the_share_of_public_tests_passed() -> None:
    score = PublicTests.score_execution
    assert score(Execution((True, False, True, True))) == 0.75
    assert score(Execution((False,), ("1",))) == 0
    assert score(Execution((), ("1",))) == PublicTests.UNKNOWN
    assert score(None) == 0
