"""Queries answered by a plan: each is routed to a strategy of its own under its own constraint."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.outcome import best
from executor.policies.served import HttpPolicy
from executor.problem import Problem, content_id
from executor.run.admission import Admission
from executor.run.runner import Executor
from executor.scorers.served import HttpPrm
from executor.search import State
from executor.strategy import key
from planner.choice.constraint import Constraint
from planner.notes import Note, NoteCode
from planner.plans.plan import DEFAULT, Plan
from planner.runtime.decision import Decision, chances_of
from planner.runtime.router import Ask, Routed, route
from planner.service.answering.answerer import (
    Answered,
    LateError,
    NoRoomError,
    Progress,
    Query,
    Report,
)

# Share of the time asked for that is not worth another choice: seconds are not known so well.
_NO_TIME = 0.02
_CONSIDERED = 5  # alternatives that an explanation names
_RECENT = 64  # questions that tell how many more are of use beside each other
_ROLES = {"developer": "system"}  # what OpenAI calls a system prompt now
# Gives up what is lost of the models, and loads all that is not there; blocks.
Load = Callable[[], Executor]
# Told of every answer, and of the models and settings it came from.
Watcher = Callable[[Query, Routed, Executor], None]


@dataclass(frozen=True, slots=True)
class Choosing:
    """The constraint a query's strategy is chosen by, and what had to be left aside for it."""

    constraint: Constraint
    notes: tuple[Note, ...] = ()


