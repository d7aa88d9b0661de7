"""A reward head in the policy's own output matrix: its rewards come with the policy's tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol, Self

from executor.engines.base import EngineCounters
from executor.errors import InputError
from executor.ledger import Ledger
from executor.models.checkpoint import Checkpoint
from executor.models.tokens import Step
from executor.scorers.base import Needs
from executor.scorers.reward_head import HeadCard


class HeadPolicy(Protocol):
    """A policy that holds a reward head."""

    max_context: int
    """Longest context in tokens."""

    def prompt(self, question: str) -> list[int]:
        """Return the token ids that ask `question`."""
        ...

    async def read_head(self, prompt_ids: Sequence[int], ledger: Ledger) -> float:
        """Return the head's logit, without its intercept, after a prompt; draws one token there.

        Raises:
            EngineError: the engine was lost.
        """
        ...

    @property
    def lost(self) -> bool:
        """Whether its engine will never answer again."""
        ...


class FusedScorer:
    """A reward head in the policy's output matrix; it can replace any other scorer of steps.

    Steps that the policy wrote in this run carry what the head said (`Step.reading`), so their
    rewards cost nothing. Steps without it (stored samples, texts of others) cost one request of
    the policy each: it forwards the tokens before the step's end that are not cached, which the
    ledger has as scorer tokens, and draws one token, which the ledger has as discarded. Like the
    question that a PRM is given, such a request has no earlier turns of a conversation.
    """

    scores_steps: Literal[True] = True
    needs: Needs = "logprobs"

    def __init__(self, name: str, card: HeadCard, policy: HeadPolicy) -> None:
        self.name = name
        self.trained_on = frozenset(card.trained_on)
        self.unjudged = 0
        self._intercept = card.intercept
        self._policy = policy
        self._counted = EngineCounters()

    @classmethod
    def load(cls, checkpoint: Checkpoint, policy: HeadPolicy) -> Self:
        """Return the scorer of a head, given its policy, which must hold it (`check_fused`).

        Raises:
            InputError: the head's card cannot be read.
        """
        assert checkpoint.folder is not None
        return cls(checkpoint.name, HeadCard.load(checkpoint.folder), policy)

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`."""
        rewards = []
        for index in range(start, len(steps)):
            reading = steps[index].reading
            if reading is None:
                reading = await self._ask(question, steps[: index + 1], ledger)
            rewards.append(0.0 if reading is None else _sigmoid(reading + self._intercept))
        return rewards

    async def _ask(self, question: str, steps: Sequence[Step], ledger: Ledger) -> float | None:
        """Return what the head says of the last step; None if it ends beyond the context."""
        token_ids = self._policy.prompt(question)
        for step in steps[:-1]:
            token_ids += step.token_ids
        token_ids += steps[-1].token_ids[: steps[-1].end]
        if len(token_ids) >= self._policy.max_context:
            self.unjudged += 1
            return None
        own = Ledger()
        try:
            return await self._policy.read_head(token_ids, own)
        finally:
            prompt = own.prompt + own.cached
            ledger.charge_prm(prompt, own.cached)
            ledger.discarded += own.policy_generated
            self._counted += EngineCounters(prompt, own.cached, own.policy_generated)

    @property
    def lost(self) -> bool:
        """See `StepScorer.lost`."""
        return self._policy.lost

    def counters(self) -> EngineCounters:
        """Return the counts of its requests; those of the policy's engine include them."""
        return replace(self._counted)

    def close(self) -> None:
        """Do nothing: the engine is the policy's."""


def check_fused(checkpoint: Checkpoint, policy: Checkpoint) -> None:
    """Check that a policy holds the reward head of a checkpoint.

    Raises:
        InputError: it does not.
    """
    if checkpoint.location != policy.location:
        raise InputError(
            f"PRM {checkpoint.name}: this reward head lies in the weights of its own policy and "
            f"scores no other; expected --policy {checkpoint.location}"
        )


def _sigmoid(logit: float) -> float:
    if logit < 0:
        return math.exp(logit) / (1 + math.exp(logit))
    return 1 / (1 + math.exp(-logit))
