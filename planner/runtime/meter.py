"""What people hear of a run while its problems are unfinished: responses, tokens and their rate."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from executor.engines.base import EngineCounters

# Seconds that the rate is a mean over; engines that begin or end a batch are slow for moments.
_WINDOW = 20.0


class Meter:
    """Reads the counters of a run's engines and says what they have done since it began.

    Args:
        counters: the policy's engines' counts.
        clock: seconds, as of `time.monotonic`.
    """

    def __init__(
        self, counters: Callable[[], EngineCounters], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._counters = counters
        self._clock = clock
        self._first = counters()
        self._seen = deque([(clock(), 0)])

    def __call__(self) -> str:
        """Say it in a few words; empty before the first token. Only one thread may ask."""
        done, now = self._counters() - self._first, self._clock()
        if not done.generated:
            self._seen = deque([(now, 0)])
            return ""
        self._seen.append((now, done.generated))
        while len(self._seen) > 2 and now - self._seen[1][0] >= _WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (done.generated - before) / (now - since) if now > since else 0.0
        said = [f"{done.generated:,} tokens", f"{rate:,.0f} tokens/s"]
        if done.ended:
            said.insert(0, f"{done.ended:,} responses")
        return ", ".join(said)
