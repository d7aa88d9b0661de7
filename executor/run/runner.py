"""Runs problems through strategies: a coroutine a problem, each saved as soon as it is finished."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from executor.answers.grader import Grader
from executor.concurrency import inline_or_thread
from executor.errors import InputError
from executor.ledger import Ledger, TokenCap
from executor.outcome import Outcome, SampleRecord, choose, grade
from executor.policies.base import Policy
from executor.problem import Problem, problem_uid, question_id
from executor.run.admission import Admission
from executor.scorers.base import StepScorer
from executor.search import Context, Response, search
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, Strategy

Progress = Callable[[int], None]
# A problem's outcome, and a note that is stored beside it.
Solved = tuple[Outcome, dict[str, Any]]
Solver = Callable[[Problem], Awaitable[Solved]]
# Solves a problem with the models it is given; picklable, since they may be those of a worker.
Job = Callable[["Executor", Problem], Awaitable[Solved]]

# Tokens of responses that are graded in a thread: it takes more than a millisecond or two.
LONG_GRADING = 10_000
# In an outcome's note: the PRM saw this problem in its training, its rewards are not held out.
PRM_TRAINED_ON = "prm_trained_on"


class Models(Protocol):
    """The models and settings of a run, in this process (`Executor`) or in others (`Spread`)."""

    @property
    def policy_name(self) -> str:
        """Name of the policy."""
        ...

    @property
    def prm_name(self) -> str | None:
        """Name of the PRM, or None."""
        ...

    def settings(self, template: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """See `run_settings`."""
        ...

    def without_prm(self) -> Models:
        """The same without a PRM, for strategies that need none: their runs do not name it."""
        ...

    async def run(self, job: Job, problem: Problem) -> Solved:
        """Do a job where the models are.

        Raises:
            EngineError: an engine was lost, or all that could take its place.
        """
        ...


def run_settings(
    sampling: Sampling,
    seed: int,
    token_cap: int | None,
    early_stop: bool,
    digests: Mapping[str, str],
    template: Mapping[str, Any],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """What shapes the outcomes of a run besides its models' names, for its `RunSpec`."""
    return (
        {
            "sampling": asdict(sampling),
            "seed": seed,
            "token_cap": token_cap,
            "template": dict(template),
            "models": dict(digests),
        }
        | ({"early_stop": True} if early_stop else {})
        | dict(more)
    )


