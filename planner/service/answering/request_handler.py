"""What the requests of one server share, and what is known of each while it is served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.types import Receive

from executor.errors import EngineError
from executor.search.base import together
from planner.service.answering.answerer import Answered, Answerer, Progress, Query, Report
from planner.service.answering.client_task import Attended
from planner.service.http.faults import ClientGoneError, RequestError, ending, fault_of
from planner.service.http.settings import Settings
from planner.service.monitoring.logs import Log
from planner.service.monitoring.metrics import Gauges, Metrics
from planner.service.monitoring.traffic import Traffic
from planner.service.queue.fair_queue import Places, Queue

T = TypeVar("T")

LAST_WRITES = 5
"""Seconds between the last answer and the end: a client that reads slowly gets the rest of it."""
_LISTED = 8
"""Most questions of one request whose strategies are logged."""


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; times are of `time.perf_counter`.

    Attributes:
        id: of the request, in its response and in the log.
        named: what its client calls it (`X-Request-Id`); given back, and in the log.
        began: when its head was read.
        away: seconds in which it waited for its turn and its answer: not the server's own time.
        queries: what it asks.
        answers: what came out.
        status: of the response; None until it is known.
        stream: whether the answer was streamed.
        key: which key it came with; None where no keys are asked for.
        error: why it was not answered, a word for programs; `client_gone` where nobody was left.
    """

    id: str
    named: str | None = None
    began: float = field(default_factory=time.perf_counter)
    away: float = 0.0
    queries: tuple[Query, ...] = ()
    answers: tuple[Answered, ...] = ()
    status: int | None = None
    stream: bool = False
    key: int | None = None
    error: str | None = None

    def fields(self, *, prompts: bool) -> dict[str, Any]:
        """For the log; questions and answers only where `prompts`."""
        record: dict[str, Any] = {"questions": len(self.queries)} if self.queries else {}
        if self.named is not None:
            record["client_request"] = self.named
        if self.stream:
            record["stream"] = True
        if self.error is not None:
            record["error"] = self.error
        if self.answers:
            shown = self.answers[:_LISTED]
            record |= {
                "strategy": [answered.strategy.name for answered in shown],
                "n": [answered.strategy.n for answered in shown],
                "difficulty": [answered.difficulty for answered in shown],
                "predicted": [answered.predicted_accuracy for answered in shown],
                "routing_seconds": [round(answered.routing, 6) for answered in shown],
                "generated_tokens": sum(a.ledger.policy_generated for a in self.answers),
                "prm_tokens": sum(a.ledger.prm for a in self.answers),
            }
        elif lost := sum(query.ledger.policy_generated for query in self.queries):
            record["generated_tokens"] = lost
        if prompts:
            record["prompts"] = [query.text for query in self.queries]
            record["texts"] = [list(answered.texts) for answered in self.answers]
        return record


class Desk:
    """Takes questions to the answerer, a bounded number at a time, until it closes.

    Args:
        answerer: answers them.
        settings: of the server.
        log: of the server; None: on stderr.
        gauges: see `Metrics`.
    """

    def __init__(
        self,
        answerer: Answerer,
        settings: Settings,
        log: Log | None = None,
        gauges: Gauges | None = None,
    ) -> None:
        self.answerer = answerer
        self.settings = settings
        self.queue = Queue(
            lambda: settings.concurrency or answerer.places,
            settings.queue,
            settings.max_per_key,
            1 if settings.keys is None else len(settings.keys),
        )
        self.metrics = Metrics(self.queue, gauges)
        self.traffic = Traffic(self.queue)
        self.log = log or Log(prompts=settings.log_prompts)
        self.closing = False
        self._attended: set[Attended[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, exchange: Exchange, progress: Report) -> tuple[Answered, ...]:
        """The answers to all questions of a request, in their order."""
        came = time.perf_counter()
        try:
            with self.queue.places(len(exchange.queries), exchange.key) as places:
                answers = await together(
                    self._one(query, places, progress) for query in exchange.queries
                )
        finally:
            exchange.away += time.perf_counter() - came
        exchange.answers = tuple(answers)
        return exchange.answers

    async def _one(self, query: Query, places: Places, progress: Report) -> Answered:
        async with self.queue.turn(places, query.seconds_left()) as turn:
            began = time.perf_counter()

            def report(far: Progress) -> None:
                self.queue.work(turn)
                progress(far)

            try:
                answered = await self.answerer.answer(query, report)
            except BaseException:
                self.metrics.spent(query.ledger)
                raise
            seconds = time.perf_counter() - began
        self.metrics.answer(answered, turn.waited, seconds)
        self.traffic.answer(answered, seconds)
        return answered

    @asynccontextmanager
    async def attend(
        self, work: Coroutine[Any, Any, T], receive: Receive
    ) -> AsyncIterator[Attended[T]]:
        """Work that is finished when the server is told to end, for some time at least.

        Raises:
            RequestError: 503 where the server has been told already.
        """
        if self.closing:
            work.close()
            raise ending()
        async with Attended(work, receive) as attended:
            self._attended.add(attended)
            self._idle.clear()
            try:
                yield attended
            finally:
                self._attended.discard(attended)
                if not self._attended:
                    self._idle.set()

    def failed(self, exchange: Exchange, error: Exception) -> RequestError | None:
        """Note why a request is not answered; what to say of it, None where nobody is left."""
        if isinstance(error, ClientGoneError):
            exchange.error = "client_gone"
            self.metrics.cancelled("client")
            self.traffic.cancelled()
            return None
        fault = fault_of(error)
        exchange.error = fault.code or fault.kind
        if isinstance(error, EngineError):
            self.metrics.lost_engine()
        if fault.status >= 500 and not isinstance(error, RequestError):
            self.log.error("failed", error, request=exchange.id)
        return fault

    def unread(self) -> None:
        """Note that a client was let go since it read nothing of what it was sent."""
        self.metrics.cancelled("unread")
        self.log.warning("unread", seconds=self.settings.write_seconds)

    def close(self) -> None:
        """Take no more work; what there is goes on."""
        self.closing = True

    async def finish(self, seconds: float) -> None:
        """Wait until all work is done; what is not after so many seconds is cancelled.

        A client that does not read what it is sent is not waited for.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            for attended in self._attended:
                attended.stop(ending())
                self.metrics.cancelled("shutdown")
                self.traffic.cancelled()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITES):
                    await self._idle.wait()
