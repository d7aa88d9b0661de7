"""What engines can hold at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an engine, or several together, can hold at once.

    Attributes:
        sequences: most sequences in its batches.
        tokens: tokens its key-value cache has room for.
    """

    sequences: int
    tokens: int

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(self.sequences + other.sequences, self.tokens + other.tokens)
