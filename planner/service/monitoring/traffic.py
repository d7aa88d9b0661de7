"""Counts of live traffic for people: a bounded summary of recent answers, without any text."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from executor.ledger import Ledger
from planner.service.answering.answerer import QueryResult
from planner.service.queue.fair_queue import FairQueue

_MAX_KEPT = 1000
_MAX_SHOWN = 50


@dataclass(frozen=True, slots=True)
class RecentAnswer:
    """An answered question, without its text.

    Attributes:
        at: time of the answer, in seconds since the epoch.
        seconds: time from the question's turn to its answer.
        strategy, n: the strategy that was run, and its number of generations.
        difficulty: the estimated difficulty.
        predicted: predicted accuracy; None if it is not known.
        generated_tokens: all generated tokens.
    """

    at: float
    seconds: float
    strategy: str
    n: int
    difficulty: str
    predicted: float | None
    generated_tokens: int


class TrafficCounter:
    """Counts requests and answers since the start, and keeps the last answers.

    Args:
        queue: the queue whose length is shown.
        clock: returns seconds since the epoch.
    """

    def __init__(self, queue: FairQueue, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._clock = clock
        self._started = clock()
        self._statuses: Counter[int] = Counter()
        self._strategies: Counter[str] = Counter()
        self._difficulties: Counter[str] = Counter()
        self._ledger = Ledger()
        self._cancelled = 0
        self._last: deque[RecentAnswer] = deque(maxlen=_MAX_KEPT)

    def count_request(self, status: int) -> None:
        """Count a finished request."""
        self._statuses[status] += 1

    def count_cancelled(self) -> None:
        """Count a request that ended before its answer."""
        self._cancelled += 1

    def count_answer(self, result: QueryResult, seconds: float) -> None:
        """Count an answered question."""
        name = result.strategy.name
        self._strategies[name] += 1
        self._difficulties[result.difficulty] += 1
        self._ledger += result.ledger
        self._last.append(
            RecentAnswer(
                at=self._clock(),
                seconds=seconds,
                strategy=name,
                n=result.strategy.n,
                difficulty=result.difficulty,
                predicted=result.predicted_accuracy,
                generated_tokens=result.ledger.policy_generated,
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the summary, for JSON; may be called from any thread.

        Percentiles are of the last answers; they are null if there are none.
        """
        now = self._clock()
        last = list(self._last)
        seconds = [answer.seconds for answer in last]
        p50, p90 = map(float, np.percentile(seconds, (50, 90))) if seconds else (None, None)
        return {
            "started": _iso(self._started),
            "running": self._queue.running,
            "waiting": self._queue.waiting,
            "places": self._queue.capacity,
            "requests": {str(status): times for status, times in sorted(self._statuses.items())},
            "cancelled": self._cancelled,
            "answers": sum(self._strategies.values()),
            "answers_last_minute": sum(now - answer.at < 60 for answer in last),
            "strategies": dict(self._strategies.most_common()),
            "difficulties": dict(self._difficulties.most_common()),
            "tokens": self._ledger.to_dict(),
            "seconds": {"p50": p50, "p90": p90},
            "last": [
                {
                    "at": _iso(answer.at),
                    "seconds": answer.seconds,
                    "strategy": answer.strategy,
                    "n": answer.n,
                    "difficulty": answer.difficulty,
                    "predicted": answer.predicted,
                    "generated_tokens": answer.generated_tokens,
                }
                for answer in last[-_MAX_SHOWN:]
            ],
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
