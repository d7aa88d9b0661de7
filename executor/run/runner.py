"""Runs of strategies on problems: one coroutine per problem, each saved when it finishes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from executor.answers.account import grading_account
from executor.answers.grader import Grader
from executor.concurrency import inline_or_thread
from executor.errors import InputError, MoneySpentError
from executor.ledger import Ledger, TokenCap
from executor.outcome import Outcome, SampleRecord, choose, grade
from executor.policies.base import AnyPolicy, ChatPolicy, Reads, no_tokens
from executor.problem import MATHS, Problem, problem_uid, question_id
from executor.run.admission import Admission
from executor.run.sharing import SharedRun
from executor.scorers.base import AnyScorer, check_scorer_for, top_logprobs_for
from executor.search import Context, Response, search
from executor.store.store import RunSpec, Store
from executor.strategy import STEP_SEARCHES, Aggregate, Greedy, Sampling, Strategy

Progress = Callable[[int], None]
# A problem's outcome, and a note that is stored with it.
Solved = tuple[Outcome, dict[str, Any]]
Solver = Callable[[Problem], Awaitable[Solved]]
# Solves a problem with the given models; picklable, since these may be a worker's.
Job = Callable[["Executor", Problem], Awaitable[Solved]]

# Tokens of responses above which they are graded in a thread: it takes over two milliseconds.
LONG_GRADING = 10_000
# Key in the settings of a run whose problems are of another domain than maths.
DOMAIN = "domain"
# Key in an outcome's note: the PRM was trained on this problem, so its rewards are not held out.
PRM_TRAINED_ON = "prm_trained_on"
# Key in an outcome's note: the question fills the policy's context, so nothing was drawn.
CONTEXT_EXCEEDED = "context_exceeded"
# Key in an outcome's note: what kept its programs from the machine (`executor.sandbox.sandbox`).
ISOLATION = "isolation"
# Key in an outcome's note: number of its samples of which nothing stands behind the thought.
ONLY_THOUGHTS = "only_thoughts"
# Key in an outcome's note: calls of a chat policy's endpoint, and what became of them.
ENDPOINT = "endpoint"


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
        """Return the same without a PRM; runs of strategies that need none do not name it."""
        ...

    async def run(self, job: Job, problem: Problem) -> Solved:
        """Do a job in the process that holds the models.

        Raises:
            EngineError: an engine was lost, and so were all that could replace it.
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
    domain: str = MATHS,
    top_logprobs: int | None = None,
) -> dict[str, Any]:
    """Return all that shapes the outcomes of a run besides its models' names, for its `RunSpec`.

    Args:
        sampling: sampling settings.
        seed: base seed.
        token_cap: most tokens generated per problem, or None.
        early_stop: whether settled votes end early.
        digests: digests of the models' content by role.
        template: task template of the policy.
        more: further settings.
        domain: what an answer is (`executor.domains`).
        top_logprobs: see `DrawRequest`. It does not change how the policy samples, so it is not
            part of `sampling`; a run with it is another, because its samples hold more.
    """
    return (
        {
            "sampling": sampling.to_dict(),
            "seed": seed,
            "token_cap": token_cap,
            "template": dict(template),
            "models": dict(digests),
        }
        | ({"early_stop": True} if early_stop else {})
        | ({DOMAIN: domain} if domain != MATHS else {})
        | ({} if top_logprobs is None else {"top_logprobs": top_logprobs})
        | dict(more)
    )


def check_reads(strategy: Aggregate, policy: str, reads: Reads) -> None:
    """Check that a policy can read the earlier answers that a strategy shows it.

    Raises:
        InputError: it reads single questions alone.
    """
    if reads is Reads.QUESTION:
        raise InputError(
            f"strategy {strategy.name}: policy {policy} was trained on single questions and cannot "
            "read earlier answers; expected another policy or strategy"
        )


def check_continues(strategy: Strategy, policy: str) -> None:
    """Check that a strategy needs no more than whole responses, which is all a chat policy gives.

    Raises:
        InputError: it searches step by step.
    """
    if isinstance(strategy, STEP_SEARCHES):
        raise InputError(
            no_tokens(f"strategy {strategy.name} continues responses step by step", policy)
        )


