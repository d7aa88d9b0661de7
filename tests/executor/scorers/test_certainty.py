"""Scores from log-probabilities, against their closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.scorers.certainty import MeanLogprob
from executor.testing.response_scorer_conformance import ResponseScorerConformance, whole


class TestMeanLogprob(ResponseScorerConformance):
    @pytest.fixture
    def scorer(self) -> MeanLogprob:
        return MeanLogprob()


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20))
def test_the_mean_log_probability_is_the_geometric_mean_of_the_tokens(chances: list[float]) -> None:
    logprob = math.fsum(map(math.log, chances))
    found = MeanLogprob().score_response("", whole("x" * len(chances), logprob))
    assert found == pytest.approx(math.prod(p ** (1 / len(chances)) for p in chances))


def test_a_response_is_not_preferred_for_being_short() -> None:
    scorer = MeanLogprob()
    short, long = whole("ab", 2 * math.log(0.4)), whole("a" * 50, 50 * math.log(0.9))
    assert long.logprob < short.logprob
    assert scorer.score_response("", long) > scorer.score_response("", short)


def test_nothing_written_is_worth_nothing_and_rounding_gives_at_most_one() -> None:
    assert MeanLogprob().score_response("", whole("", 0.0)) == 0.0
    assert MeanLogprob().score_response("", whole("abc", 1e-9)) == 1.0
    assert MeanLogprob().score_response("", whole("abc", math.nan)) == 0.0
