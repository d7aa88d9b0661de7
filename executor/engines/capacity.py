"""The capacity of engines."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capacity:
    """Sequences and tokens that an engine, or several together, hold at once.

    Attributes:
        sequences: most sequences in its batches.
        tokens: most tokens in the key-value cache.
    """

    sequences: int
    tokens: int

    def __add__(self, other: Capacity) -> Capacity:
        return Capacity(self.sequences + other.sequences, self.tokens + other.tokens)
