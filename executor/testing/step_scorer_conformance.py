"""The conformance suites of step scorers, and of the conventions that PRMs expect."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from executor.engines.base import EngineCounters
from executor.ledger import Ledger
from executor.models.tokens import Step
from executor.scorers.base import Convention, StepScorer

QUESTION = "What is 3 + 4?"
TEXTS = ("Add 3  + 4.\n\n", "It is 7.\n  So - that is all.\n\n", "\\boxed{7}")


def steps_of(*texts: str) -> list[Step]:
    """Return texts as steps whose tokens are bytes, as a policy with another tokenizer would."""
    return [Step(tuple(text.encode()), text, len(text)) for text in texts]


class StepScorerConformance:
    """Tests that every implementation of `executor.scorers.base.StepScorer` must pass.

    Override the fixture `scorer`, and `steps` if it scores tokens of one policy only::

        import pytest
        from executor.testing.step_scorer_conformance import StepScorerConformance
        from mine import MyScorer

        class TestMyScorer(StepScorerConformance):
            @pytest.fixture
            def scorer(self):
                scorer = MyScorer()
                yield scorer
                scorer.close()

    No one else may ask anything of the scorer's engine during the tests: they compare ledgers with
    its counters.
    """

    @pytest.fixture
    def scorer(self) -> StepScorer:
        """Override: the step scorer under test."""
        raise NotImplementedError("override the fixture `scorer`")

    @pytest.fixture
    def question(self) -> str:
        """Text of the question that the steps answer."""
        return QUESTION

    @pytest.fixture
    def steps(self) -> Sequence[Step]:
        """Three or more steps of one response, none of them blank."""
        return steps_of(*TEXTS)

    @pytest.fixture
    def tolerance(self) -> float:
        """Largest difference between rewards of the same step; engines round."""
        return 1e-3

    def test_every_new_step_has_one_reward(
        self, scorer: StepScorer, question: str, steps: Sequence[Step]
    ) -> None:
        for start in range(len(steps) + 1):
            rewards = _score(scorer, question, steps, start=start)
            assert len(rewards) == len(steps) - start
            assert all(0 <= reward <= 1 for reward in rewards)

    def test_a_reward_depends_on_the_steps_before_only(
        self, scorer: StepScorer, question: str, steps: Sequence[Step], tolerance: float
    ) -> None:
        whole = _score(scorer, question, steps)
        for n in range(1, len(steps) + 1):
            (last,) = _score(scorer, question, steps[:n], start=n - 1)
            assert last == pytest.approx(whole[n - 1], abs=tolerance)

    def test_the_ledger_is_what_the_engine_counted(
        self, scorer: StepScorer, question: str, steps: Sequence[Step]
    ) -> None:
        before, ledger = replace(scorer.counters()), Ledger()
        _score(scorer, question, steps, ledger=ledger)
        _score(scorer, question, steps, start=1, ledger=ledger)
        assert ledger.prm + ledger.prm_cached > 0
        _check_charged(ledger, scorer.counters() - before)

    def test_a_cancelled_request_is_charged(
        self, scorer: StepScorer, question: str, steps: Sequence[Step]
    ) -> None:
        before, ledger = replace(scorer.counters()), Ledger()

        async def cancel_at_once() -> None:
            task = asyncio.ensure_future(scorer.score(question, steps, start=0, ledger=ledger))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel_at_once())
        # A later request waits for the engine, so nothing of the first can still be counted.
        _score(scorer, question, steps, ledger=ledger)
        _check_charged(ledger, scorer.counters() - before)

    def test_many_requests_at_once_do_not_mix(
        self, scorer: StepScorer, question: str, steps: Sequence[Step], tolerance: float
    ) -> None:
        async def all_at_once() -> list[list[float]]:
            requests = (
                scorer.score(question, steps[:n], start=0, ledger=Ledger())
                for n in range(1, len(steps) + 1)
            )
            return await asyncio.gather(*requests)

        alone = _score(scorer, question, steps)
        for n, rewards in enumerate(asyncio.run(all_at_once()), start=1):
            assert rewards == pytest.approx(alone[:n], abs=tolerance)

    def test_an_engine_that_answers_is_not_lost(
        self, scorer: StepScorer, question: str, steps: Sequence[Step]
    ) -> None:
        before = scorer.unjudged
        _score(scorer, question, steps)
        assert not scorer.lost
        assert scorer.unjudged == before


class ConventionConformance:
    """Tests that every implementation of `executor.scorers.base.Convention` must pass.

    They need no engine. Override the fixture `convention`::

        import pytest
        from executor.testing.step_scorer_conformance import ConventionConformance
        from mine import MyConvention, my_tokenizer

        class TestMyConvention(ConventionConformance):
            @pytest.fixture
            def convention(self):
                return MyConvention(my_tokenizer(), "my-prm")
    """

    @pytest.fixture
    def convention(self) -> Convention:
        """Override: the convention under test."""
        raise NotImplementedError("override the fixture `convention`")

    def test_steps_after_a_place_change_nothing_before_it(self, convention: Convention) -> None:
        steps = steps_of(*TEXTS)
        whole = convention.layout(QUESTION, steps)
        assert len(whole.ends) == len(steps) and whole.ends == sorted(set(whole.ends))
        for n in range(1, len(steps) + 1):
            begun = convention.layout(QUESTION, steps[:n])
            assert begun.ends == whole.ends[:n]
            assert begun.token_ids[: begun.ends[-1]] == whole.token_ids[: whole.ends[n - 1]]

    def test_blanks_and_delimiters_around_a_step_are_not_part_of_it(
        self, convention: Convention
    ) -> None:
        bare = convention.layout(QUESTION, steps_of(*(text.strip() for text in TEXTS)))
        assert convention.layout(QUESTION, steps_of(*TEXTS)) == bare

    def test_no_steps_have_no_places(self, convention: Convention) -> None:
        assert convention.layout(QUESTION, []).ends == []


def _score(
    scorer: StepScorer,
    question: str,
    steps: Sequence[Step],
    *,
    start: int = 0,
    ledger: Ledger | None = None,
) -> list[float]:
    async def drive() -> list[float]:
        charged = Ledger() if ledger is None else ledger
        return await scorer.score(question, steps, start=start, ledger=charged)

    return asyncio.run(drive())


def _check_charged(ledger: Ledger, counted: EngineCounters) -> None:
    """Assert that the ledger holds what the engine counted, to the token."""
    assert ledger.prm + ledger.prm_cached == counted.prompt
    assert ledger.prm_cached == counted.cached
