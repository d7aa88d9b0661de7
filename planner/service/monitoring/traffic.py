"""Live traffic for people: a bounded summary of what was asked lately, without any text."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from executor.ledger import Ledger
from planner.service.answering.answerer import Answered
from planner.service.queue.fair_queue import Queue

_KEPT = 1000
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered question, without its text.

    Attributes:
        at: when, in seconds since the epoch.
        seconds: from its turn to its answer.
        strategy, n, difficulty, predicted: what was run, and what was expected of it.
        generated_tokens: all of them.
    """

    at: float
    seconds: float
    strategy: str
    n: int
    difficulty: str
    predicted: float | None
    generated_tokens: int


class Traffic:
    """Counts since the start, and the last answers.

    Args:
        queue: whose length is shown.
        clock: seconds since the epoch.
    """

    def __init__(self, queue: Queue, clock: Callable[[], float] = time.time) -> None:
        self._queue = queue
        self._clock = clock
        self._started = clock()
        self._statuses: Counter[int] = Counter()
        self._strategies: Counter[str] = Counter()
        self._difficulties: Counter[str] = Counter()
        self._ledger = Ledger()
        self._cancelled = 0
        self._last: deque[Answer] = deque(maxlen=_KEPT)

    def request(self, status: int) -> None:
        """Count a finished request."""
        self._statuses[status] += 1

    def cancelled(self) -> None:
        """Count a request that ended before its answer."""
        self._cancelled += 1

    def answer(self, answered: Answered, seconds: float) -> None:
        """Count an answered question."""
        name = answered.strategy.name
        self._strategies[name] += 1
        self._difficulties[answered.difficulty] += 1
        self._ledger += answered.ledger
        self._last.append(
            Answer(
                at=self._clock(),
                seconds=seconds,
                strategy=name,
                n=answered.strategy.n,
                difficulty=answered.difficulty,
                predicted=answered.predicted_accuracy,
                generated_tokens=answered.ledger.policy_generated,
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """The summary, for JSON; percentiles are of the last answers kept, null without any.

        May be called from any thread.
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
                for answer in last[-_SHOWN:]
            ],
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
