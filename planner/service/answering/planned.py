"""Answers queries by a plan: each query gets its own strategy under its own constraint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from executor.answers.account import grading_account
from executor.answers.json_grader import JsonGrader
from executor.concurrency import in_thread, retrieve
from executor.engines.base import RequestRefusedError
from executor.errors import EngineError, InputError, StoreError
from executor.ledger import Ledger
from executor.models.templates import ConversationError
from executor.outcome import best
from executor.policies.base import ChatPolicy, Reads, no_tokens, token_policy
from executor.policies.served import ServedPolicy
from executor.policies.thinking import ThinkingPolicy
from executor.run.admission import Admission
from executor.run.runner import Executor
from executor.scorers.served import ServedScorer
from executor.search import State
from executor.strategy import key
from planner.choice.constraint import Constraint
from planner.notes import Note, NoteCode
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import DEFAULT, Plan
from planner.runtime.decision import Decision, chances_of
from planner.runtime.router import Ask, Routed, route
from planner.service.answering.answerer import (
    ContextExceededError,
    DeadlineExceededError,
    FieldError,
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

# A wait for less than this share of `max_seconds` does not change the choice: predicted seconds are
# not that exact.
_NEGLIGIBLE_WAIT = 0.02
_CONSIDERED = 5  # alternatives that an explanation names
# Most characters of a question for each token of the context. Texts have three or four characters
# a token; counting the tokens of one that is far longer would cost seconds.
_MOST_PER_TOKEN = 32
_RECENT = 64  # the concurrency is estimated from so many recent questions
# Drops models that are lost, and loads all models that are missing; blocks.
LoadExecutor = Callable[[], Executor]
# Receives every answer, and the executor that it came from.
AnswerObserver = Callable[[Query, Routed, Executor], None]


@dataclass(frozen=True, slots=True)
class AppliedConstraint:
    """The constraint by which a query's strategy is chosen.

    Attributes:
        constraint: the query's constraint, without the limits that cannot be kept.
        notes: the limits that were left out.
    """

    constraint: Constraint
    notes: tuple[Note, ...] = ()


class PlanAnswerer:
    """An `Answerer` that follows a plan.

    Args:
        plan: names the strategy for each difficulty.
        load: builds the executor, and builds it again after an engine was lost; called in a
            thread, one call at a time.
        observer: receives every answer.
        close: releases the models.
        model: name for clients; None: the policy's.
    """

    def __init__(
        self,
        plan: Plan,
        load: LoadExecutor,
        *,
        observer: AnswerObserver | None = None,
        close: Callable[[], None] = lambda: None,
        model: str | None = None,
    ) -> None:
        self.plan = plan
        self._compiled = CompiledPlan(plan)
        self._load = load
        self._observer = observer
        self._close = close
        self._model = model
        self._executor: Executor | None = None
        self._loading: asyncio.Task[Executor] | None = None
        self._vocabulary: frozenset[int] = frozenset()
        self._admission = Admission()

    @property
    def model(self) -> str:
        """See `Answerer.model`."""
        if self._model is not None:
            return self._model
        return self.plan.policy if self._executor is None else self._executor.policy_name

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        """See `Answerer.answer`.

        The rest of `max_seconds` is a deadline; strategies that are expected to miss it are not
        chosen. The query's own sampling settings replace the plan's.
        """
        started = time.perf_counter()
        executor = await self._wait_for_executor(query.seconds_left())
        context = _context_of(executor)
        if context is not None and query.characters > _MOST_PER_TOKEN * context:
            raise ContextExceededError(query, context)
        if query.begun and isinstance(executor.policy, ChatPolicy):
            refused = no_tokens("an answer that begins with a given text", executor.policy_name)
            raise FieldError(query.param, refused)
        began = time.perf_counter()
        applied = self._apply_constraint(_remaining_constraint(query))
        applying = time.perf_counter() - began
        mine, strategy = _with_sampling(executor, query), query.strategy
        if query.json_schema is not None:
            mine = replace(mine, grader=JsonGrader())
            strategy = json_strategy(query, executor.policy, self._usual_budget(query))
        ask = Ask(
            applied.constraint, strategy, query.seconds_left(), weigh=True, ledger=query.ledger
        )

        def report(stage: str, decision: Decision | None, tokens: int) -> None:
            progress(_query_progress(stage, decision, tokens))
            if stage == "routed":
                progress(_query_progress("searching", decision, tokens))

        try:
            with grading_account():
                routed = await route(mine, self._compiled, problem_of(query), ask, report)
                routed = replace(routed, deciding=routed.deciding + applying)
                result = await self._result(mine, query, routed, applied, started)
        except RequestRefusedError as error:
            if query.json_schema is None:
                raise
            raise FieldError(query.format_param, f"the engine cannot keep to it: {error}") from None
        except ConversationError as error:
            raise FieldError(query.param, str(error)) from None
        except EngineError:
            self._drop_if_lost(executor)
            raise
        self._admission.learn(routed.outcome)
        return result

    async def _wait_for_executor(self, seconds: float | None) -> Executor:
        """Return the models, or raise DeadlineExceededError if they are not loaded in time."""
        if self._executor is not None:
            return self._executor
        try:
            async with asyncio.timeout(seconds):
                return await self.executor()
        except TimeoutError:
            raise DeadlineExceededError("the models were not loaded in time") from None

    async def executor(self) -> Executor:
        """Return the models, which are loaded at first use and again after they were lost."""
        if self._executor is not None:
            return self._executor
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
            self._loading.add_done_callback(retrieve)
        loading = self._loading
        try:
            # Other queries wait for the same models: loading goes on if this query is cancelled.
            self._use(await asyncio.shield(loading))
        finally:
            if loading.done() and self._loading is loading:
                self._loading = None
        assert self._executor is not None
        return self._executor

    def _use(self, executor: Executor) -> None:
        """Answer with these models from now on, and adapt the concurrency to them."""
        if self._executor is executor:
            return  # another query waited for the same models and came first
        self._executor = executor
        most = max(entry.strategy.n for entry in self.plan.entries.values())
        self._admission = Admission(most, executor.policy.capacity, recent=_RECENT)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `Answerer.decode`."""
        if self._executor is None:
            raise EngineError("the models are not loaded yet")
        policy = self._executor.policy
        tokens = token_policy(policy, "a prompt of token ids").tokens
        if not self._vocabulary:
            self._vocabulary = frozenset(tokens.tokenizer.get_vocab().values())
        if unknown := [token for token in token_ids if token not in self._vocabulary]:
            raise InputError(f"prompt: {unknown[0]} is not a token of {self.model}")
        return tokens.decode(token_ids)

    @property
    def concurrency(self) -> int:
        """See `Answerer.concurrency`."""
        return self._admission.places

    async def ready(self) -> str | None:
        """See `Answerer.ready`."""
        if self._executor is not None:
            self._drop_if_lost(self._executor)  # an engine may be lost since the last question
        try:
            executor = await self.executor()
        except StoreError:
            return "the store is not available"
        except (EngineError, InputError) as error:
            return str(error)
        for model in (executor.policy, executor.prm):
            if isinstance(model, ServedPolicy | ServedScorer | ThinkingPolicy):
                why = await model.fault()
                if why:
                    return why
        return None

    async def close(self) -> None:
        """See `Answerer.close`."""
        if self._loading is not None:
            await asyncio.wait([self._loading])
        self._executor = None
        await asyncio.to_thread(self._close)

    def _drop_if_lost(self, executor: Executor) -> None:
        """Have the models loaded again for the next query if one of their engines is lost."""
        prm = executor.prm
        if self._executor is executor and (executor.policy.lost or (prm and prm.lost)):
            self._executor = None

    def _apply_constraint(self, asked: Constraint) -> AppliedConstraint:
        """Leave `max_seconds` to the deadline alone if seconds are unknown or nothing fits."""
        if asked.max_seconds is None:
            return AppliedConstraint(asked)
        free = replace(asked, max_seconds=None)
        if lack := self.plan.rates.missing("seconds", scored=False):
            unknown = Note.of(
                NoteCode.SECONDS_NOT_PREDICTED, seconds=asked.max_seconds, missing=lack
            )
            return AppliedConstraint(free, (unknown,))
        table = self._compiled.strategy_table()
        if table.reaches(asked) or not table.reaches(free):
            return AppliedConstraint(asked)
        quickest = replace(free, budget=table.cheapest("seconds").n)
        late = Note.of(NoteCode.NOTHING_IN_TIME, seconds=asked.max_seconds)
        return AppliedConstraint(quickest, (late,))

    async def _result(
        self,
        executor: Executor,
        query: Query,
        routed: Routed,
        applied: AppliedConstraint,
        started: float,
    ) -> QueryResult:
        outcome, decision = routed.outcome, routed.decision
        samples = outcome.samples
        if routed.cut and not samples:
            raise DeadlineExceededError("time ran out before anything was written")
        if not samples:
            raise ContextExceededError(query, _context_of(executor))
        chosen = [] if outcome.chosen is None else [outcome.chosen]
        if query.n > 1:
            chosen = await in_thread(
                partial(best, decision.strategy, samples, query.n, executor.grader)
            )
        began = time.perf_counter()
        # A begun answer and one in JSON are no outcomes of what the plan was made from.
        if self._observer is not None and not query.begun and query.json_schema is None:
            self._observer(query, routed, executor)
        observing = time.perf_counter() - began
        texts = tuple(samples[index].text for index in chosen)
        finished = [samples[index].state == State.FINISHED.value for index in chosen]
        # The plan's evidence says nothing of answers in JSON.
        expected = None if query.json_schema is not None else decision.expected
        reads = executor.policy.reads
        return QueryResult(
            texts=texts or ("",),
            finish=tuple("stop" if done else "length" for done in finished) or ("length",),
            answer=outcome.answer,
            strategy=decision.strategy,
            difficulty=decision.difficulty,
            predicted_accuracy=None if expected is None else expected.predicted_accuracy,
            interval=None if expected is None else expected.interval,
            ledger=outcome.ledger,
            seconds=time.perf_counter() - started,
            cost=self._cost(outcome.ledger),
            notes=(*applied.notes, *decision.notes, *self._notes(query, routed, len(texts), reads)),
            explain=(
                self._explanation(routed, applied.constraint, scored=executor.prm is not None)
                if query.explain
                else {}
            ),
            routing=routed.deciding + observing,
            uncompared=outcome.uncompared,
        )

    def _usual_budget(self, query: Query) -> int:
        """Return the number of generations for a question whose difficulty is not known."""
        usual, most = self.plan.entry(DEFAULT).strategy.n, query.constraint.budget
        return usual if most is None else min(usual, most)

    def _cost(self, ledger: Ledger) -> dict[str, float | None]:
        """Return the cost of the tokens of a ledger at the plan's rates."""
        cost = self.plan.rates.price(
            ledger.policy_generated, ledger.prompt, ledger.prm, ledger.cached, ledger.prm_cached
        )
        return {name: getattr(cost, name) for name in ("flops", "usd", "seconds")}

    def _notes(self, query: Query, routed: Routed, texts: int, reads: Reads) -> list[Note]:
        notes = []
        if routed.cut:
            ended = sum(s.state == State.FINISHED.value for s in routed.outcome.samples)
            seconds = query.constraint.max_seconds
            notes.append(Note.of(NoteCode.TIME_RAN_OUT, seconds=seconds, ended=ended))
        if pairs := routed.outcome.uncompared:
            notes.append(Note.of(NoteCode.ANSWERS_NOT_COMPARED, pairs=pairs))
        if routed.outcome.unknown - {"logprob"}:
            notes.append(Note.of(NoteCode.USAGE_UNKNOWN))
        if texts < query.n and not routed.cut:
            notes.append(Note.of(NoteCode.FEWER_ANSWERS, asked=query.n, different=texts))
        notes += sampling_notes(query, self.plan.sampling)
        notes += conversation_notes(query, reads)
        if query.json_schema is not None:
            notes.append(Note.of(NoteCode.JSON_VOTE))
            return notes
        if routed.decision.expected is None and not routed.cut:
            notes.append(Note.of(NoteCode.STRATEGY_NOT_PREDICTED))
        return notes

    def _explanation(
        self, routed: Routed, constraint: Constraint, *, scored: bool
    ) -> dict[str, Any]:
        decision, estimate = routed.decision, routed.decision.difficulty_estimate
        drawn = 0 if estimate is None else estimate.probes
        table = self._compiled.strategy_table(drawn, scored=scored)
        chances = DEFAULT if estimate is None else chances_of(estimate)
        others = table.alternatives(decision.strategy, chances, constraint, _CONSIDERED)
        return {
            "estimate": None if estimate is None else estimate.to_dict(),
            "probing": routed.probing.to_dict(),
            "constraint": constraint.to_dict(),
            "alternatives": [
                {"strategy": key(one.strategy), "predicted_accuracy": one.predicted_accuracy,
                 "interval": list(one.interval), "cost": one.cost.to_dict()}
                for one in others
            ],
        }  # fmt: skip


