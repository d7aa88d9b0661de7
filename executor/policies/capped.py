"""A policy whose every request is paid from a cap in USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from executor.engines.base import EngineCounters
from executor.ledger import Ledger
from executor.policies.base import Draw, DrawRequest, Policy
from executor.spending import MoneyCap


class CappedPolicy:
    """Another policy, of which no draw is asked that could exceed the cap.

    Every draw of a run passes here, whatever strategy asks for it.

    Args:
        policy: the policy that writes.
        cap: the money of the run.
    """

    def __init__(self, policy: Policy, cap: MoneyCap) -> None:
        self._policy = policy
        self._cap = cap
        self.name = policy.name
        self.tokens = policy.tokens
        self.max_context = policy.max_context
        self.capacity = policy.capacity
        self.reads = policy.reads
        self.writes_json = policy.writes_json

    def prompt(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> list[int]:
        """See `Policy.prompt`."""
        more = (answers,) if answers else ()
        return self._policy.prompt(question, before, *more)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`.

        Raises:
            MoneySpentError: the request could exceed the cap; it was not sent.
            EngineError: the engine was lost.
        """
        most = self._cap.tariff.most(request.n, len(request.prompt_ids), request.max_tokens)
        async with self._cap.paid(most) as bill:
            # Branches of a problem share its ledger; the bill is of this request alone.
            own = Ledger()
            try:
                draws = await self._policy.draw(replace(request, ledger=own))
                bill.usd = self._cap.tariff.bill(own)
            finally:
                for count in fields(Ledger):
                    total = getattr(request.ledger, count.name) + getattr(own, count.name)
                    setattr(request.ledger, count.name, total)
            return draws

    @property
    def lost(self) -> bool:
        """See `Policy.lost`."""
        return self._policy.lost

    def counters(self) -> EngineCounters:
        """See `Policy.counters`."""
        return self._policy.counters()

    def close(self) -> None:
        """Release the engine."""
        self._policy.close()