class PlanAnswerer:
    """See `planner.service.answering.answerer.Answerer`.

    Args:
        plan: what to run on what.
        load: makes the executor, and makes it again once an engine was lost; called in a thread,
            one call at a time.
        watch: told of every answer.
        close: releases the models.
        model: name for clients; the policy's by default.
    """

    def __init__(
        self,
        plan: Plan,
        load: Load,
        *,
        watch: Watcher | None = None,
        close: Callable[[], None] = lambda: None,
        model: str | None = None,
    ) -> None:
        self.plan = plan
        self._load = load
        self._watch = watch
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

    async def answer(self, query: Query, progress: Report) -> Answered:
        """See `Answerer.answer`.

        What is left of `max_seconds` is a deadline, and what a strategy is expected to take keeps
        to it. Sampling is the plan's but for what the query says.
        """
        started = time.perf_counter()
        executor = await self._executor_within(query.seconds_left())
        began = time.perf_counter()
        choosing = self._choosing(_left_of(query))
        bounding = time.perf_counter() - began
        ask = Ask(
            choosing.constraint, query.strategy, query.seconds_left(), weigh=True,
            ledger=query.ledger,
        )  # fmt: skip

        def report(stage: str, decision: Decision | None, tokens: int) -> None:
            progress(_told(stage, decision, tokens))
            if stage == "routed":
                progress(_told("searching", decision, tokens))

        try:
            mine = _with_sampling(executor, query)
            routed = await route(mine, self.plan, _problem(query), ask, report)
            routed = replace(routed, deciding=routed.deciding + bounding)
            answered = await self._answered(mine, query, routed, choosing, started)
        except EngineError:
            self._give_up(executor)
            raise
        self._admission.learn(routed.outcome)
        return answered

    async def _executor_within(self, seconds: float | None) -> Executor:
        """The models; LateError where they are not loaded in time."""
        if self._executor is not None:
            return self._executor
        try:
            async with asyncio.timeout(seconds):
                return await self.executor()
        except TimeoutError:
            raise LateError("the models were not loaded in time") from None

    async def executor(self) -> Executor:
        """The models, loaded at first use and again after they were lost."""
        if self._executor is not None:
            return self._executor
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._load))
        loading = self._loading
        try:
            # Whoever waits may go: the others wait for the same models.
            self._take(await asyncio.shield(loading))
        finally:
            if loading.done() and self._loading is loading:
                self._loading = None
        assert self._executor is not None
        return self._executor

    def _take(self, executor: Executor) -> None:
        """Answer with these models from now on, as many questions at once as they hold."""
        if self._executor is executor:
            return  # another question has waited for them, too
        self._executor = executor
        most = max(entry.strategy.n for entry in self.plan.entries.values())
        self._admission = Admission(most, executor.policy.capacity, recent=_RECENT)

    def decode(self, token_ids: Sequence[int]) -> str:
        """See `Answerer.decode`."""
        if self._executor is None:
            raise EngineError("the models are not loaded yet")
        tokens = self._executor.policy.tokens
        if not self._vocabulary:
            self._vocabulary = frozenset(tokens.tokenizer.get_vocab().values())
        if unknown := [token for token in token_ids if token not in self._vocabulary]:
            raise InputError(f"prompt: {unknown[0]} is no token of {self.model}")
        return tokens.decode(token_ids)

    @property
    def places(self) -> int:
        """See `Answerer.places`."""
        return self._admission.places

    async def ready(self) -> str | None:
        """See `Answerer.ready`."""
        if self._executor is not None:
            self._give_up(self._executor)  # lost since the last question
        try:
            executor = await self.executor()
        except (EngineError, InputError) as error:
            return str(error)
        for model in (executor.policy, executor.prm):
            if isinstance(model, HttpPolicy | HttpPrm) and (why := await model.fault()):
                return why
        return None

    async def close(self) -> None:
        """See `Answerer.close`."""
        if self._loading is not None:
            await asyncio.wait([self._loading])
        self._executor = None
        await asyncio.to_thread(self._close)

    def _give_up(self, executor: Executor) -> None:
        """Models of which an engine is lost are loaded again for the next query."""
        prm = executor.prm
        if self._executor is executor and (executor.policy.lost or (prm and prm.lost)):
            self._executor = None

    def _choosing(self, asked: Constraint) -> Choosing:
        """Where seconds are not known or too few for anything, the deadline alone holds."""
        if asked.max_seconds is None or not self.plan.alternatives:
            return Choosing(asked)
        free = replace(asked, max_seconds=None)
        if lack := self.plan.rates.missing("seconds", scored=False):
            unknown = Note.of(
                NoteCode.SECONDS_NOT_PREDICTED, seconds=asked.max_seconds, missing=lack
            )
            return Choosing(free, (unknown,))
        menu = self.plan.menu()
        if menu.reaches(asked) or not menu.reaches(free):
            return Choosing(asked)
        quickest = replace(free, budget=menu.cheapest("seconds").n)
        late = Note.of(NoteCode.NOTHING_IN_TIME, seconds=asked.max_seconds)
        return Choosing(quickest, (late,))

    async def _answered(
        self,
        executor: Executor,
        query: Query,
        routed: Routed,
        choosing: Choosing,
        started: float,
    ) -> Answered:
        outcome, decision = routed.outcome, routed.decision
        samples = outcome.samples
        if routed.cut and not samples:
            raise LateError("time ran out before anything was written")
        if not samples:
            raise NoRoomError(query, executor.policy.max_context)
        chosen = [] if outcome.chosen is None else [outcome.chosen]
        if query.n > 1:
            chosen = await asyncio.to_thread(
                best, decision.strategy, samples, query.n, executor.grader
            )
        began = time.perf_counter()
        if self._watch is not None:
            self._watch(query, routed, executor)
        watching = time.perf_counter() - began
        texts = tuple(samples[index].text for index in chosen)
        finished = [samples[index].state == State.FINISHED.value for index in chosen]
        entry = decision.entry
        return Answered(
            texts=texts or ("",),
            finish=tuple("stop" if done else "length" for done in finished) or ("length",),
            answer=outcome.answer,
            strategy=decision.strategy,
            difficulty=decision.difficulty,
            predicted_accuracy=None if entry is None else entry.predicted_accuracy,
            interval=None if entry is None else entry.interval,
            ledger=outcome.ledger,
            seconds=time.perf_counter() - started,
            cost=self._cost(outcome.ledger),
            notes=(*choosing.notes, *decision.notes, *self._notes(query, routed, len(texts))),
            explain=(
                self._explained(routed, choosing.constraint, scored=executor.prm is not None)
                if query.explain
                else {}
            ),
            routing=routed.deciding + watching,
        )

    def _cost(self, ledger: Ledger) -> dict[str, float | None]:
        """What the tokens of a ledger cost by the plan's rates."""
        cost = self.plan.rates.price(
            ledger.policy_generated, ledger.prompt, ledger.prm, ledger.cached, ledger.prm_cached
        )
        return {name: getattr(cost, name) for name in ("flops", "usd", "seconds")}

    def _notes(self, query: Query, routed: Routed, texts: int) -> list[Note]:
        notes = []
        if routed.cut:
            ended = sum(s.state == State.FINISHED.value for s in routed.outcome.samples)
            seconds = query.constraint.max_seconds
            notes.append(Note.of(NoteCode.TIME_RAN_OUT, seconds=seconds, ended=ended))
        if texts < query.n and not routed.cut:
            notes.append(Note.of(NoteCode.FEWER_ANSWERS, asked=query.n, different=texts))
        plain = self.plan.sampling
        if query.temperature not in (None, plain.temperature):
            notes.append(Note.of(NoteCode.OTHER_TEMPERATURE, temperature=plain.temperature))
        if query.max_tokens is not None and query.max_tokens > plain.max_tokens:
            notes.append(Note.of(NoteCode.TOKENS_CAPPED, max_tokens=plain.max_tokens))
        if query.max_tokens is not None and query.max_tokens < plain.max_tokens:
            notes.append(
                Note.of(
                    NoteCode.OTHER_TOKEN_LIMIT, max_tokens=plain.max_tokens, asked=query.max_tokens
                )
            )
        if len(query.messages) > 1:
            notes.append(Note.of(NoteCode.LAST_MESSAGE_ALONE))
        if routed.decision.entry is None and not routed.cut:
            notes.append(Note.of(NoteCode.STRATEGY_NOT_PREDICTED))
        return notes

    def _explained(self, routed: Routed, constraint: Constraint, *, scored: bool) -> dict[str, Any]:
        decision, looked = routed.decision, routed.looked
        estimate = decision.estimate
        record: dict[str, Any] = {
            "estimate": None if estimate is None else estimate.to_dict(),
            "probing": looked.to_dict(),
            "constraint": {
                k: v for k, v in dataclasses.asdict(constraint).items() if v is not None
            },
            "alternatives": [],
        }
        if self.plan.alternatives:
            drawn = 0 if estimate is None else estimate.probes
            menu = self.plan.menu(drawn, scored=scored)
            chances = DEFAULT if estimate is None else chances_of(estimate)
            others = menu.others(decision.strategy, chances, constraint, _CONSIDERED)
            record["alternatives"] = [
                {"strategy": key(one.strategy), "predicted_accuracy": one.predicted_accuracy,
                 "interval": list(one.interval), "cost": one.cost.to_dict()}
                for one in others
            ]  # fmt: skip
        return record


