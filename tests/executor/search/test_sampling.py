"""Strategies of whole responses go on from probes."""

from __future__ import annotations

import asyncio

import pytest

from executor.search import Response, sample, search
from executor.strategy import (
    BestOfN,
    Majority,
    Strategy,
    key,
)
from executor.testing.watched import (
    WatchedPolicy,
    WatchedPrm,
    check_ledger,
    context_of,
)


@pytest.mark.parametrize("strategy", [Majority(8), BestOfN(8)], ids=key)
def test_probes_count_towards_the_budget(strategy: Strategy) -> None:
    policy, prm = WatchedPolicy(0.7, 3), WatchedPrm(0.8)
    context = context_of(policy, prm)

    async def both() -> tuple[list[Response], list[Response]]:
        probes = await sample(context, 3, where="probe")
        return probes, await search(strategy, context, probes=probes)

    probes, responses = asyncio.run(both())
    assert [request.n for request in policy.requests] == [3, 5]
    assert [r.token_ids for r in responses[:3]] == [p.token_ids for p in probes]
    assert policy.requests[0].seed != policy.requests[1].seed
    assert len(responses) == 8
    check_ledger(context)