def _remaining_constraint(query: Query) -> Constraint:
    """Return the query's constraint with the seconds that are left.

    A negligible wait is ignored, so that a strategy that is expected to take exactly `max_seconds`
    can still be chosen.
    """
    asked, left = query.constraint, query.seconds_left()
    if (
        left is None
        or asked.max_seconds is None
        or left > (1 - _NEGLIGIBLE_WAIT) * asked.max_seconds
    ):
        return asked
    least = _NEGLIGIBLE_WAIT * asked.max_seconds or asked.max_seconds  # it must not become zero
    return replace(asked, max_seconds=max(left, least))


def _context_of(executor: Executor) -> int | None:
    """Return the policy's context in tokens; None if it is a chat policy's, which is unknown."""
    return None if isinstance(executor.policy, ChatPolicy) else executor.policy.max_context


def _query_progress(stage: str, decision: Decision | None, tokens: int) -> QueryProgress:
    if decision is None:
        return QueryProgress(stage, tokens, None, None)
    return QueryProgress(stage, tokens, decision.strategy.name, decision.difficulty)


def _with_sampling(executor: Executor, query: Query) -> Executor:
    """Return the models with the query's own sampling settings."""
    plain = executor.sampling
    asked = sampling_of(query, plain)
    seed = executor.seed if query.seed is None else query.seed
    # If several answers are wanted, those after the winner count too: sampling must not stop early.
    early = executor.early_stop and query.n == 1
    if (asked, seed, early) == (plain, executor.seed, executor.early_stop):
        return executor
    return replace(executor, sampling=asked, seed=seed, early_stop=early)