def _left_of(query: Query) -> Constraint:
    """The constraint with the seconds that are left, where waiting has taken any that count.

    Otherwise as it was asked: what is expected to take just as long as allowed keeps to it.
    """
    asked, left = query.constraint, query.seconds_left()
    if left is None or asked.max_seconds is None or left > (1 - _NO_TIME) * asked.max_seconds:
        return asked
    return replace(asked, max_seconds=max(left, _NO_TIME * asked.max_seconds))


def _told(stage: str, decision: Decision | None, tokens: int) -> Progress:
    if decision is None:
        return Progress(stage, tokens, None, None)
    return Progress(stage, tokens, decision.strategy.name, decision.difficulty)


def _with_sampling(executor: Executor, query: Query) -> Executor:
    """The models with the query's own sampling; InputError where that cannot be."""
    plain = executor.sampling
    asked = replace(
        plain,
        temperature=plain.temperature if query.temperature is None else query.temperature,
        max_tokens=min(
            plain.max_tokens if query.max_tokens is None else query.max_tokens, plain.max_tokens
        ),
    )
    seed = executor.seed if query.seed is None else query.seed
    # Where several answers are wanted, those behind the winner count.
    early = executor.early_stop and query.n == 1
    if (asked, seed, early) == (plain, executor.seed, executor.early_stop):
        return executor
    return replace(executor, sampling=asked, seed=seed, early_stop=early)


def _problem(query: Query) -> Problem:
    """The question, and what was said before it; draws are named by the text where a seed is given,
    else by the query."""
    before = tuple(
        (_ROLES.get(one["role"], one["role"]), one["content"]) for one in query.messages[:-1]
    )
    name = query.id if query.seed is None else content_id(repr((query.text, before)))
    return Problem(name, query.text, before=before)
