"""What all searches share: scores, and prefixes that are scored once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.search import aggregate, sample
from executor.strategy import (
    Score,
)
from executor.testing import virtual_time
from executor.testing.watched import WatchedPrm, context_of


def test_a_score_is_asked_for_again_where_whoever_asked_first_was_cancelled() -> None:
    policy, prm = SimulatedPolicy(0.7, 3), WatchedPrm(0.8, latency=0.05)
    context = context_of(policy, prm)

    async def race() -> None:
        [response] = await sample(context, 1)
        first = asyncio.create_task(context.score([response.steps]))
        second = asyncio.create_task(context.score([response.steps]))
        await asyncio.sleep(0.01)
        assert prm.calls == 1
        first.cancel()
        [rewards] = await second
        assert prm.calls == 2
        assert await context.score([response.steps]) == [rewards]
        assert prm.calls == 2

    virtual_time.run(race())


@pytest.mark.parametrize("shared", [0, 1, 2])
def test_what_was_scored_before_is_neither_scored_nor_charged_again(shared: int) -> None:
    policy, prm = SimulatedPolicy(0.7, 3), WatchedPrm(0.8)
    context = context_of(policy, prm)

    async def twice() -> None:
        one, other = await sample(context, 2)
        mixed = (*one.steps[:shared], *other.steps[shared:])
        [first] = await context.score([one.steps])
        asked, spent = len(prm.asked), context.ledger.prm
        again, second = await context.score([one.steps, mixed])
        assert again == first
        assert second[:shared] == first[:shared]
        assert len(prm.asked) == asked + len(mixed) - shared
        alone = context_of(policy, SimulatedPrm(0.8))
        assert (await alone.score([mixed]))[0] == second
        assert context.ledger.prm > spent

    asyncio.run(twice())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_scores_by_hand(rewards: list[float]) -> None:
    product = 1.0
    for reward in rewards:
        product *= reward
    assert aggregate(rewards, Score.MIN) == sorted(rewards)[0]
    assert aggregate(rewards, Score.LAST) == rewards[-1]
    assert aggregate(rewards, Score.MEAN) == pytest.approx(sum(rewards) / len(rewards))
    assert aggregate(rewards, Score.PROD) == pytest.approx(product)
    assert aggregate([], Score.MIN) == 0.0
