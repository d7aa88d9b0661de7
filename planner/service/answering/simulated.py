"""An answerer over a simulated policy, with the real executor, search, votes and ledger.

For tests, fault drills and the benchmark of the server's own time. It has no router and estimates
no difficulty: it runs the strategy that a query forces, or else always the same one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

from executor.answers.grader import Grader
from executor.answers.json_grader import JsonGrader
from executor.errors import InputError
from executor.outcome import Outcome
from executor.policies.simulated import EOS_ID, SimulatedPolicy, SimulatedPrm
from executor.problem import question_id
from executor.run.admission import CONCURRENCY
from executor.run.runner import Executor
from executor.search import State
from executor.strategy import Majority, Sampling, Strategy
from planner.notes import Note, NoteCode
from planner.service.answering.answerer import (
    ContextExceededError,
    Query,
    QueryProgress,
    QueryResult,
    ReportProgress,
)
from planner.service.answering.asking import (
    conversation_notes,
    json_strategy,
    problem_of,
    sampling_notes,
    sampling_of,
)


class SimulatedAnswerer:
    """Answers every query by one strategy.

    Args:
        policy, prm: the simulated models; only some strategies need a PRM.
        grader: grades the answers.
        strategy: strategy of queries that force none.
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
        self._executor = Executor(policy, prm, grader, Sampling())

    @property
    def model(self) -> str:
        """See `Answerer.model`: the policy's name."""
        return self.policy.name

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        """See `Answerer.answer`."""
        plain, strategy = self._executor, query.strategy or self._strategy
        if query.json_schema is not None:
            plain = replace(plain, grader=JsonGrader())
            strategy = json_strategy(query, self.policy, strategy.n)
        seed = secrets.randbits(31) if query.seed is None else query.seed
        executor = replace(plain, sampling=sampling_of(query, plain.sampling), seed=seed)
        problem = replace(problem_of(query), id=question_id(query.text))
        progress(QueryProgress("searching", 0, strategy.name, None))
        context = executor.context(problem, strategy.n, query.ledger)
        outcome = await executor.solve(problem, strategy, context=context)
        if not outcome.samples:
            raise ContextExceededError(query, self.policy.max_context)
        notes = [*sampling_notes(query, plain.sampling)]
        notes += conversation_notes(query, self.policy.reads)
        if query.json_schema is not None:
            notes.append(Note.of(NoteCode.JSON_VOTE))
        return replace(_result(outcome, strategy, query.n), notes=tuple(notes))

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `Answerer.decode`; each token is one character."""
        if max(token_ids) >= EOS_ID or any(0xD800 <= token < 0xE000 for token in token_ids):
            raise InputError(f"prompt: token ids must be code points of characters below {EOS_ID}")
        return self.policy.tokens.decode(token_ids)

    @property
    def concurrency(self) -> int:
        """See `Answerer.concurrency`."""
        return CONCURRENCY

    async def ready(self) -> str | None:
        """Return `fault`, which fault drills set."""
        await asyncio.sleep(0)
        return self.fault

    async def close(self) -> None:
        """See `Answerer.close`."""
        self.closed = True
        self.policy.close()


def _result(outcome: Outcome, strategy: Strategy, n: int) -> QueryResult:
    """Return the chosen response, then different ones in the order in which they were drawn."""
    chosen = [] if outcome.chosen is None else [outcome.samples[outcome.chosen]]
    best = {sample.text: sample for sample in [*chosen, *outcome.samples]}
    shown = list(best.values())[:n]
    return QueryResult(
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
        uncompared=outcome.uncompared,
    )
