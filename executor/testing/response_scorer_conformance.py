"""The conformance suite of scorers of whole responses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import get_args

import pytest

from executor.ledger import Ledger
from executor.scorers.base import Needs, ResponseScorer, WholeResponse

QUESTION = "What is 3 + 4?"


def whole(text: str, logprob: float = -1.0, *, finished: bool = True) -> WholeResponse:
    """Return a response whose tokens are the characters of its text, with their confidences."""
    token_ids = tuple(map(ord, text))
    confidences = tuple(id / 10 for id in token_ids)
    return WholeResponse(
        text, token_ids, logprob, finished, confidences, certainty=sum(confidences)
    )


class ResponseScorerConformance:
    """Tests that every implementation of `executor.scorers.base.ResponseScorer` must pass.

    Override the fixture `scorer`, and `responses` if it scores tokens of one policy only::

        import pytest
        from executor.testing.response_scorer_conformance import ResponseScorerConformance
        from mine import MyScorer

        class TestMyScorer(ResponseScorerConformance):
            @pytest.fixture
            def scorer(self):
                scorer = MyScorer()
                yield scorer
                scorer.close()
    """

    @pytest.fixture
    def scorer(self) -> ResponseScorer:
        """Override: the scorer under test."""
        raise NotImplementedError("override the fixture `scorer`")

    @pytest.fixture
    def responses(self) -> Sequence[WholeResponse]:
        """Different responses to one question; one of them was cut."""
        return [
            whole("3 + 4 is 7. The answer is \\boxed{7}.", -2.5),
            whole("\\boxed{8}", -4.0),
            whole("First, three. Then", -30.0, finished=False),
        ]

    @pytest.fixture
    def tolerance(self) -> float:
        """Largest difference between scores of the same response; engines round."""
        return 1e-3

    def test_every_response_has_one_score(
        self, scorer: ResponseScorer, responses: Sequence[WholeResponse]
    ) -> None:
        for n in range(len(responses) + 1):
            scores, _ = _score(scorer, responses[:n])
            assert len(scores) == n
            assert all(0 <= score <= 1 for score in scores)

    def test_a_score_does_not_depend_on_the_other_responses(
        self, scorer: ResponseScorer, responses: Sequence[WholeResponse], tolerance: float
    ) -> None:
        together, _ = _score(scorer, responses)
        alone = [_score(scorer, [one])[0][0] for one in responses]
        assert together == pytest.approx(alone, abs=tolerance)

    def test_the_ledger_is_what_the_engine_counted(
        self, scorer: ResponseScorer, responses: Sequence[WholeResponse]
    ) -> None:
        before = scorer.counters()
        _, ledger = _score(scorer, responses)
        counted = scorer.counters() - before
        assert ledger.prm + ledger.prm_cached == counted.prompt + counted.generated
        assert ledger.policy_generated == ledger.prompt == 0
        if scorer.needs != "model":
            assert counted.prompt == 0

    def test_it_says_what_it_is(self, scorer: ResponseScorer) -> None:
        assert scorer.name
        assert scorer.scores_steps is False
        assert scorer.needs in get_args(Needs)
        assert not scorer.lost
        assert scorer.unjudged >= 0
        assert isinstance(scorer.trained_on, frozenset)


def _score(
    scorer: ResponseScorer, responses: Sequence[WholeResponse]
) -> tuple[list[float], Ledger]:
    ledger = Ledger()
    return asyncio.run(scorer.score_responses(QUESTION, responses, ledger=ledger)), ledger
