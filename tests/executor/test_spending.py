"""The cap in USD: never exceeded, whatever requests cost and however many are in flight."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.errors import MoneySpentError
from executor.ledger import Ledger
from executor.spending import MoneyCap, Tariff, pay_for_retry

PRICES = Tariff.of(2.5, 1.25, 10.0, 10.0)
CENT = Fraction(1, 100)

# A request: prompt tokens, most tokens, tokens written, yields to others before it ends, fails.
REQUESTS = st.tuples(
    st.integers(1, 4000), st.integers(1, 4000), st.floats(0, 1), st.integers(0, 5), st.booleans()
)


def test_prices_are_exact() -> None:
    tariff = Tariff.of(0.1, 0.1, 0.3, 0.3)
    assert sum(tariff.bill(Ledger(generated=1)) for _ in range(10)) == tariff.bill(
        Ledger(generated=10)
    )
    assert tariff.most(2, 10, 5) == Fraction(2 * (10 * 1 + 5 * 3), 10_000_000)
    used = Ledger(prompt=1, cached=2, generated=3, discarded=4, probe=5)
    assert PRICES.bill(used) == Fraction(25 + 2 * 12, 10_000_000) + Fraction(
        1 + 12 * 100, 10_000_000
    )


@pytest.mark.long
@given(
    limit=st.integers(1, 10**6),
    prices=st.tuples(*[st.integers(0, 10**5)] * 4),
    requests=st.lists(REQUESTS, min_size=1, max_size=64),
)
def test_it_is_never_exceeded(
    limit: int, prices: tuple[int, ...], requests: list[tuple[int, int, float, int, bool]]
) -> None:
    """By what was sent at worst at any moment, so that hosts may bill in whatever order."""
    tariff = Tariff.of(*(price / 1000 for price in prices))
    cap = MoneyCap(limit / 10**6, tariff)
    bound = Fraction(limit, 10**6)
    exposed = settled = Fraction(0)

    async def request(prompt: int, most: int, share: float, wait: int, fails: bool) -> bool:
        nonlocal exposed, settled
        worst = tariff.most(1, prompt, most)
        try:
            async with cap.paid(worst) as bill:
                exposed += worst
                assert exposed <= bound
                for _ in range(wait):
                    await asyncio.sleep(0)
                if fails:
                    raise ConnectionError
                cost = tariff.bill(Ledger(prompt=prompt, generated=int(share * most)))
                exposed += cost - worst
                settled += cost
                bill.usd = cost
        except MoneySpentError:
            return False
        except ConnectionError:
            pass
        return True

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*(request(*one) for one in requests))

    sent = asyncio.run(all_of_them())
    assert exposed <= bound and settled <= bound
    assert cap.spent == float(settled)
    assert cap.is_reached == (not all(sent))


def test_a_request_waits_while_others_may_settle_for_less() -> None:
    cap = MoneyCap(0.01, PRICES)
    order: list[str] = []

    async def request(name: str, most: Fraction, cost: Fraction) -> None:
        async with cap.paid(most) as bill:
            order.append(name)
            await asyncio.sleep(0)
            bill.usd = cost

    async def both() -> None:
        await asyncio.gather(request("a", CENT, CENT / 4), request("b", CENT / 2, CENT / 2))

    asyncio.run(both())
    assert order == ["a", "b"] and not cap.is_reached
    assert cap.spent == pytest.approx(0.0075)
    asyncio.run(both_fail(cap))


async def both_fail(cap: MoneyCap) -> None:
    """Of another loop, too: what is left does not pay a request, and one that does is sent."""
    with pytest.raises(MoneySpentError, match=r"a request may cost 0.005 USD, and of 0.01 USD"):
        async with cap.paid(CENT / 2):
            raise AssertionError
    async with cap.paid(CENT / 4) as bill:
        bill.usd = CENT / 4
    assert cap.spent == cap.limit


def test_what_a_cancelled_request_costs_stays_reserved() -> None:
    cap = MoneyCap(0.01, PRICES)

    async def cancelled() -> None:
        async def hang() -> None:
            async with cap.paid(CENT / 2):
                await asyncio.sleep(60)

        task = asyncio.create_task(hang())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert (cap.spent, cap.lost) == (0.0, 0.005)


def test_a_lost_try_keeps_its_money_and_the_next_is_reserved_beside_it() -> None:
    pay_for_retry(10**9, 10**9)  # without a cap nothing is counted
    cap = MoneyCap(0.01, PRICES)
    most = PRICES.most(1, 400, 400)  # half a cent

    async def request() -> None:
        async with cap.paid(most) as bill:
            await asyncio.create_task(retried())
            bill.usd = CENT / 4

    async def retried() -> None:
        pay_for_retry(400, 400)
        with pytest.raises(MoneySpentError, match="0 are left"):
            pay_for_retry(400, 400)

    asyncio.run(request())
    assert most == CENT / 2
    assert (cap.spent, cap.lost, cap.is_reached) == (0.0025, 0.005, True)
