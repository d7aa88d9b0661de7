"""Scores from log-probabilities, against their closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import InputError
from executor.models.confidence import LARGEST_CONFIDENCE
from executor.scorers.certainty import (
    FREE,
    DeepConfLowest,
    DeepConfMean,
    DeepConfTail,
    FreeScorer,
    MeanLogprob,
    SelfCertainty,
    window,
)
from executor.testing.response_scorer_conformance import ResponseScorerConformance, whole

DEEPCONF = (DeepConfMean, DeepConfTail, DeepConfLowest)
CONFIDENCES = st.lists(st.floats(0, 60), min_size=1, max_size=40)


class TestFreeScorers(ResponseScorerConformance):
    @pytest.fixture(params=FREE, ids=lambda kind: kind.name)
    def scorer(self, request: pytest.FixtureRequest) -> FreeScorer:
        return request.param()  # type: ignore[no-any-return]


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


@pytest.mark.parametrize("kind", FREE, ids=lambda kind: kind.name)
def test_nothing_written_is_worth_nothing(kind: type[FreeScorer]) -> None:
    assert kind().score_response("", whole("", 0.0)) == 0.0


def test_rounding_gives_at_most_one() -> None:
    assert MeanLogprob().score_response("", whole("abc", 1e-9)) == 1.0
    assert MeanLogprob().score_response("", whole("abc", math.nan)) == 0.0


def nats(kind: type[FreeScorer], confidences: list[float]) -> float:
    return kind().score_tokens(-1.0, len(confidences), confidences) * LARGEST_CONFIDENCE


@given(CONFIDENCES)
def test_deepconf_is_a_mean_over_all_the_last_or_the_least_confident_tokens(
    confidences: list[float],
) -> None:
    size = math.ceil(len(confidences) / 4)
    groups = [
        math.fsum(confidences[start : start + size]) / size
        for start in range(len(confidences) - size + 1)
    ]
    mean = math.fsum(confidences) / len(confidences)
    assert nats(DeepConfMean, confidences) == pytest.approx(mean)
    assert nats(DeepConfTail, confidences) == pytest.approx(groups[-1])
    assert nats(DeepConfLowest, confidences) == pytest.approx(min(groups), abs=1e-9)


@given(CONFIDENCES, st.floats(0.1, 1.0))
def test_scores_keep_the_proportions_of_confidences(
    confidences: list[float], factor: float
) -> None:
    scaled = [factor * one for one in confidences]
    for kind in DEEPCONF:
        assert nats(kind, scaled) == pytest.approx(factor * nats(kind, confidences), abs=1e-9)


def test_long_responses_have_the_windows_of_the_authors() -> None:
    assert [window(n) for n in (1, 4, 5, 8188, 8192, 30_000)] == [1, 1, 2, 2047, 2048, 2048]
    unsure = [10.0] * 12_000 + [2.0] * 2_048 + [20.0] * 2_048
    assert nats(DeepConfTail, unsure) == pytest.approx(20.0)
    assert nats(DeepConfLowest, unsure) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", DEEPCONF, ids=lambda kind: kind.name)
def test_without_confidences_one_line_says_how_to_record_them(kind: type[FreeScorer]) -> None:
    with pytest.raises(InputError) as error:
        kind().score_tokens(-1.0, 3, ())
    assert str(error.value) == (
        f"scorer {kind.name}: 0 of the 3 tokens of a sample have a confidence; draw samples with "
        "apportion profile --top-logprobs 20"
    )


def test_self_certainty_is_a_mean_over_tokens() -> None:
    """Twice the tokens with the same certainty each are worth the same."""
    short, long = whole("ab"), whole("abab")
    found = [SelfCertainty().score_response("", one) for one in (short, long)]
    assert found == [pytest.approx((9.7 + 9.8) / 2 / LARGEST_CONFIDENCE)] * 2


def test_without_a_certainty_it_says_which_policy_has_one() -> None:
    with pytest.raises(InputError, match=r"scorer self-certainty: .* fit-prm --fuse") as caught:
        SelfCertainty().score_tokens(-3.0, 2, ())
    assert "\n" not in str(caught.value)
