"""How many problems are in flight: as many as keep the engines full, and no more."""

from __future__ import annotations

import math

from executor.engines.capacity import Capacity
from executor.outcome import Outcome

# Batches of work in flight: while one is written, the sequences of another are scored, graded or
# selected from. More would only wait, and hold memory.
_BATCHES = 2
# Where nothing is known of the engines.
CONCURRENCY = 32


class Admission:
    """Lets problems in while the policy's engines have use for them.

    A problem counts as many responses as those that are finished had on average, and those as long
    as theirs were; the first ones count as their budgets, without length.

    Args:
        sequences: most sequences a problem has under way at once: its budget.
        capacity: of the policy's engines together; None where it is not known.
        most: most problems in flight, whatever the engines hold; None: no such limit, or
            `CONCURRENCY` where the capacity is not known.
        recent: how many finished problems it goes by, the newest; None: by all.
    """

    def __init__(
        self,
        sequences: int = 1,
        capacity: Capacity | None = None,
        most: int | None = None,
        recent: int | None = None,
    ) -> None:
        self._sequences = sequences
        self._capacity = capacity
        self._most = CONCURRENCY if most is None and capacity is None else most
        self._kept = 1.0 if recent is None else 1.0 - 1.0 / recent
        self._tokens = 0.0
        self._responses = 0.0
        self._finished = 0.0

    @property
    def places(self) -> int:
        """Problems that are of use beside each other: at least one."""
        most = math.inf if self._most is None else self._most
        if self._capacity is not None:
            each = self._responses / self._finished if self._responses else self._sequences
            tokens = each * self._tokens / max(1.0, self._responses)
            most = min(most, _BATCHES * self._capacity.sequences / each)
            if tokens:
                most = min(most, _BATCHES * self._capacity.tokens / tokens)
        return max(1, math.ceil(most))

    def room(self, in_flight: int) -> bool:
        """Whether one more problem is of use beside those in flight; the first always is."""
        return in_flight < self.places

    def learn(self, outcome: Outcome) -> None:
        """Take note of how many responses a finished problem has, and of their lengths."""
        self._finished = self._kept * self._finished + 1
        self._responses = self._kept * self._responses + len(outcome.samples)
        self._tokens = self._kept * self._tokens + sum(one.n_tokens for one in outcome.samples)
