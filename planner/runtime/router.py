"""Answer one problem by a plan: probe it if that is worth it, choose a strategy, and run it."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from executor.answers.account import GradingAccount, grading_account
from executor.concurrency import inline_or_thread
from executor.ledger import Ledger
from executor.outcome import Outcome, grade
from executor.problem import Problem
from executor.run.runner import LONG_GRADING, Executor, Solved
from executor.search import Response, State, sample, score_all, search
from executor.search.partial_results import PartialResults
from executor.strategy import Majority, Strategy
from planner.choice.constraint import Constraint
from planner.choice.probe_cost import uses_probes
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import DEFAULT
from planner.plans.reference import agreeing
from planner.runtime.decision import (
    Decision,
    ProbeDecision,
    by_text,
    chances_of,
    decide,
    decide_probing,
)
from profiling.arrays import Floats
from profiling.difficulty.estimator import Estimated
from profiling.difficulty.probes import Probes, text_features

# Characters of a question. The features and the tokens of a longer one are computed in a thread:
# each takes more than a millisecond or two.
LONG_TEXT = 4_000
_TURN = 100  # characters that take as long as what the chat template does for an earlier turn

VOTE_SECONDS = 0.5
"""Seconds that a vote may compare answers symbolically, however little of the time is left."""

# Is called with the stage, the decision if there is one, and the tokens generated so far.
RouteProgress = Callable[[str, Decision | None, int], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """Requirements of one question beside the plan.

    Attributes:
        constraint: the question's own limits; None: the plan's.
        strategy: the strategy to run, whatever the plan says; None: the plan chooses.
        seconds: time after which the best answer so far is taken; None: no limit. Its vote may take
            `VOTE_SECONDS` more.
        weigh: see `planner.runtime.decision.decide_probing`.
        ledger: is charged with all tokens as they are spent; None: a new one.
    """

    constraint: Constraint | None = None
    strategy: Strategy | None = None
    seconds: float | None = None
    weigh: bool = False
    ledger: Ledger | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """An answered question.

    Attributes:
        outcome: the answer, its samples and its ledger.
        decision: the strategy that was run, and why.
        probing: whether the question was probed, and why.
        agreement: number of probes that agreed, and number of probes; None if none were drawn.
        cut: whether time ran out before the strategy had ended.
        seen: what must be stored of the problem (`Executor.note`).
        deciding: seconds spent on text features, on the value of probes, on the difficulty
            estimate, and on the choice; without drawing and scoring probes.
    """

    outcome: Outcome
    decision: Decision
    probing: ProbeDecision
    agreement: tuple[int, int] | None
    cut: bool
    seen: Mapping[str, Any]
    deciding: float = field(default=0.0, compare=False)

    @property
    def note(self) -> dict[str, Any]:
        """What must be stored beside the outcome: the difficulty and its estimate, too."""
        estimate = self.decision.difficulty_estimate
        estimated = {} if estimate is None else {"estimate": estimate.to_dict()}
        return {**self.seen, "difficulty": self.decision.difficulty, **estimated}


@dataclass(frozen=True, slots=True)
class ByPlan:
    """The job of answering by a plan; the note also names the strategy that was run."""

    plan: CompiledPlan

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """See `route`."""
        routed = await route(executor, self.plan, problem)
        return routed.outcome, routed.note | {"strategy": routed.decision.strategy.name}


async def route(
    executor: Executor,
    plan: CompiledPlan,
    problem: Problem,
    ask: Ask = Ask(),
    progress: RouteProgress = lambda stage, decision, tokens: None,
) -> Routed:
    """Answer a problem as the plan says, under its own constraint if it has one.

    The reference answer is not used. Probe samples count towards the budget of strategies that
    sample whole responses; for the others their tokens are charged as probes.

    Args:
        executor: the models.
        plan: the compiled plan.
        problem: the question.
        ask: the question's requirements.
        progress: is called at each stage.

    Raises:
        InputError: no strategy keeps to the constraint, or one needs a PRM and there is none.
        EngineError: an engine was lost.
    """
    started = time.perf_counter()
    deadline = None if ask.seconds is None else asyncio.get_running_loop().time() + ask.seconds
    turns = sum(len(text) + _TURN for _, text in problem.before)
    long = len(problem.text) + turns > LONG_TEXT
    features = await asyncio.to_thread(text_features, problem.text) if long else None
    routing = _Routing(executor, plan, problem, ask, progress, started, features)
    if long:
        await asyncio.to_thread(routing.read)
    with grading_account(ask.seconds) as account:
        return await routing.run(account, deadline)


class _Routing:
    """One problem on its way."""

    def __init__(
        self,
        executor: Executor,
        compiled: CompiledPlan,
        problem: Problem,
        ask: Ask,
        progress: RouteProgress,
        started: float,
        features: Floats | None,
    ) -> None:
        self._started = started
        self._executor = executor
        self._compiled = compiled
        self._plan = plan = compiled.plan
        self._problem = problem
        self._ask = ask
        self._progress = progress
        self._constraint = ask.constraint or plan.constraint
        self._scored = executor.prm is not None
        self._decision: Decision | None = None
        self._agreement: tuple[int, int] | None = None
        self._seen: Probes | None = None  # probes that say something of the question
        if ask.strategy is not None:
            features = text_features(problem.text) if features is None else features
            estimate = by_text(plan, problem.text, features)
            self._probing = ProbeDecision(0, classifies=False, by_text=estimate, features=features)
        else:
            self._probing = decide_probing(
                compiled, problem.text, self._constraint,
                scored=self._scored, weigh=ask.weigh, features=features,
            )  # fmt: skip
        self._deciding = time.perf_counter() - started
        # Its token limit is that of the probes until a strategy is chosen.
        self._context = executor.context(problem, max(1, self._probing.probes), ask.ledger)
        self._so_far = PartialResults(self._context)

    def read(self) -> None:
        """Compute what asks the question, which the context keeps."""
        self._context.read()

    async def run(self, account: GradingAccount, deadline: float | None) -> Routed:
        """Probe, decide, search; at the deadline, answer with the responses so far.

        Args:
            account: the question's time for comparing answers.
            deadline: end of the search, by the event loop's clock; None: it has no end.
        """
        cut = False
        try:
            async with asyncio.timeout_at(deadline) as limit:
                responses = await self._search()
        except TimeoutError:
            if not limit.expired():
                raise  # somebody else's
            # Before a strategy is chosen there are only probes, and they vote.
            scored = self._decision is not None and self._decision.strategy.needs_prm
            cut, responses = True, self._so_far.responses(scored=scored)
            self._so_far.charge(scored=scored)
        decision = self._decision or Decision(Majority(max(1, len(responses))), DEFAULT, None)
        executor = self._executor
        account.allow(VOTE_SECONDS)
        outcome = await executor.conclude(
            decision.strategy, self._context, responses, self._started
        )
        seen = executor.note(self._context, outcome)
        return Routed(
            outcome, decision, self._probing, self._agreement, cut, seen, self._deciding
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
            tokens = sum(response.drawn for response in probes)
            context.ledger.generated -= tokens
            context.ledger.probe += tokens
            self._so_far.set_aside()
        self._executor.check(strategy)
        return await search(strategy, context, probes=probes if usable else ())

    async def _probes(self) -> list[Response]:
        wanted = self._probing.probes
        if not wanted:
            return []
        probes = await sample(self._context, wanted, where="probe")
        if self._scored:
            probes = await score_all(self._context, probes)
        return probes

    async def _decide(self, probes: Sequence[Response]) -> Decision:
        probing = self._probing
        if self._ask.strategy is not None:
            return self._forced(self._ask.strategy)
        estimate = probing.by_text
        if probing.probes and len(probes) < probing.probes:
            estimate = None  # the question fills the context: nothing can be drawn
        elif probing.probes and not self._cut_short(probes):
            estimate = await self._estimated(probes)
        return decide(
            self._compiled, probing, estimate, self._constraint,
            drawn=len(probes), scored=self._scored, seen=self._seen,
        )  # fmt: skip

    def _cut_short(self, probes: Sequence[Response]) -> bool:
        """Whether a token limit below the plan's cut probes: they say nothing of the difficulty.

        If none was cut, the probes are those that the plan's limit would have given.
        """
        if self._executor.sampling.max_tokens >= self._plan.sampling.max_tokens:
            return False
        return any(probe.state is State.CUT for probe in probes)

    async def _estimated(self, probes: Sequence[Response]) -> Estimated:
        grader, classifier = self._executor.grader, self._plan.classifier
        features = self._probing.features
        assert classifier is not None
        unlabelled = dataclasses.replace(self._problem, answer=None)

        def see() -> Probes:
            graded = grade(probes, unlabelled, grader, self._context.executions)
            return Probes.of(unlabelled.text, graded, grader, features)

        long = self._context.ledger.policy_generated > LONG_GRADING
        seen = await inline_or_thread(see, long=long)
        self._agreement, self._seen = (agreeing(seen), len(seen)), seen
        return classifier.estimate_probes(seen)

    def _forced(self, strategy: Strategy) -> Decision:
        """The strategy that was asked for, with the plan's estimate of it."""
        estimate = self._probing.by_text
        level = DEFAULT if estimate is None else estimate.difficulty.value
        chances = DEFAULT if estimate is None else chances_of(estimate)
        return Decision(strategy, level, self._compiled.expected(strategy, chances), estimate)
