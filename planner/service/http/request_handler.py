"""What the requests of one server share, and the state of each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from starlette.types import Receive

from executor.errors import EngineError, StoreError
from executor.search.base import together
from planner.notes import Note, NoteCode
from planner.service.answering.answerer import (
    Answerer,
    DeadlineExceededError,
    Query,
    QueryProgress,
    QueryResult,
    ReportProgress,
)
from planner.service.http.client_task import ClientTask
from planner.service.http.connections import UNREAD
from planner.service.http.faults import (
    ClientGoneError,
    RequestError,
    shutting_down,
    to_request_error,
)
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.logs import ServiceLog
from planner.service.monitoring.metrics import ReadGauges, ServiceMetrics
from planner.service.monitoring.traffic import TrafficCounter
from planner.service.queue.fair_queue import FairQueue, QueueError, Reservation

T = TypeVar("T")

LAST_WRITES_SECONDS = 5
"""Seconds between the last answer and the end, in which slow clients get the rest of theirs."""
_REFUSAL_PAUSE = 60.0
"""Seconds between two lines of the log on refused connections."""
# Errors of status 500 and above that are the client's own, or pass: no error of the server.
_OF_THE_CLIENT = (RequestError, QueueError, DeadlineExceededError)
_MAX_LOGGED = 8
"""Most questions of one request whose strategies are logged."""


@dataclass(slots=True)
class Exchange:
    """One request and its response; times are of `time.perf_counter`.

    Attributes:
        id: id of the request, in its response and in the log.
        client_id: the client's own id (`X-Request-Id`), in the response and in the log.
        started_at: time at which the head of the request was read.
        waited: seconds spent waiting for turns and answers: not the server's own time.
        queries: the questions of the request.
        results: the results of the queries, in their order.
        status: HTTP status of the response; None until it is known.
        stream: whether the answer was streamed.
        key: index of the API key; None if the server has no keys.
        error: code of the error, if there was one; `client_gone` if the client went.
        off: whether the header `X-Apportion: off` asks for one greedy response.
        notes: what the request's head and model name ask for and do not get.
    """

    id: str
    client_id: str | None = None
    started_at: float = field(default_factory=time.perf_counter)
    waited: float = 0.0
    queries: tuple[Query, ...] = ()
    results: tuple[QueryResult, ...] = ()
    status: int | None = None
    stream: bool = False
    key: int | None = None
    error: str | None = None
    off: bool = False
    notes: tuple[Note, ...] = ()

    def log_fields(self, *, prompts: bool) -> dict[str, Any]:
        """Return the fields for the log; questions and answers only if `prompts`."""
        record: dict[str, Any] = {"questions": len(self.queries)} if self.queries else {}
        if self.client_id is not None:
            record["client_request"] = self.client_id
        if self.stream:
            record["stream"] = True
        if self.error is not None:
            record["error"] = self.error
        if self.results:
            logged = self.results[:_MAX_LOGGED]
            record |= {
                "strategy": [result.strategy.name for result in logged],
                "n": [result.strategy.n for result in logged],
                "difficulty": [result.difficulty for result in logged],
                "predicted": [result.predicted_accuracy for result in logged],
                "routing_seconds": [round(result.routing, 6) for result in logged],
                "generated_tokens": sum(r.ledger.policy_generated for r in self.results),
                "prm_tokens": sum(result.ledger.prm for result in self.results),
            }
        elif unanswered := sum(query.ledger.policy_generated for query in self.queries):
            record["generated_tokens"] = unanswered
        if prompts:
            record["prompts"] = [query.text for query in self.queries]
            record["texts"] = [list(result.texts) for result in self.results]
        return record


def _noted(query: Query, result: QueryResult) -> QueryResult:
    """Return a result with the notes on its request first.

    If both have a note of one code, the answerer's stays: its limit is the plan's, and the closer.
    """
    known = {note.code for note in result.notes if note.code is NoteCode.TOKENS_CAPPED}
    mine = tuple(note for note in query.notes if note.code not in known)
    return replace(result, notes=(*mine, *result.notes))


class RequestHandler:
    """Passes the questions of all requests to the answerer, a bounded number at a time.

    Args:
        answerer: answers the questions.
        settings: settings of the server.
        log: log of the server; None: one that writes to stderr.
        gauges: see `ServiceMetrics`.
    """

    def __init__(
        self,
        answerer: Answerer,
        settings: ServiceSettings,
        log: ServiceLog | None = None,
        gauges: ReadGauges | None = None,
    ) -> None:
        self.answerer = answerer
        self.settings = settings
        self.queue = FairQueue(
            lambda: settings.concurrency or answerer.concurrency,
            settings.queue,
            settings.max_per_key,
            1 if settings.keys is None else len(settings.keys),
        )
        self.metrics = ServiceMetrics(self.queue, gauges)
        self.traffic = TrafficCounter(self.queue)
        self.log = log or ServiceLog(prompts=settings.log_prompts)
        self.closing = False
        self._next_refusal_lines: dict[str, float] = {}
        self._tasks: set[ClientTask[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, exchange: Exchange, report: ReportProgress) -> tuple[QueryResult, ...]:
        """Return the results of all questions of a request, in their order.

        Args:
            exchange: the request.
            report: called with the progress of any of its questions.
        """
        arrived = time.perf_counter()
        try:
            with self.queue.reserve(len(exchange.queries), exchange.key) as reservation:
                results = await together(
                    self._answer_one(query, reservation, report) for query in exchange.queries
                )
        finally:
            exchange.waited += time.perf_counter() - arrived
        exchange.results = tuple(results)
        return exchange.results

    async def _answer_one(
        self, query: Query, reservation: Reservation, report: ReportProgress
    ) -> QueryResult:
        async with self.queue.turn(reservation, query.seconds_left()) as turn:
            started = time.perf_counter()

            def report_work(progress: QueryProgress) -> None:
                self.queue.start_work(turn)
                report(progress)

            try:
                result = _noted(query, await self.answerer.answer(query, report_work))
            except BaseException:
                self.metrics.count_unanswered(query.ledger)
                raise
            seconds = time.perf_counter() - started
        self.metrics.count_answer(result, turn.waited, seconds)
        self.traffic.count_answer(result, seconds)
        return result

    @asynccontextmanager
    async def run_for_client(
        self, work: Coroutine[Any, Any, T], receive: Receive
    ) -> AsyncIterator[ClientTask[T]]:
        """Run the work of one request; a shutdown waits for it (see `drain`).

        Args:
            work: answers the request.
            receive: the ASGI channel by which the client's disconnection is reported.

        Raises:
            RequestError: 503; the server is shutting down.
        """
        if self.closing:
            work.close()
            raise shutting_down()
        async with ClientTask(work, receive) as task:
            self._tasks.add(task)
            self._idle.clear()
            try:
                yield task
            finally:
                self._tasks.discard(task)
                if not self._tasks:
                    self._idle.set()

    def record_failure(self, exchange: Exchange, error: Exception) -> RequestError | None:
        """Record why a request failed.

        Returns:
            The response; None if the client has gone.
        """
        if isinstance(error, ClientGoneError):
            exchange.error = "client_gone"
            self.metrics.count_cancelled("client")
            self.traffic.count_cancelled()
            return None
        fault = to_request_error(error)
        exchange.error = fault.code or fault.kind
        if isinstance(error, EngineError):
            self.metrics.count_engine_failure()
        if isinstance(error, StoreError):  # its message quotes no question and no password
            self.log.warning("store", trouble=str(error), request=exchange.id)
        elif fault.status >= 500 and not isinstance(error, _OF_THE_CLIENT):
            self.log.error("failed", error, request=exchange.id)
        return fault

    def record_closed(self, reason: str) -> None:
        """Record that a client's connection was closed; `reason`: see `http.connections`."""
        if reason == UNREAD:
            self.metrics.count_cancelled(UNREAD)
            self.log.warning("unread", seconds=self.settings.write_seconds)
            return
        self.metrics.count_refused(reason)
        now = time.monotonic()
        if now >= self._next_refusal_lines.get(reason, 0.0):  # an attack must not fill the log
            self._next_refusal_lines[reason] = now + _REFUSAL_PAUSE
            self.log.warning("connection_refused", reason=reason, advice="see /metrics for more")

    def close(self) -> None:
        """Take no more requests; running ones go on."""
        self.closing = True

    async def drain(self, seconds: float) -> None:
        """Wait until all requests are done; cancel those that are not after so many seconds.

        Clients that read slowly are waited for at most `LAST_WRITES_SECONDS` more.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            for task in self._tasks:
                task.stop(shutting_down())
                self.metrics.count_cancelled("shutdown")
                self.traffic.count_cancelled()
            with suppress(TimeoutError):
                async with asyncio.timeout(LAST_WRITES_SECONDS):
                    await self._idle.wait()
