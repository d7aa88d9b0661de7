"""The hard cap on the money of a command: no request is sent that could exceed it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction

from executor.errors import MoneySpentError
from executor.ledger import Ledger

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a host asks, in exact USD per token; sums of floats would lose what a cap must keep.

    Attributes:
        prompt, cached: price of a prompt token that is forwarded, and of one from a cache.
        generated, thought: price of a generated token, and of one of a thought.
    """

    prompt: Fraction
    cached: Fraction
    generated: Fraction
    thought: Fraction

    @classmethod
    def of(cls, prompt: float, cached: float, generated: float, thought: float) -> Tariff:
        """Return the tariff of prices in USD per million tokens."""
        prices = (prompt, cached, generated, thought)
        return cls(*(Fraction(str(price)) / _MILLION for price in prices))

    def most(self, n: int, prompt_tokens: int, max_tokens: int) -> Fraction:
        """Return the largest bill of a request for `n` responses of at most `max_tokens`."""
        prompt = prompt_tokens * max(self.prompt, self.cached)
        return n * (prompt + max_tokens * max(self.generated, self.thought))

    def bill(self, ledger: Ledger) -> Fraction:
        """Return the price of what a policy's requests were charged."""
        # A ledger that counts thoughts apart counts them among the generated tokens, too.
        dearest = max(self.generated, self.thought)
        prompts = ledger.prompt * self.prompt + ledger.cached * self.cached
        return prompts + ledger.policy_generated * dearest


@dataclass(slots=True)
class Bill:
    """What a reserved request cost.

    Attributes:
        cap: the cap it is paid from.
        usd: what it was charged; stays None if nobody knows.
        retries: what tries that were lost on the way may have cost at most.
    """

    cap: MoneyCap
    usd: Fraction | None = None
    retries: Fraction = Fraction(0)


_PAYING: ContextVar[Bill | None] = ContextVar("paying", default=None)


def pay_for_retry(prompt_tokens: int, max_tokens: int) -> None:
    """Reserve money for another try of a response whose last try a host may have billed.

    A policy calls it before it sends the request again, in a task of the draw. A try that the host
    refused (HTTP 429) was not billed and needs no call. Without a cap it does nothing. It never
    waits, because others may wait for the money that this request holds.

    Raises:
        MoneySpentError: the try could exceed the cap; it may not be sent.
    """
    bill = _PAYING.get()
    if bill is not None:
        bill.cap.reserve_retry(bill, bill.cap.tariff.most(1, prompt_tokens, max_tokens))


class MoneyCap:
    """A hard cap in USD, safe for any number of requests in flight on one event loop at a time.

    A request reserves its largest bill before it is sent, and settles with what it was charged. If
    the reservation does not fit, it waits while others in flight may settle for less. If none is
    left in flight, the money is spent. A request that fails or is cancelled keeps its whole
    reservation, since nobody knows what the host bills for it.

    Args:
        limit: the cap in USD.
        tariff: what the host asks.

    Attributes:
        is_reached: whether a request was refused.
    """

    def __init__(self, limit: float, tariff: Tariff) -> None:
        self.tariff = tariff
        self.is_reached = False
        self._limit = Fraction(str(limit))
        self._spent = Fraction(0)
        self._lost = Fraction(0)
        self._reserved = Fraction(0)
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def limit(self) -> float:
        """The cap in USD."""
        return float(self._limit)

    @property
    def spent(self) -> float:
        """USD that settled requests cost."""
        return float(self._spent)

    @property
    def lost(self) -> float:
        """USD that requests which failed or were cancelled may have cost at most."""
        return float(self._lost)

    @asynccontextmanager
    async def paid(self, most: Fraction) -> AsyncIterator[Bill]:
        """Reserve money for one request, which is sent inside of the context.

        Args:
            most: its largest bill (`Tariff.most`).

        Yields:
            Where the caller writes what it was charged.

        Raises:
            MoneySpentError: it could exceed the cap; nothing may be sent.
        """
        while not self._has(most):
            if not self._reserved:
                raise self._refused(most)
            await self._settlement()
        self._reserved += most
        bill = Bill(self)
        token = _PAYING.set(bill)
        try:
            yield bill
        finally:
            _PAYING.reset(token)
            self._reserved -= most + bill.retries
            self._lost += bill.retries
            if bill.usd is None:
                self._lost += most
            else:
                self._spent += bill.usd
            self._wake()

    def reserve_retry(self, bill: Bill, most: Fraction) -> None:
        """Reserve money for another try of a request in flight; see `pay_for_retry`.

        Raises:
            MoneySpentError: it could exceed the cap; nothing may be sent.
        """
        if not self._has(most):
            raise self._refused(most)
        self._reserved += most
        bill.retries += most

    def _has(self, most: Fraction) -> bool:
        return self._spent + self._lost + self._reserved + most <= self._limit

    def _refused(self, most: Fraction) -> MoneySpentError:
        self.is_reached = True
        left = self._limit - self._spent - self._lost - self._reserved
        return MoneySpentError(
            f"a request may cost {float(most):.6g} USD, and of {self.limit:g} USD "
            f"{float(left):.6g} are left"
        )

    async def _settlement(self) -> None:
        """Wait until a request in flight has settled."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()
