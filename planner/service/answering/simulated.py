"""An answerer over a simulated policy: the real executor, search, votes and ledger, and no router.

For tests, fault drills and the bench of the server's own time. It runs the strategy that a query
forces, or else always the same, and knows no difficulty.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

from executor.answers.grader import Grader
from executor.errors import InputError
from executor.outcome import Outcome
from executor.policies.simulated import EOS_ID, SimulatedPolicy, SimulatedPrm
from executor.problem import Problem, question_id
from executor.run.admission import CONCURRENCY
from executor.run.runner import Executor
from executor.search import State
from executor.strategy import Majority, Sampling, Strategy
from planner.service.answering.answerer import Answered, NoRoomError, Progress, Query, Report


class SimulatedAnswerer:
    """Answers every query by one strategy.

    Args:
        policy, prm: that answer; a PRM is only needed by strategies that do.
        grader: of their answers.
        strategy: where a query forces none.
    """

    def __init__(
        self,
        policy: SimulatedPolicy,
        grader: Grader,
        *,
        prm: SimulatedPrm | None = None,
        strategy: Strategy | None = None,
    ) -> None:
        self.policy = policy
        self.closed = False
        self.fault: str | None = None
        self._strategy = strategy or Majority(4)
        self._executor = Executor(policy, prm, grader, Sampling(max_tokens=512))

    @property
    def model(self) -> str:
        """The policy's name."""
        return self.policy.name

    async def answer(self, query: Query, progress: Report) -> Answered:
        """See `Answerer.answer`."""
        strategy = query.strategy or self._strategy
        sampling = self._executor.sampling
        if query.max_tokens is not None:
            sampling = replace(sampling, max_tokens=query.max_tokens)
        if query.temperature is not None:
            sampling = replace(sampling, temperature=query.temperature)
        seed = secrets.randbits(31) if query.seed is None else query.seed
        executor = replace(self._executor, sampling=sampling, seed=seed)
        problem = Problem(question_id(query.text), query.text, None)
        progress(Progress("searching", 0, strategy.name, None))
        context = executor.context(problem, strategy.n, query.ledger)
        outcome = await executor.solve(problem, strategy, context=context)
        if not outcome.samples:
            raise NoRoomError(query, self.policy.max_context)
        return _answered(outcome, strategy, query.n)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `Answerer.decode`; a token is a character."""
        if max(token_ids) >= EOS_ID or any(0xD800 <= token < 0xE000 for token in token_ids):
            raise InputError(f"prompt: token ids must be characters' below {EOS_ID}")
        return self.policy.tokens.decode(token_ids)

    @property
    def places(self) -> int:
        """See `Answerer.places`."""
        return CONCURRENCY

    async def ready(self) -> str | None:
        """`fault`, which drills set."""
        await asyncio.sleep(0)
        return self.fault

    async def close(self) -> None:
        """See `Answerer.close`."""
        self.closed = True
        self.policy.close()


def _answered(outcome: Outcome, strategy: Strategy, n: int) -> Answered:
    """The chosen response, then others that differ from it, in the order they were drawn."""
    chosen = [] if outcome.chosen is None else [outcome.samples[outcome.chosen]]
    best = {sample.text: sample for sample in [*chosen, *outcome.samples]}
    shown = list(best.values())[:n]
    return Answered(
        texts=tuple(sample.text for sample in shown),
        finish=tuple("stop" if s.state == State.FINISHED.value else "length" for s in shown),
        answer=outcome.answer,
        strategy=strategy,
        difficulty="all",
        predicted_accuracy=None,
        interval=None,
        ledger=outcome.ledger,
        seconds=outcome.seconds,
        cost={"flops": None, "usd": None, "seconds": None},
        notes=(),
        explain={},
    )
