"""A policy whose every request is paid from a cap in USD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from executor.engines.base import EngineCounters
from executor.ledger import Ledger
from executor.models.templates import PromptTemplate
from executor.policies.base import (
    ChatPolicy,
    ChatRequest,
    ContextFullError,
    Draw,
    DrawRequest,
    Messages,
    Policy,
    Written,
)
from executor.spending import MoneyCap

# What an endpoint may add to a conversation: marks of its turns, and a system prompt of its own.
_ADDED_TOKENS = 256


def most_prompt_tokens(messages: Messages) -> int:
    """Return the most tokens that an endpoint may count for messages.

    Its tokenizer is not here. No token of a byte-level vocabulary is less than a byte.
    """
    texts = (text for message in messages for text in message.values())
    return _ADDED_TOKENS + sum(len(text.encode()) for text in texts)


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
        # What a policy that thinks renders its prompts with (`executor.policies.thinking`).
        self.template: PromptTemplate = getattr(policy, "template", PromptTemplate())
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
                request.ledger.take(own)
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


class CappedChatPolicy(ChatPolicy):
    """A chat policy of which nothing is asked that could exceed the cap.

    The prompt is reserved as `most_prompt_tokens`. If the endpoint does not say what it bills, the
    whole reservation counts as spent.

    Args:
        policy: the policy that writes.
        cap: the money of the run.
    """

    def __init__(self, policy: ChatPolicy, cap: MoneyCap) -> None:
        self._policy = policy
        self._cap = cap
        self.name = policy.name
        self.capacity = policy.capacity

    def ask(
        self,
        question: str,
        before: Sequence[tuple[str, str]] = (),
        answers: Sequence[str] = (),
    ) -> Messages:
        """See `ChatPolicy.ask`."""
        return self._policy.ask(question, before, answers)

    async def write(self, request: ChatRequest) -> list[Written]:
        """See `ChatPolicy.write`.

        Raises:
            MoneySpentError: the request could exceed the cap; it was not sent.
        """
        tariff = self._cap.tariff
        most = tariff.most(request.n, most_prompt_tokens(request.messages), request.max_tokens)
        async with self._cap.paid(most) as bill:
            own = Ledger()
            try:
                written = await self._policy.write(replace(request, ledger=own))
            except ContextFullError:  # refused, and not billed
                bill.usd = tariff.bill(own)
                raise
            else:
                if not {"prompt", "generated"} & request.bill.unknown:
                    bill.usd = tariff.bill(own)
            finally:
                request.ledger.take(own)
            return written

    def counters(self) -> EngineCounters:
        """See `ChatPolicy.counters`."""
        return self._policy.counters()

    def close(self) -> None:
        """Release what it holds."""
        self._policy.close()