@dataclass(frozen=True, slots=True)
class Executor:
    """The models, the grader and the settings that every problem of a run shares."""

    policy: Policy
    prm: StepScorer | None
    grader: Grader
    sampling: Sampling
    seed: int = 0
    token_cap: int | None = None
    early_stop: bool = False
    """Whether what cannot change the answer any more is left undrawn; the answer is the same."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digests of the models' content (`checkpoint_digest`), by role: `policy`, `prm`."""

    @property
    def policy_name(self) -> str:
        """Name of the policy."""
        return self.policy.name

    @property
    def prm_name(self) -> str | None:
        """Name of the PRM, or None."""
        return None if self.prm is None else self.prm.name

    def settings(self, template: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """See `run_settings`."""
        return run_settings(
            self.sampling, self.seed, self.token_cap, self.early_stop, self.digests, template, more
        )

    async def run(self, job: Job, problem: Problem) -> Solved:
        """Do a job here."""
        return await job(self, problem)

    def without_prm(self) -> Executor:
        """The same without a PRM, for strategies that need none: their runs do not name it."""
        digests = {role: digest for role, digest in self.digests.items() if role != "prm"}
        return replace(self, prm=None, digests=digests)

    def note(self, problem: Problem) -> dict[str, Any]:
        """What must be stored beside an outcome of this problem for its evidence to be honest."""
        seen = self.prm is not None and question_id(problem.text) in self.prm.trained_on
        return {PRM_TRAINED_ON: True} if seen else {}

    def context(self, problem: Problem, budget: int, ledger: Ledger | None = None) -> Context:
        """A fresh context for one problem, capped by `token_limit`.

        Args:
            problem: the problem.
            budget: most generations.
            ledger: that what is spent is charged to, as it is spent; a fresh one by default.
        """
        limit = self.token_limit(budget)
        return Context(
            problem, self.policy, self.prm, self.sampling, self.seed, TokenCap(limit),
            grader=self.grader, early_stop=self.early_stop,
            ledger=Ledger() if ledger is None else ledger,
        )  # fmt: skip

    def token_limit(self, budget: int) -> int:
        """Most tokens generated for one problem: `token_cap`, or `budget` full responses."""
        return self.token_cap or budget * self.sampling.max_tokens

    async def solve(
        self,
        problem: Problem,
        strategy: Strategy,
        *,
        context: Context | None = None,
        probes: Sequence[Response] = (),
    ) -> Outcome:
        """Run one strategy on one problem and grade what came out.

        Args:
            problem: the problem.
            strategy: the strategy.
            context: one in which probes were drawn already; a fresh one by default.
            probes: the samples drawn in it.
        """
        self.check(strategy)
        started = time.perf_counter()
        context = context or self.context(problem, strategy.n)
        responses = await search(strategy, context, probes=probes)
        return await self.conclude(strategy, context, responses, started)

    def check(self, strategy: Strategy) -> None:
        """InputError where a strategy cannot be run with these models."""
        if strategy.needs_prm and self.prm is None:
            raise InputError(f"strategy {strategy.name} needs a PRM; give one with --prm")

    async def conclude(
        self,
        strategy: Strategy,
        context: Context,
        responses: Sequence[Response],
        started: float,
    ) -> Outcome:
        """Grade a strategy's responses and choose between them.

        Args:
            strategy: whose vote counts.
            context: that they were drawn in.
            responses: in the order they count in.
            started: when, by `time.perf_counter`.
        """
        problem = context.problem

        def judge() -> tuple[list[SampleRecord], int | None]:
            graded = grade(responses, problem, self.grader)
            return graded, choose(strategy, graded, self.grader)

        # Grading may wait for the grader's process; the engines go on meanwhile.
        long = context.ledger.policy_generated > LONG_GRADING
        samples, chosen = await inline_or_thread(judge, long=long)
        seconds = time.perf_counter() - started
        return Outcome(
            problem=problem,
            answer=None if chosen is None else samples[chosen].answer,
            correct=None if problem.answer is None else bool(chosen is not None
                                                            and samples[chosen].correct),
            chosen=chosen,
            samples=tuple(samples),
            ledger=context.ledger,
            seconds=seconds,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ByStrategy:
    """The job of running one strategy."""

    strategy: Strategy

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """The outcome, and what must be noted of the problem."""
        return await executor.solve(problem, self.strategy), executor.note(problem)


async def run_problems(
    problems: Sequence[Problem],
    solver: Solver,
    store: Store,
    spec: RunSpec,
    *,
    progress: Progress = lambda finished: None,
    admission: Admission | None = None,
) -> int:
    """Solve what a run has not finished yet; every finished problem is one transaction.

    Args:
        problems: all problems of the run, finished ones included.
        solver: solves one.
        store: where outcomes go.
        spec: the run.
        progress: called with the number of problems newly finished (first with those found).
        admission: how many problems are in flight; by default a fixed number.

    Returns:
        How many problems were solved now.

    Raises:
        EngineError: an engine was lost; what was finished before is stored.
    """
    done = store.start(spec)
    by_uid = {problem_uid(problem): problem for problem in problems}
    todo = [problem for uid, problem in by_uid.items() if uid not in done]
    progress(len(problems) - len(todo))
    admission = admission or Admission()
    saving = asyncio.Lock()
    saves: set[asyncio.Task[None]] = set()

    async def save(outcome: Outcome, note: dict[str, Any]) -> None:
        async with saving:
            await asyncio.to_thread(store.save, spec, outcome, note)
        progress(1)

    async def solve(problem: Problem) -> None:
        outcome, note = await solver(problem)
        admission.learn(outcome)
        saves.add(task := asyncio.create_task(save(outcome, note)))
        # What is solved is saved, even where another problem ends the run meanwhile.
        await asyncio.shield(task)
        saves.discard(task)

    in_flight: set[asyncio.Task[None]] = set()
    try:
        for problem in todo:
            while not admission.room(len(in_flight)):
                in_flight = await _some_done(in_flight)
            in_flight.add(asyncio.create_task(solve(problem)))
        while in_flight:
            in_flight = await _some_done(in_flight)
    finally:
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
        await asyncio.gather(*saves, return_exceptions=True)
    return len(todo)


async def _some_done(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Those that still run once some have ended; raises what one of these raised."""
    done, running = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return running
