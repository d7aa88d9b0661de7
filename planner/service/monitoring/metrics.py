"""Metrics for Prometheus: requests, latency, tokens, strategies, the queue, drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from executor.ledger import COLUMNS, Ledger
from planner.service.answering.answerer import QueryResult
from planner.service.queue.fair_queue import FairQueue

ReadGauges = Callable[[], Mapping[str, float]]

_LATENCY_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OWN_TIME_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


def _no_gauges() -> Mapping[str, float]:
    return {}


class ServiceMetrics:
    """The metrics of one server, in a registry of its own.

    Args:
        queue: the queue whose length is shown.
        gauges: reads further gauges by name, at each scrape: how far traffic is from the profile.
    """

    def __init__(self, queue: FairQueue, gauges: ReadGauges | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        self._gauges = gauges or _no_gauges
        self._requests = Counter(
            "apportion_requests", "Requests, by path and status; 499: the client went.",
            ("path", "status"), registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "apportion_request_seconds", "From a request's head to the end of its response.",
            ("path",), registry=registry, buckets=_LATENCY_BUCKETS,
        )  # fmt: skip
        self._own = Histogram(
            "apportion_own_seconds", "Of these, all but waiting in the queue and for the answer.",
            registry=registry, buckets=_OWN_TIME_BUCKETS,
        )  # fmt: skip
        self._routing = Histogram(
            "apportion_routing_seconds",
            "Of a question's time, what choosing took and keeping records; no drawing of probes.",
            registry=registry, buckets=(0.0001, 0.0002, *_OWN_TIME_BUCKETS),
        )  # fmt: skip
        self._waited = Histogram(
            "apportion_queue_seconds", "A question's wait for its turn.",
            registry=registry, buckets=(0.001, *_LATENCY_BUCKETS),
        )  # fmt: skip
        self._answers = Counter(
            "apportion_answers", "Questions answered, by strategy and estimated difficulty.",
            ("strategy", "difficulty"), registry=registry,
        )  # fmt: skip
        self._answering = Histogram(
            "apportion_answer_seconds", "From a question's turn to its answer.",
            ("strategy",), registry=registry, buckets=_LATENCY_BUCKETS,
        )  # fmt: skip
        self._uncompared = Counter(
            "apportion_uncompared_answers",
            "Pairs of answers that took too long to compare and count as different in votes.",
            registry=registry,
        )
        self._tokens = Counter(
            "apportion_tokens",
            "Tokens of the ledgers of all questions, by kind; thought is a part of others.",
            ("kind",), registry=registry,
        )  # fmt: skip
        self._lost = Counter(
            "apportion_unanswered_tokens",
            "Of these, those of questions without an answer: cancelled, late, or an engine lost.",
            ("kind",), registry=registry,
        )  # fmt: skip
        self._cancelled = Counter(
            "apportion_cancelled", "Requests ended before their answer was there, or was read.",
            ("reason",), registry=registry,
        )  # fmt: skip
        self._refused = Counter(
            "apportion_refused_connections", "Connections closed before a request was complete.",
            ("reason",), registry=registry,
        )  # fmt: skip
        self._failures = Counter(
            "apportion_engine_failures", "Requests that a lost engine ended.", registry=registry
        )
        for name, description, read in (
            ("apportion_waiting", "Questions in the queue.", lambda: queue.waiting),
            ("apportion_running", "Questions being result.", lambda: queue.running),
            ("apportion_places", "Questions that may wait or run.", lambda: queue.capacity),
        ):
            Gauge(name, description, registry=registry).set_function(read)
        self._drift = Gauge(
            "apportion_drift", "How far the traffic is from the profile, by measure.",
            ("measure",), registry=registry,
        )  # fmt: skip
        for reason in ("client", "shutdown", "unread"):
            self._cancelled.labels(reason)
        for reason in ("head_too_large", "head_too_slow", "too_many_connections"):
            self._refused.labels(reason)

    def count_request(self, path: str, status: int, seconds: float, own: float) -> None:
        """Count a finished request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        if path.startswith("/v1/") and status == 200:
            self._own.observe(own)

    def count_answer(self, result: QueryResult, waited: float, seconds: float) -> None:
        """Count an answered question."""
        name = result.strategy.name
        self._answers.labels(name, result.difficulty).inc()
        self._answering.labels(name).observe(seconds)
        self._waited.observe(waited)
        self._routing.observe(result.routing)
        self._uncompared.inc(result.uncompared)
        _count(self._tokens, result.ledger)

    def count_unanswered(self, ledger: Ledger) -> None:
        """Count the tokens spent on a question that got no answer."""
        _count(self._tokens, ledger)
        _count(self._lost, ledger)

    def count_cancelled(self, reason: str) -> None:
        """Count a request that ended early.

        Args:
            reason: `client`: it went; `shutdown`: the server ended; `unread`: the client did not
                read the response.
        """
        self._cancelled.labels(reason).inc()

    def count_refused(self, reason: str) -> None:
        """Count a connection that was closed before a request was complete.

        Args:
            reason: `head_too_large`, `head_too_slow` or `too_many_connections`.
        """
        self._refused.labels(reason).inc()

    def count_engine_failure(self) -> None:
        """Count a request that a lost engine ended."""
        self._failures.inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        for measure, value in self._gauges().items():
            self._drift.labels(measure).set(value)
        return generate_latest(self._registry)


def _count(counter: Counter, ledger: Ledger) -> None:
    for kind, tokens in ledger.to_dict().items():
        if tokens and kind in COLUMNS and kind != "spared":
            counter.labels(kind).inc(tokens)
