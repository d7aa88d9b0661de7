"""What all strategies share: partial responses, and the context a problem is searched in."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.policy import Draw, Policy
from executor.prm.base import Prm
from executor.problem import Problem
from executor.strategy import Sampling, Score
from executor.tokens import Step

T = TypeVar("T")


class State(StrEnum):
    """Where a response stands."""

    LIVE = "live"  # more steps may follow
    FINISHED = "finished"  # the policy ended it
    CUT = "cut"  # it ran into a limit; it has no answer


@dataclass(frozen=True, slots=True)
class Response:
    """A response, or the part of one that has been written so far.

    Attributes:
        steps: its steps.
        rewards: the PRM's reward of each step; empty where nothing was scored.
        state: whether it may go on, was finished by the policy, or was cut by a limit.
        logprob: log-probability of its tokens under the policy, in nats.
        branches: `(serial, tokens)` of the draws it is made of in a tree search; responses with a
            common past share their first ones, so that each token is charged once.
    """

    steps: tuple[Step, ...] = ()
    rewards: tuple[float, ...] = ()
    state: State = State.LIVE
    logprob: float = 0.0
    branches: tuple[tuple[int, int], ...] = ()

    @property
    def token_ids(self) -> list[int]:
        """All its tokens in order."""
        return [token for step in self.steps for token in step.token_ids]

    @property
    def n_tokens(self) -> int:
        """How many tokens it has."""
        return sum(len(step.token_ids) for step in self.steps)

    @property
    def text(self) -> str:
        """Its text, special tokens left out."""
        return "".join(step.text for step in self.steps)


@dataclass(slots=True)
class Context:
    """One problem being solved: its models, its settings, its ledger and its token cap."""

    problem: Problem
    policy: Policy
    prm: Prm | None
    sampling: Sampling
    seed: int
    cap: TokenCap
    ledger: Ledger = field(default_factory=Ledger)
    serials: Iterator[int] = field(default_factory=itertools.count)
    _prompt: list[int] | None = None

    @property
    def prompt(self) -> list[int]:
        """The token ids that ask the problem."""
        if self._prompt is None:
            self._prompt = self.policy.prompt(self.problem.text)
        return self._prompt

    async def draw(
        self,
        so_far: Sequence[int],
        n: int,
        *,
        max_tokens: int,
        where: str,
        temperature: float | None = None,
        stop: Sequence[str] = (),
    ) -> list[Draw]:
        """`n` continuations of a response; none where the token cap or the context is full.

        Args:
            so_far: the response's tokens until here.
            n: draws.
            max_tokens: most tokens a draw.
            where: names the place in the search; with the problem and the seed it makes the
                draws' seed, whatever order branches run in.
            temperature: overrides the sampling temperature.
            stop: strings that end a draw.
        """
        room = self.policy.max_context - len(self.prompt) - len(so_far)
        each = self.cap.reserve(n, min(max_tokens, room))
        if each < 1:
            return []
        # Cancelled or lost draws keep their reservation: the problem is over, and a cap that gave
        # back too much would not be one.
        used = n * each
        try:
            draws = await self.policy.draw(
                [*self.prompt, *so_far],
                n=n,
                max_tokens=each,
                temperature=self.sampling.temperature if temperature is None else temperature,
                top_p=1.0 if temperature == 0 else self.sampling.top_p,
                seed=derive_seed(self.seed, self.problem.id, where),
                stop=stop,
                ledger=self.ledger,
            )
            used = sum(len(draw.token_ids) for draw in draws)
        finally:
            self.cap.settle(n * each, used)
        return draws

    async def score(self, steps: Sequence[Step], start: int) -> list[float]:
        """Rewards of `steps[start:]`; a step in which nothing is written is worth 0."""
        if self.prm is None:
            raise InputError("this strategy needs a PRM; give one with --prm")
        if not steps[-1].text.strip():
            return [0.0] * (len(steps) - start)
        return await self.prm.score(self.problem.text, steps, start=start, ledger=self.ledger)


async def together(branches: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """The results of branches run at once; where one fails, the others are cancelled first."""
    tasks = [asyncio.ensure_future(branch) for branch in branches]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def derive_seed(seed: int, *keys: str) -> int:
    """A 31-bit seed for one place of one problem, the same on every machine."""
    digest = hashlib.sha256(repr((seed, *keys)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def aggregate(rewards: Sequence[float], score: Score) -> float:
    """Step rewards as one number; a response without steps is worth 0."""
    if not rewards:
        return 0.0
    match score:
        case Score.MIN:
            return min(rewards)
        case Score.LAST:
            return rewards[-1]
        case Score.MEAN:
            return math.fsum(rewards) / len(rewards)
        case Score.PROD:
            return math.prod(rewards)
