"""For how long a PRM's requests are gathered beside a policy that writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from executor.engines.capacity import Capacity

# Most steps of the policy over which they are.
LONGEST_HELD = 32


class BatchedEngine(Protocol):
    """An engine, as far as it is looked at here."""

    @property
    def open(self) -> int:
        """Sequences under way, those included that wait for a place in a batch."""
        ...

    @property
    def capacity(self) -> Capacity:
        """What it can hold at once."""
        ...


class PrmBatching:
    """Decides for how long a scorer's requests are gathered before they are worth a step.

    A step takes nearly as long for one request as for hundreds, and meanwhile nobody writes. While
    the writers' batches are full, scores are of no use: what they let go on would have to wait.
    Else every score that is waited for leaves a place empty. So scores are held until the empty
    places of all steps add up to half a batch: the wait has then cost about as much as a step.
    """

    def __init__(self) -> None:
        self._empty: dict[BatchedEngine, float] = {}
        self._steps: dict[BatchedEngine, int] = {}

    def long_enough(self, scorer: BatchedEngine, writers: Sequence[BatchedEngine]) -> bool:
        """Whether the scorer should step now; asked once a step of the writers."""
        places = sum(engine.capacity.sequences for engine in writers)
        free = places - sum(min(engine.open, engine.capacity.sequences) for engine in writers)
        empty = self._empty.get(scorer, 0.0) + min(scorer.open, free)
        steps = self._steps.get(scorer, 0) + 1
        now = (
            2 * empty >= places or scorer.open >= scorer.capacity.sequences or steps >= LONGEST_HELD
        )
        self._empty[scorer], self._steps[scorer] = (0.0, 0) if now else (empty, steps)
        return now
