"""Admission of problems: as many in flight as keep the engines full, and no more."""

from __future__ import annotations

import math

from executor.engines.capacity import Capacity
from executor.outcome import Outcome

# Batches of work in flight: while one is written, another is scored, graded or selected from. More
# would only wait and hold memory.
_BATCHES = 2
# Problems in flight if the engines' capacity is unknown.
CONCURRENCY = 32


class Admission:
    """Admits problems while the policy's engines have room for them.

    A problem is expected to have as many and as long responses as finished problems had on average;
    before any has finished, as many as its budget, of unknown length.

    Args:
        sequences: most concurrent sequences of a problem: its budget.
        capacity: capacity of the policy's engines together; None if unknown.
        most: most problems in flight, whatever the engines hold; None is no limit, or
            `CONCURRENCY` if the capacity is unknown.
        recent: number of finished problems, the newest, that averages cover; None is all.
        side_by_side: whether a problem always runs `sequences` at once, also if fewer responses
            come out because the others are cancelled.
    """

    def __init__(
        self,
        sequences: int = 1,
        capacity: Capacity | None = None,
        most: int | None = None,
        recent: int | None = None,
        *,
        side_by_side: bool = False,
    ) -> None:
        self._sequences = sequences
        self._capacity = capacity
        self._most = CONCURRENCY if most is None and capacity is None else most
        self._side_by_side = side_by_side
        self._kept = 1.0 if recent is None else 1.0 - 1.0 / recent
        self._tokens = 0.0
        self._responses = 0.0
        self._finished = 0.0

    @property
    def places(self) -> int:
        """Number of problems that the engines have room for: at least one."""
        most = math.inf if self._most is None else self._most
        if self._capacity is not None:
            each = self._responses / self._finished if self._responses else self._sequences
            tokens = each * self._tokens / max(1.0, self._responses)
            most = min(most, _BATCHES * self._capacity.sequences / each)
            if tokens:
                most = min(most, _BATCHES * self._capacity.tokens / tokens)
        return max(1, math.ceil(most))

    def room(self, in_flight: int) -> bool:
        """Whether the engines have room for one more problem; the first always has it."""
        return in_flight < self.places

    def learn(self, outcome: Outcome) -> None:
        """Update the averages with the number and lengths of a finished problem's responses."""
        responses, tokens = len(outcome.samples), sum(one.n_tokens for one in outcome.samples)
        if self._side_by_side and responses:
            responses, tokens = self._sequences, round(tokens * self._sequences / responses)
        self._finished = self._kept * self._finished + 1
        self._responses = self._kept * self._responses + responses
        self._tokens = self._kept * self._tokens + tokens
