"""Strategies over whole responses on a chat policy, whose tokens are only counted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from executor.answers.grader import Grader
from executor.engines.base import EngineCounters
from executor.engines.capacity import Capacity
from executor.errors import InputError
from executor.ledger import TokenCap
from executor.models.stopping import Finish
from executor.models.templates import PromptTemplate
from executor.outcome import grade
from executor.policies.base import ChatPolicy, ChatRequest, ContextFullError, Messages, Written
from executor.policies.simulated import simulated_problems
from executor.run.runner import Executor
from executor.scorers.base import PlainResponseScorer, WholeResponse
from executor.search import Context, Response, State, search
from executor.search.partial_results import PartialResults
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    ShortMOfK,
    Strategy,
)
from executor.testing import virtual_time
from tests.helpers.exact_grader import Exact

[PROBLEM] = simulated_problems(1)
ANSWERS = ("1", "2", "2", "3")


class Scripted(ChatPolicy):
    """Writes its answers in turn; each takes as many seconds as it has tokens."""

    name = "scripted"
    capacity = Capacity(16, 1_000_000)

    def __init__(self, *, tokens: Sequence[int] = (10, 20, 30, 40), usage: bool = True) -> None:
        self._tokens, self._usage = tokens, usage
        self.full = False
        self.asked: list[ChatRequest] = []
        self.drawn = 0

    def ask(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> Messages:
        return PromptTemplate().messages(question, before, answers)

    async def write(self, request: ChatRequest) -> list[Written]:
        if self.full:
            raise ContextFullError("full")
        self.asked.append(request)
        places = range(self.drawn, self.drawn + request.n)
        self.drawn += request.n
        return await asyncio.gather(
            *(self._one(request, index, at) for index, at in enumerate(places))
        )

    async def _one(self, request: ChatRequest, index: int, at: int) -> Written:
        tokens = self._tokens[at % len(self._tokens)]
        try:
            await asyncio.sleep(tokens)
        except asyncio.CancelledError:
            request.bill.unknown |= {"prompt", "cached", "discarded"}
            raise
        request.bill.calls += 1
        if self._usage:
            request.ledger.charge_prompt(7, 2)
            request.ledger.generated += tokens
        else:
            request.bill.unknown |= {"prompt", "cached", "generated", "n_tokens"}
        one = Written(ANSWERS[at % len(ANSWERS)], Finish.EOS, tokens if self._usage else 0)
        if request.finished is not None:
            request.finished(index, one)
        return one

    def counters(self) -> EngineCounters:
        return EngineCounters()

    def close(self) -> None:
        pass


class LikesThree(PlainResponseScorer):
    """Reads texts, and thinks well of 3."""

    name = "likes-three"

    def score_response(self, question: str, response: WholeResponse) -> float:
        assert response.token_ids == ()
        return 0.9 if "3" in response.text else 0.1


def context_of(policy: ChatPolicy, **more: Any) -> Context:
    grader: Grader = Exact()
    options: dict[str, Any] = {"cap": TokenCap(100_000), "grader": grader} | more
    return Context(PROBLEM, policy, LikesThree(), Sampling(max_tokens=100), 0, **options)


def run(strategy: Strategy, context: Context) -> list[Response]:
    return virtual_time.run(search(strategy, context))


@pytest.mark.parametrize(
    ("strategy", "responses"),
    [(Greedy(), 1), (Majority(4), 4), (AdaptiveMajority(4), 4), (BestOfN(4), 4)],
    ids=str,
)
def test_responses_have_texts_and_billed_lengths(strategy: Strategy, responses: int) -> None:
    policy = Scripted()
    context = context_of(policy)
    found = run(strategy, context)
    assert len(found) == responses
    assert all(not one.token_ids and not one.steps for one in found)
    assert sum(one.n_tokens for one in found) == context.ledger.generated
    assert (context.ledger.prompt, context.ledger.cached) == (5 * responses, 2 * responses)
    assert context.unknown == {"logprob"}
    records = grade(found, PROBLEM, Exact())
    assert [one.n_tokens for one in records] == [one.n_tokens for one in found]
    assert all(one.answer in ANSWERS and one.token_ids == () for one in records)


def test_best_of_n_scores_texts() -> None:
    found = run(BestOfN(4), context_of(Scripted()))
    assert [one.rewards for one in found] == [(0.1,), (0.1,), (0.1,), (0.9,)]


def test_greedy_is_asked_at_temperature_0() -> None:
    policy = Scripted()
    run(Greedy(), context_of(policy))
    assert (policy.asked[0].temperature, policy.asked[0].top_p) == (0.0, 1.0)


def test_the_first_to_finish_vote_and_the_cost_of_the_others_is_unknown() -> None:
    context = context_of(Scripted())
    found = run(ShortMOfK(4, m=2), context)
    assert [one.n_tokens for one in found] == [10, 20]
    assert context.ledger.spared == 2
    assert {"discarded", "prompt"} <= context.unknown


def test_an_aggregation_shows_earlier_answers_as_text() -> None:
    policy = Scripted()
    context = context_of(policy)
    found = run(Aggregate(8, rounds=1, shown=2), context)
    assert len(found) == 4
    assert "Attempt 2" in policy.asked[-1].messages[-1]["content"]
    assert context.ledger.generated + context.ledger.discarded == 200


def test_unknown_lengths_hold_all_of_their_reservation() -> None:
    context = context_of(Scripted(usage=False), cap=TokenCap(400))
    assert len(run(Majority(4), context)) == 4
    assert context.cap.left == 0
    assert {"generated", "n_tokens"} <= context.unknown


def test_an_endpoint_that_bills_more_than_it_was_asked_for_breaks_nothing() -> None:
    context = context_of(Scripted(tokens=(500,)), cap=TokenCap(400))
    assert len(run(Majority(4), context)) == 4
    assert context.cap.left == 0
    assert context.ledger.generated == 2000


def test_a_question_that_fills_the_context_gets_no_response() -> None:
    policy = Scripted()
    policy.full = True
    context = context_of(policy)
    assert run(Majority(4), context) == []
    assert context.full


def test_an_answer_that_has_begun_is_refused() -> None:
    context = context_of(Scripted())
    context.problem = replace(PROBLEM, begun="It is")
    with pytest.raises(InputError, match="begins with a given text: policy scripted is a chat"):
        run(Greedy(), context)


@pytest.mark.parametrize("strategy", [BeamSearch(4), Dvts(4), ParticleFilter(4)], ids=str)
def test_a_search_over_steps_is_refused_in_one_line(strategy: Strategy) -> None:
    executor = Executor(Scripted(), LikesThree(), Exact(), Sampling())
    with pytest.raises(InputError, match="continues responses step by step") as caught:
        executor.check(strategy)
    assert "\n" not in str(caught.value)


def test_what_has_come_is_kept_when_a_search_is_cut() -> None:
    context = context_of(Scripted())
    so_far = PartialResults(context)

    async def cut() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(25):
                await search(Majority(4), context)

    virtual_time.run(cut())
    found = so_far.responses(scored=False)
    assert [(one.n_tokens, one.state) for one in found] == [
        (10, State.FINISHED), (20, State.FINISHED)
    ]  # fmt: skip
    so_far.charge(scored=False)
    assert (context.ledger.generated, context.ledger.discarded) == (30, 0)
