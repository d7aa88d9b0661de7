"""The planner in a program of your own, with engines that stay loaded between questions.

    from apportion import Apportion

    with Apportion("sqlite:///apportion.db") as apportion:
        advice = apportion.recommend("lab-0.8m", "lab-0.8m-prm", difficulty="hard", budget=16)
        plan = apportion.plan("lab-0.8m", "lab-0.8m-prm", budget=20)
        answered = apportion.answer("Tom has 3 apples ...", plan, max_seconds=5)
    print(advice.made.choice.strategy, answered.answer, answered.strategy, answered.ledger)

No engine is started before something is answered. In an asynchronous program, `await
apportion.answer_async(...)`; many may run at once, and share the engines.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from planner.choice.constraint import Constraint
from planner.usecases import DEFAULT_STORE

if TYPE_CHECKING:
    from executor.strategy import Strategy
    from planner.choice.answer import Answer
    from planner.costs.pricing import Pricing
    from planner.plans.plan import Plan
    from planner.runtime.session import Session
    from planner.runtime.settings import SessionSettings
    from planner.service.answering.answerer import Query, QueryResult
    from planner.service.answering.planned import PlanAnswerer
    from planner.usecases.known_models import Unlisted


class Apportion:
    """Recommends, plans and answers; a context manager, or call `close`.

    Calls may come from several threads. Errors a caller can mend are `executor.errors.InputError`
    with one line; a lost engine is an `EngineError`, and the next question gets another.

    Args:
        store: SQLAlchemy URL of the store; it need not exist for recommendations.
        settings: of the models that answer (`planner.runtime.settings.SessionSettings`).
    """

    def __init__(self, store: str = DEFAULT_STORE, settings: SessionSettings | None = None) -> None:
        self.store = store
        self._settings = settings
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._answerers: list[tuple[Plan, PlanAnswerer]] = []
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recommend(
        self,
        policy: str | Sequence[str],
        prm: str | Sequence[str] | None = None,
        *,
        difficulty: str = "all",
        benchmark: str | None = None,
        pricing: Pricing | None = None,
        unlisted: Unlisted | None = None,
        domain: str | None = None,
        **limits: Any,
    ) -> Answer:
        """What `apportion recommend` answers, from evidence alone.

        Args:
            policy, prm: names of models, or folders; a sequence to choose between models
                (`planner.usecases.recommend.recommend`).
            difficulty: `easy`, `medium`, `hard` or `all`.
            benchmark: of published figures, where these are to answer.
            pricing: devices and prices.
            unlisted: sizes of models that no catalog lists, and whether unknown ones are allowed.
            domain: what an answer is; None: that of the policy's newest profile.
            limits: fields of `planner.choice.constraint.Constraint`.

        Raises:
            InputError: a model is not known, no evidence, or nothing keeps to the limits.
        """
        from planner.costs.pricing import Pricing
        from planner.usecases.known_models import Unlisted
        from planner.usecases.recommend import recommend

        return recommend(
            policy,
            prm,
            difficulty=difficulty,
            benchmark=benchmark,
            constraint=Constraint(**limits),
            pricing=pricing or Pricing(),
            unlisted=unlisted or Unlisted(),
            domain=domain,
            store=self.store,
        )

    def plan(
        self, policy: str, prm: str | None = None, *, pricing: Pricing | None = None, **limits: Any
    ) -> Plan:
        """Make the plan that `apportion plan` makes; `save_plan` writes it.

        Raises:
            InputError: no profile in the store, or nothing keeps to the limits.
        """
        from planner.costs.pricing import Pricing
        from planner.usecases.plan import plan

        constraint = Constraint(**limits)
        made = plan(
            policy, prm, constraint=constraint, pricing=pricing or Pricing(), store=self.store
        )
        return made.plan

    def answer(self, question: str, plan: Plan | Path | str, **options: Any) -> QueryResult:
        """Answer a question by a plan, as the service does; waits for the answer.

        Args:
            question: its text.
            plan: a plan, or the file of one.
            options: see `answer_async`.

        Raises:
            InputError: a bad plan, a model that is not there, limits that nothing keeps to.
            EngineError: an engine was lost.
        """
        return self._submit(question, plan, options).result()

    async def answer_async(
        self,
        question: str,
        plan: Plan | Path | str,
        *,
        strategy: Strategy | None = None,
        before: Sequence[Mapping[str, str]] = (),
        n: int = 1,
        seed: int | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
        explain: bool = False,
        **limits: Any,
    ) -> QueryResult:
        """Answer a question; cancelling ends its work in the engines.

        Args:
            question: its text.
            plan: a plan, or the file of one.
            strategy: to run whatever the plan says.
            before: messages of the conversation before the question, `role` and `content` each.
            n: answers wanted, the best first.
            seed: equal seeds and questions give equal draws.
            max_tokens, temperature: of one response; the plan's by default.
            explain: whether the answer says what was estimated and what else was considered.
            limits: fields of `planner.choice.constraint.Constraint`, over the plan's own.
        """
        options = {
            "strategy": strategy, "before": before, "n": n, "seed": seed,
            "max_tokens": max_tokens, "temperature": temperature, "explain": explain,
        }  # fmt: skip
        return await asyncio.wrap_future(self._submit(question, plan, options | limits))

    def close(self) -> None:
        """Release the engines and the store."""
        with self._lock:
            loop, self._loop = self._loop, None
            session, self._session = self._session, None
            self._answerers.clear()
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()
            loop.close()
        if session is not None:
            session.__exit__(None, None, None)

    def _submit(
        self, question: str, plan: Plan | Path | str, options: Mapping[str, Any]
    ) -> Future[QueryResult]:
        answerer = self._answerer(plan)
        query = self._query(question, answerer.plan, dict(options))
        assert self._loop is not None
        work = answerer.answer(query, lambda progress: None)
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _query(self, question: str, plan: Plan, options: dict[str, Any]) -> Query:
        from planner.service.answering.answerer import Query

        before = tuple(options.pop("before", ()))
        mine = {name: options.pop(name) for name in tuple(options) if name in _QUERY}
        messages = (*before, {"role": "user", "content": question}) if before else ()
        constraint = replace(plan.constraint, **options)
        return Query(
            id=f"question-{next(self._ids)}", text=question, messages=messages,
            constraint=constraint, strategy=mine.pop("strategy", None), **mine,
        )  # fmt: skip

    def _answerer(self, plan: Plan | Path | str) -> PlanAnswerer:
        """That of a plan, made at first use; its engines are those of the session."""
        from planner.plans.serialization import as_plan
        from planner.service.factory import create_plan_service

        with self._lock:
            plan = as_plan(plan)
            known = next((answerer for one, answerer in self._answerers if one == plan), None)
            if known is None:
                known = create_plan_service(self._opened(), plan).answerer
                self._answerers.append((plan, known))
            return known

    def _opened(self) -> Session:
        from planner.runtime.reporter import SilentReporter
        from planner.runtime.session import Session
        from planner.runtime.settings import SessionSettings

        if self._session is None:
            settings = self._settings or SessionSettings(early_stop=True)
            self._session = Session(SilentReporter(), self.store, settings)
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="apportion", daemon=True
            )
            self._thread.start()
        return self._session


# Options of a question that are no limits.
_QUERY = ("strategy", "n", "seed", "max_tokens", "temperature", "explain")
