"""What a search has come to when it is cut: what had ended, else the longest part; charged once."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import pytest

from executor.ledger import TokenCap
from executor.models.stopping import Finish
from executor.policies.base import Draw
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.search import Context, Response, State, search
from executor.search.partial_results import PartialResults
from executor.strategy import BestOfN, Dvts, Majority, Sampling, Strategy
from executor.testing import virtual_time

[PROBLEM] = simulated_problems(1)


def cut(strategy: Strategy, seconds: float, latency: float) -> tuple[Context, PartialResults]:
    policy = SimulatedPolicy(0.9, 2, latency=latency)
    context = Context(PROBLEM, policy, SimulatedPrm(1.0), Sampling(), 0, TokenCap(100_000))
    so_far = PartialResults(context)

    async def run() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await search(strategy, context)

    virtual_time.run(run())
    return context, so_far


def test_what_has_ended_is_kept_as_the_search_itself_would_have_it() -> None:
    for strategy in (Majority(4), BestOfN(4)):
        policy = SimulatedPolicy(0.9, 2)
        context = Context(PROBLEM, policy, SimulatedPrm(1.0), Sampling(), 0, TokenCap(100_000))
        so_far = PartialResults(context)
        whole = asyncio.run(search(strategy, context))
        found = so_far.responses(scored=False)
        assert sorted(r.text for r in found) == sorted(r.text for r in whole)
        assert sorted(r.rewards for r in found) == sorted(r.rewards for r in whole)
        # Many of them begin alike, and were written each for itself.
        before = dataclasses.replace(context.ledger)
        so_far.charge(scored=False)
        assert context.ledger == before


def test_where_nothing_has_ended_the_longest_that_an_engine_was_writing_is_kept() -> None:
    context, so_far = cut(Majority(4), 0.2, latency=0.4)
    [found] = so_far.responses(scored=False)
    assert found.state is State.CUT and found.text.startswith("Step 1")
    written = context.ledger.policy_generated
    so_far.charge(scored=False)
    assert context.ledger.generated == found.n_tokens < written
    assert context.ledger.policy_generated == written == context.policy.counters().generated


def test_of_a_search_the_longest_part_is_kept_and_it_alone_is_charged_as_such() -> None:
    context, so_far = cut(Dvts(4), 0.3, latency=0.2)
    [found] = so_far.responses(scored=False)
    assert found.state is State.CUT and found.text.startswith("Step 1")
    # The second step was being written, and is part of it; nobody has scored it.
    assert (len(found.steps), found.rewards) == (2, ())
    so_far.charge(scored=False)
    assert context.ledger.generated == found.n_tokens
    assert context.ledger.policy_generated == context.policy.counters().generated


def test_what_branches_of_a_tree_begin_with_is_charged_once() -> None:
    def draw(*tokens: int) -> Draw:
        return Draw(tokens, Finish.EOS, -1.0)

    context = Context(PROBLEM, SimulatedPolicy(), None, Sampling(), 0, TokenCap(100_000))
    so_far = PartialResults(context)
    context.ledger.generated, context.ledger.discarded = 12, 5
    for before, ended in (((1, 2), draw(3, 4)), ((1, 2), draw(3, 4)), ((1, 5), draw(6))):
        so_far.ended(before, ended)
    so_far.charge(scored=False)
    assert (context.ledger.generated, context.ledger.discarded) == (3 + 5, 9)


def test_what_was_set_aside_is_no_part_of_what_is_kept() -> None:
    policy = SimulatedPolicy(0.9, 2)
    context = Context(PROBLEM, policy, SimulatedPrm(1.0), Sampling(), 0, TokenCap(100_000))
    so_far = PartialResults(context)
    probes = asyncio.run(search(Majority(2), context))
    so_far.set_aside()
    # Still there to answer with.
    assert sorted(r.text for r in so_far.responses(scored=False)) == sorted(r.text for r in probes)
    tokens = sum(response.n_tokens for response in probes)
    context.ledger.generated, context.ledger.probe, context.ledger.discarded = 0, tokens, 9
    so_far.charge(scored=False)
    assert context.ledger.probe == tokens
    assert (context.ledger.generated, context.ledger.discarded) == (0, 9)


@pytest.mark.parametrize("ended", [0, 2])
def test_scored_responses_come_before_unscored_ones(ended: int) -> None:
    policy = SimulatedPolicy(0.9, 1)
    context = Context(PROBLEM, policy, SimulatedPrm(1.0), Sampling(), 0, TokenCap(100_000))
    so_far = PartialResults(context)
    responses = asyncio.run(search(Majority(4), context))
    if ended:
        asyncio.run(_score(context, responses[:ended]))
    found = so_far.responses(scored=True)
    texts = {response.text for response in responses[:ended]}
    assert len(found) == (sum(r.text in texts for r in responses) if ended else 4)
    assert all(response.rewards for response in found) == bool(ended)


def test_where_responses_vote_unscored_ones_count_too() -> None:
    policy = SimulatedPolicy(0.9, 1)
    context = Context(PROBLEM, policy, SimulatedPrm(1.0), Sampling(), 0, TokenCap(100_000))
    so_far = PartialResults(context)
    responses = asyncio.run(search(Majority(4), context))
    asyncio.run(_score(context, responses[:2]))
    assert len(so_far.responses(scored=False)) == 4
    before = dataclasses.replace(context.ledger)
    so_far.charge(scored=False)
    assert context.ledger == before
    so_far.charge(scored=True)
    assert context.ledger.discarded > before.discarded


async def _score(context: Context, responses: list[Response]) -> None:
    await context.score([response.steps for response in responses])
