"""What Prometheus is told: requests, latency, tokens, strategies, the queue, drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

from executor.ledger import Ledger
from planner.service.answering.answerer import Answered
from planner.service.queue.fair_queue import Queue

Gauges = Callable[[], Mapping[str, float]]

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_OWN = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)


def _no_gauges() -> Mapping[str, float]:
    return {}


class Metrics:
    """The metrics of one server, in a registry of its own.

    Args:
        queue: whose length is shown.
        gauges: further ones by name, asked for whenever Prometheus asks: how far traffic is from
            the profile.
    """

    def __init__(self, queue: Queue, gauges: Gauges | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        self._gauges = gauges or _no_gauges
        self._requests = Counter(
            "apportion_requests", "Requests, by path and status; 499: the client went.",
            ("path", "status"), registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "apportion_request_seconds", "From a request's head to the end of its response.",
            ("path",), registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self._own = Histogram(
            "apportion_own_seconds", "Of these, all but waiting in the queue and for the answer.",
            registry=registry, buckets=_OWN,
        )  # fmt: skip
        self._routing = Histogram(
            "apportion_routing_seconds",
            "Of a question's time, what choosing took and keeping records; no drawing of probes.",
            registry=registry, buckets=(0.0001, 0.0002, *_OWN),
        )  # fmt: skip
        self._waited = Histogram(
            "apportion_queue_seconds", "A question's wait for its turn.",
            registry=registry, buckets=(0.001, *_SECONDS),
        )  # fmt: skip
        self._answers = Counter(
            "apportion_answers", "Questions answered, by strategy and estimated difficulty.",
            ("strategy", "difficulty"), registry=registry,
        )  # fmt: skip
        self._answering = Histogram(
            "apportion_answer_seconds", "From a question's turn to its answer.",
            ("strategy",), registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self._tokens = Counter(
            "apportion_tokens", "Tokens of the ledgers of all questions, by kind.",
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
        self._failures = Counter(
            "apportion_engine_failures", "Requests that a lost engine ended.", registry=registry
        )
        for name, words, read in (
            ("apportion_waiting", "Questions in the queue.", lambda: queue.waiting),
            ("apportion_running", "Questions being answered.", lambda: queue.running),
            ("apportion_places", "Questions that may wait or run.", lambda: queue.capacity),
        ):
            Gauge(name, words, registry=registry).set_function(read)
        self._drift = Gauge(
            "apportion_drift", "How far the traffic is from the profile, by measure.",
            ("measure",), registry=registry,
        )  # fmt: skip
        for reason in ("client", "shutdown", "unread"):
            self._cancelled.labels(reason)

    def request(self, path: str, status: int, seconds: float, own: float) -> None:
        """Count a finished request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        if path.startswith("/v1/") and status == 200:
            self._own.observe(own)

    def answer(self, answered: Answered, waited: float, seconds: float) -> None:
        """Count an answered question."""
        name = answered.strategy.name
        self._answers.labels(name, answered.difficulty).inc()
        self._answering.labels(name).observe(seconds)
        self._waited.observe(waited)
        self._routing.observe(answered.routing)
        _count(self._tokens, answered.ledger)

    def spent(self, ledger: Ledger) -> None:
        """Count what was spent on a question that got no answer."""
        _count(self._tokens, ledger)
        _count(self._lost, ledger)

    def cancelled(self, reason: str) -> None:
        """Count a request that ended early: `client`, `shutdown`, or `unread`: sent in vain."""
        self._cancelled.labels(reason).inc()

    def lost_engine(self) -> None:
        """Count a request that a lost engine ended."""
        self._failures.inc()

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        for measure, value in self._gauges().items():
            self._drift.labels(measure).set(value)
        return generate_latest(self._registry)


def _count(counter: Counter, ledger: Ledger) -> None:
    for kind, tokens in ledger.to_dict().items():
        if tokens and kind != "spared":
            counter.labels(kind).inc(tokens)
