"""Runs a plan on one problem: probe where that is worth it, decide, spend what the plan says."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor.concurrency import inline_or_thread
from executor.ledger import Ledger
from executor.outcome import Outcome, grade
from executor.problem import Problem
from executor.run.runner import LONG_GRADING, Executor, Solved
from executor.search import Response, State, sample, score_all, search
from executor.search.partial_results import PartialResults
from executor.strategy import Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.recommend import uses_probes
from planner.plans.plan import DEFAULT, Entry, Plan
from planner.plans.reference import agreeing
from planner.runtime.decision import Decision, Look, by_text, chances_of, decide, look
from profiling.arrays import Floats
from profiling.difficulty.estimator import Estimated
from profiling.difficulty.probes import Probes, text_features

# Characters of a question: a longer one is looked through and cut into tokens in a thread, since
# either takes more than a millisecond or two.
LONG_TEXT = 4_000

# What has been decided, and how many tokens the policy has written by then.
Progress = Callable[[str, Decision | None, int], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """What one question asks for beside the plan.

    Attributes:
        constraint: of its own; None: the plan's.
        strategy: to be run whatever the plan says.
        seconds: after which the best answer so far is taken; None: however long it takes.
        weigh: see `planner.runtime.decision.look`.
        ledger: that what is spent is charged to, as it is spent.
    """

    constraint: Constraint | None = None
    strategy: Strategy | None = None
    seconds: float | None = None
    weigh: bool = False
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """A question answered.

    Attributes:
        outcome: what came out.
        decision: what was run, and why.
        looked: whether it was probed, and why.
        agreement: of how many probes how many agreed; None where none were drawn.
        cut: whether time ran out before the strategy had ended.
        seen: what must be stored of the problem (`Executor.note`).
        deciding: seconds that it took to find what the text says, to weigh probes, to find what
            they say, and to choose; drawing and scoring them is not in it.
    """

    outcome: Outcome
    decision: Decision
    looked: Look
    agreement: tuple[int, int] | None
    cut: bool
    seen: Mapping[str, Any]
    deciding: float = field(default=0.0, compare=False)

    @property
    def note(self) -> dict[str, Any]:
        """What must be stored beside the outcome, with the difficulty and all that was estimated
        of it."""
        estimate = self.decision.estimate
        told = {} if estimate is None else {"estimate": estimate.to_dict()}
        return {**self.seen, "difficulty": self.decision.difficulty, **told}


@dataclass(frozen=True, slots=True)
class ByPlan:
    """The job of answering by a plan; the note also names the strategy that was run."""

    plan: Plan

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """See `route`."""
        routed = await route(executor, self.plan, problem)
        return routed.outcome, routed.note | {"strategy": routed.decision.strategy.name}


async def solve_by_plan(executor: Executor, plan: Plan, problem: Problem) -> Solved:
    """Answer a problem as the plan says.

    Returns:
        The outcome, and a note with the difficulty and all that was estimated of it.
    """
    routed = await route(executor, plan, problem)
    return routed.outcome, routed.note


async def route(
    executor: Executor,
    plan: Plan,
    problem: Problem,
    ask: Ask = Ask(),
    progress: Progress = lambda stage, decision, tokens: None,
) -> Routed:
    """Answer a problem as the plan says, under a constraint of its own where it has one.

    No reference answer is looked at on the way. Probe samples count towards the budget of
    strategies that sample whole responses; for the others their tokens are charged as probes.

    Raises:
        InputError: nothing keeps to the constraint, or a strategy needs a PRM and there is none.
        EngineError: an engine was lost.
    """
    started = time.perf_counter()
    long = len(problem.text) > LONG_TEXT
    about = await asyncio.to_thread(text_features, problem.text) if long else None
    routing = _Routing(executor, plan, problem, ask, progress, started, about)
    if long:
        await asyncio.to_thread(routing.read)
    return await routing.run()


class _Routing:
    """One problem on its way."""

    def __init__(
        self,
        executor: Executor,
        plan: Plan,
        problem: Problem,
        ask: Ask,
        progress: Progress,
        started: float,
        about: Floats | None,
    ) -> None:
        self._started = started
        self._executor = executor
        self._plan = plan
        self._problem = problem
        self._ask = ask
        self._progress = progress
        self._constraint = ask.constraint or plan.own_constraint
        self._scored = executor.prm is not None
        self._decision: Decision | None = None
        self._agreement: tuple[int, int] | None = None
        if ask.strategy is not None:
            about = text_features(problem.text) if about is None else about
            estimate = by_text(plan, problem.text, about)
            self._looked = Look(0, known=False, estimate=estimate, about=about)
        else:
            self._looked = look(
                plan, problem.text, self._constraint,
                scored=self._scored, weigh=ask.weigh, about=about,
            )  # fmt: skip
        self._deciding = time.perf_counter() - started
        # Until it is decided what to run: what the probes may take.
        self._context = executor.context(problem, max(1, self._looked.probes), ask.ledger)
        self._so_far = PartialResults(self._context)

    def read(self) -> None:
        """Find the question's tokens, which are kept."""
        _ = self._context.prompt

    async def run(self) -> Routed:
        """Probe, decide, search; or what there is when time runs out."""
        cut, left = False, self._ask.seconds
        if left is not None:
            left -= time.perf_counter() - self._started
        try:
            async with asyncio.timeout(left) as deadline:
                responses = await self._search()
        except TimeoutError:
            if not deadline.expired():
                raise  # somebody else's
            # Before it is decided there are probes alone, and they vote.
            scored = self._decision is not None and self._decision.strategy.needs_prm
            cut, responses = True, self._so_far.responses(scored=scored)
            self._so_far.charge(scored=scored)
        decision = self._decision or Decision(Majority(max(1, len(responses))), DEFAULT, None)
        executor, problem = self._executor, self._problem
        outcome = await executor.conclude(
            decision.strategy, self._context, responses, self._started
        )
        seen = executor.note(problem)
        return Routed(
            outcome, decision, self._looked, self._agreement, cut, seen, self._deciding
        )  # fmt: skip

    async def _search(self) -> list[Response]:
        self._progress("probing", None, 0)
        probes = await self._probes()
        began = time.perf_counter()
        try:
            decision = self._decision = await self._decide(probes)
        finally:
            self._deciding += time.perf_counter() - began
        strategy, context = decision.strategy, self._context
        self._progress("routed", decision, context.ledger.policy_generated)
        usable = uses_probes(strategy, len(probes))
        budget = strategy.n + (0 if usable else len(probes))
        context.cap.limit = self._executor.token_limit(budget)
        if not usable:
            tokens = sum(response.n_tokens for response in probes)
            context.ledger.generated -= tokens
            context.ledger.probe += tokens
            self._so_far.set_aside()
        self._executor.check(strategy)
        return await search(strategy, context, probes=probes if usable else ())

    async def _probes(self) -> list[Response]:
        wanted = self._looked.probes
        if not wanted:
            return []
        probes = await sample(self._context, wanted, where="probe")
        if self._scored:
            probes = await score_all(self._context, probes)
        return probes

    async def _decide(self, probes: Sequence[Response]) -> Decision:
        plan, looked = self._plan, self._looked
        if self._ask.strategy is not None:
            return self._forced(self._ask.strategy)
        estimate = looked.estimate
        if looked.probes and len(probes) < looked.probes:
            estimate = None  # the question fills the context: nothing can be drawn
        elif looked.probes and not self._cut_short(probes):
            estimate = await self._estimated(probes)
        return decide(
            plan, looked, estimate, self._constraint, drawn=len(probes), scored=self._scored
        )

    def _cut_short(self, probes: Sequence[Response]) -> bool:
        """Whether a limit below the plan's cut probes: they lack answers, and not for being hard.

        Probes of which none was cut are those that the plan's limit would have given.
        """
        if self._executor.sampling.max_tokens >= self._plan.sampling.max_tokens:
            return False
        return any(probe.state is State.CUT for probe in probes)

    async def _estimated(self, probes: Sequence[Response]) -> Estimated:
        grader, classifier = self._executor.grader, self._plan.classifier
        about = self._looked.about
        assert classifier is not None
        unlabelled = dataclasses.replace(self._problem, answer=None)

        def see() -> Probes:
            return Probes.of(unlabelled.text, grade(probes, unlabelled, grader), grader, about)

        long = self._context.ledger.policy_generated > LONG_GRADING
        seen = await inline_or_thread(see, long=long)
        self._agreement = agreeing(seen), len(seen)
        return classifier.estimate_probes(seen)

    def _forced(self, strategy: Strategy) -> Decision:
        """The strategy that was asked for, and what the plan knows of it."""
        estimate = self._looked.estimate
        level = DEFAULT if estimate is None else estimate.difficulty.value
        entry: Entry | None = None
        if self._plan.alternatives:
            chances = DEFAULT if estimate is None else chances_of(estimate)
            entry = self._plan.expected(strategy, chances)
        return Decision(strategy, level, entry, estimate)