@dataclass(frozen=True, slots=True)
class Executor:
    """The models, the grader and the settings that every problem of a run shares."""

    policy: AnyPolicy
    prm: AnyScorer | None
    grader: Grader
    sampling: Sampling
    seed: int = 0
    token_cap: int | None = None
    early_stop: bool = False
    """Whether to skip draws that cannot change the answer."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digests of the models' content (`checkpoint_digest`), by role: `policy`, `prm`."""
    domain: str = MATHS
    """What an answer is; the grader is this domain's."""
    top_logprobs: int | None = None
    """See `DrawRequest.top_logprobs`; None: what the scorer needs."""

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
            self.sampling, self.seed, self.token_cap, self.early_stop, self.digests, template, more,
            self.domain, self._top_logprobs,
        )  # fmt: skip

    @property
    def _top_logprobs(self) -> int | None:
        return top_logprobs_for(self.top_logprobs, None if self.prm is None else self.prm.needs)

    async def run(self, job: Job, problem: Problem) -> Solved:
        """Do a job in this process."""
        return await job(self, problem)

    def without_prm(self) -> Executor:
        """Return the same without a PRM; runs of strategies that need none do not name it."""
        digests = {role: digest for role, digest in self.digests.items() if role != "prm"}
        return replace(self, prm=None, digests=digests)

    def note(self, context: Context, outcome: Outcome | None = None) -> dict[str, Any]:
        """Return the note to store with the outcome of a context's problem.

        It says if the PRM was trained on the problem, if the question fills the context, how
        programs were isolated, if any were run, how many samples ended in their thoughts, and what
        the endpoint of a chat policy did (`Bill.to_dict`).
        """
        asked = question_id(context.problem.text)
        seen = self.prm is not None and asked in self.prm.trained_on
        isolation = getattr(self.grader, "isolation", None)
        samples = () if outcome is None else outcome.samples
        thoughts = sum(sample.only_thought for sample in samples)
        billed = context.bill.to_dict()
        return (
            ({PRM_TRAINED_ON: True} if seen else {})
            | ({CONTEXT_EXCEEDED: True} if context.full else {})
            | ({} if isolation is None else {ISOLATION: str(isolation)})
            | ({ONLY_THOUGHTS: thoughts} if thoughts else {})
            | ({ENDPOINT: billed} if billed else {})
        )

    def context(self, problem: Problem, budget: int, ledger: Ledger | None = None) -> Context:
        """Return a fresh context for one problem, capped by `token_limit`.

        Args:
            problem: the problem.
            budget: most generations.
            ledger: ledger that tokens are charged to at once; a fresh one by default.
        """
        limit = self.token_limit(budget)
        return Context(
            problem, self.policy, self.prm, self.sampling, self.seed, TokenCap(limit),
            grader=self.grader, early_stop=self.early_stop,
            ledger=Ledger() if ledger is None else ledger, top_logprobs=self._top_logprobs,
        )  # fmt: skip

    def token_limit(self, budget: int) -> int:
        """Return the token limit of one problem: `token_cap`, or `budget` full responses."""
        return self.token_cap or budget * self.sampling.max_tokens

    async def solve(
        self,
        problem: Problem,
        strategy: Strategy,
        *,
        context: Context | None = None,
        probes: Sequence[Response] = (),
    ) -> Outcome:
        """Run one strategy on one problem and grade its responses.

        Args:
            problem: the problem.
            strategy: the strategy.
            context: context in which probes were drawn; a fresh one by default.
            probes: samples that were drawn in it.

        Raises:
            InputError: the strategy cannot run with these models.
            EngineError: an engine was lost.
        """
        self.check(strategy)
        started = time.perf_counter()
        context = context or self.context(problem, strategy.n)
        with grading_account():
            responses = await search(strategy, context, probes=probes)
            return await self.conclude(strategy, context, responses, started)

    def check(self, strategy: Strategy) -> None:
        """Check that a strategy can run with these models.

        Raises:
            InputError: it needs a scorer, and there is none, or none that can do what it needs; or
                it shows the policy earlier answers, and the policy reads single questions alone; or
                it continues responses, and the policy is a chat policy.
        """
        if isinstance(self.policy, ChatPolicy):
            check_continues(strategy, self.policy.name)
        if self.prm is None:
            check_scorer_for(strategy, None)
        else:
            check_scorer_for(strategy, self.prm.name, scores_steps=self.prm.scores_steps)
        if isinstance(strategy, Aggregate):
            check_reads(strategy, self.policy.name, self.policy.reads)

    async def conclude(
        self,
        strategy: Strategy,
        context: Context,
        responses: Sequence[Response],
        started: float,
    ) -> Outcome:
        """Grade responses and choose one by the strategy's vote.

        Args:
            strategy: the strategy.
            context: context of the responses.
            responses: responses, in the order of the vote.
            started: start of the search, by `time.perf_counter`.
        """
        problem = context.problem
        # A single response needs no vote, so that nothing is run but its tests.
        executions = None if isinstance(strategy, Greedy) else context.executions

        def judge() -> tuple[list[SampleRecord], int | None]:
            graded = grade(responses, problem, self.grader, executions)
            return graded, choose(strategy, graded, self.grader)

        # Grading may wait for the grader's child process; the engines go on meanwhile.
        long = context.ledger.policy_generated > LONG_GRADING
        with grading_account() as account:
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
            unknown=context.unknown,
            uncompared=account.uncompared,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ByStrategy:
    """The job that runs one strategy."""

    strategy: Strategy

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """Run the strategy; return the outcome and its note."""
        context = executor.context(problem, self.strategy.n)
        outcome = await executor.solve(problem, self.strategy, context=context)
        return outcome, executor.note(context, outcome)


