"""The rule for how long a PRM's requests are batched while a policy in the same process writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from executor.engines.capacity import Capacity

# Most steps of the policy during which requests are held.
LONGEST_HELD = 32


class BatchedEngine(Protocol):
    """The properties of an engine that the rule needs."""

    @property
    def open(self) -> int:
        """Number of unfinished sequences, including those that wait for a place in a batch."""
        ...

    @property
    def capacity(self) -> Capacity:
        """Sequences and tokens that it holds at once."""
        ...


class PrmBatching:
    """Decides how long a scorer's requests are held before the scorer steps.

    A step takes nearly as long for one request as for hundreds, and no policy writes meanwhile.
    While the policies' batches are full, scores are of no use, since the responses that wait for
    them would find no place. Otherwise each pending score leaves a place empty. So requests are
    held until the empty places of all steps add up to half a batch: the wait has then cost about
    as much as a step.
    """

    def __init__(self) -> None:
        self._empty: dict[BatchedEngine, float] = {}
        self._steps: dict[BatchedEngine, int] = {}

    def long_enough(self, scorer: BatchedEngine, writers: Sequence[BatchedEngine]) -> bool:
        """Whether the scorer should step now; to be called once per step of the writers."""
        places = sum(engine.capacity.sequences for engine in writers)
        free = places - sum(min(engine.open, engine.capacity.sequences) for engine in writers)
        empty = self._empty.get(scorer, 0.0) + min(scorer.open, free)
        steps = self._steps.get(scorer, 0) + 1
        now = (
            2 * empty >= places or scorer.open >= scorer.capacity.sequences or steps >= LONGEST_HELD
        )
        self._empty[scorer], self._steps[scorer] = (0.0, 0) if now else (empty, steps)
        return now
