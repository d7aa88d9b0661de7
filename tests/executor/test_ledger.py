"""The ledger adds up, and the token cap holds whatever branches do at once."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.ledger import Ledger, TokenCap

counts = st.integers(0, 10_000)
ledgers = st.builds(Ledger, *[counts] * 8)


@given(
    limit=st.integers(0, 500),
    moves=st.lists(
        st.tuples(st.integers(1, 9), st.integers(-3, 200), st.floats(0, 1), st.booleans()),
        max_size=60,
    ),
)
def test_spent_and_reserved_tokens_never_exceed_the_limit(
    limit: int, moves: list[tuple[int, int, float, bool]]
) -> None:
    cap = TokenCap(limit)
    spent = 0
    reserved: list[int] = []
    for n, most, share, settle_first in moves:
        if settle_first and reserved:
            held = reserved.pop(len(reserved) // 2)
            used = int(held * share)
            cap.settle(held, used)
            spent += used
        before = cap.left
        each = cap.reserve(n, most)
        reserved.append(n * each)
        assert 0 <= each <= max(0, most)
        assert each == max(0, most) or n * (each + 1) > before, "room was left unused"
        assert spent + sum(reserved) <= limit
        assert cap.left == limit - spent - sum(reserved)


@given(
    limit=st.integers(0, 300),
    branches=st.lists(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 60)), max_size=4)),
)
def test_concurrent_branches_never_exceed_the_limit(
    limit: int, branches: list[list[tuple[int, int]]]
) -> None:
    cap = TokenCap(limit)
    generated = 0

    async def branch(number: int, requests: list[tuple[int, int]]) -> None:
        nonlocal generated
        for n, most in requests:
            each = cap.reserve(n, most)
            for _ in range(number % 3):
                await asyncio.sleep(0)
            used = n * each - (number % 2) * (n * each // 3)
            generated += used
            assert generated <= limit
            cap.settle(n * each, used)

    async def run() -> None:
        await asyncio.gather(*(branch(i, requests) for i, requests in enumerate(branches)))

    asyncio.run(run())
    assert cap.left == limit - generated


def test_more_than_was_reserved_cannot_be_settled() -> None:
    cap = TokenCap(100)
    each = cap.reserve(2, 10)
    with pytest.raises(ValueError, match="21 tokens"):
        cap.settle(2 * each, 21)


@given(ledgers, ledgers)
def test_ledgers_add_up_count_by_count(a: Ledger, b: Ledger) -> None:
    total = (a + b).to_dict()
    assert total == {name: a.to_dict()[name] + b.to_dict()[name] for name in total}
    assert (a + b).policy_generated == a.policy_generated + b.policy_generated


@given(ledgers, counts)
def test_discarding_moves_tokens_and_loses_none(ledger: Ledger, tokens: int) -> None:
    before, total = ledger.generated, ledger.policy_generated
    if tokens > before:
        with pytest.raises(ValueError, match="cannot discard"):
            ledger.discard(tokens)
        assert ledger.generated == before
    else:
        ledger.discard(tokens)
        assert ledger.generated == before - tokens
    assert ledger.policy_generated == total


def test_a_prompt_is_charged_as_forwarded_and_cached() -> None:
    ledger = Ledger()
    ledger.charge_prompt(100, 96)
    ledger.charge_prm(50, 16)
    assert (ledger.prompt, ledger.cached, ledger.prm, ledger.prm_cached) == (4, 96, 34, 16)