async def run_problems(
    problems: Sequence[Problem],
    solver: Solver,
    store: Store,
    spec: RunSpec,
    *,
    progress: Progress = lambda finished: None,
    admission: Admission | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> int:
    """Solve the unfinished problems of a run; each finished one is saved in one transaction.

    Other processes may work on the same run at the same time: they share its problems, and each
    ends when all are finished.

    Args:
        problems: all problems of the run, including finished ones.
        solver: function that solves one problem.
        store: store of the outcomes.
        spec: the run.
        progress: callback for the number of newly finished problems; the first call counts those
            that the store already has.
        admission: limit of problems in flight; a fixed number by default.
        say: receives remarks for people.

    If the money of the run is spent (`executor.spending`), no new problem begins. Those in flight
    end if what they still ask can be paid, and the others are left for another time.

    Returns:
        Number of problems that this process solved now.

    Raises:
        EngineError: an engine was lost; problems that finished before are stored.
        StoreLostError: the store's database was lost, and did not come back in time.
    """
    done = store.start(spec)
    by_uid = {problem_uid(problem): problem for problem in problems}
    todo = [uid for uid in by_uid if uid not in done]
    progress(len(problems) - len(todo))
    admission = admission or Admission()
    solved, is_spent = 0, False

    async def solve(problem: Problem) -> None:
        nonlocal solved, is_spent
        try:
            outcome, note = await solver(problem)
        except MoneySpentError:
            is_spent = True
            solved -= 1
            return
        admission.learn(outcome)
        await shared.save(outcome, note)

    in_flight: set[asyncio.Task[None]] = set()
    async with SharedRun(store, spec, todo, progress, say) as shared:
        try:
            while (shared.left and not is_spent) or in_flight:
                places = 0 if is_spent else admission.places - len(in_flight)
                for uid in await shared.take(places):
                    in_flight.add(asyncio.create_task(solve(by_uid[uid])))
                    solved += 1
                in_flight = await _some_done(in_flight, shared)
        finally:
            for task in in_flight:
                task.cancel()
            await asyncio.gather(*in_flight, return_exceptions=True)
    return solved


async def _some_done(tasks: set[asyncio.Task[None]], shared: SharedRun) -> set[asyncio.Task[None]]:
    """Wait until tasks have ended or others' problems may be free, and return the running tasks.

    Raises an ended task's error.
    """
    if not tasks:
        if (pause := shared.pause) is not None:
            shared.waits()
            await asyncio.sleep(pause)
        return tasks
    done, running = await asyncio.wait(
        tasks, timeout=shared.pause, return_when=asyncio.FIRST_COMPLETED
    )
    for task in done:
        task.result()
    return running
