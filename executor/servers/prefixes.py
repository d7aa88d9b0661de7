"""Beginnings of prompts that a server has seen lately and likely holds in its prefix cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

BLOCK = 32
_MOST = 1 << 14


class Prefixes:
    """The token blocks that a server has seen; a block's key covers all tokens up to its end."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()

    @staticmethod
    def chain(prompt: Sequence[int]) -> list[int]:
        """Return the key of each whole block of a prompt."""
        keys, last = [], 0
        for start in range(0, len(prompt) - BLOCK + 1, BLOCK):
            last = hash((last, tuple(prompt[start : start + BLOCK])))
            keys.append(last)
        return keys

    def overlap(self, chain: Sequence[int]) -> int:
        """Return how many tokens at a prompt's beginning the server has seen."""
        tokens = 0
        for key in chain:
            if key not in self._seen:
                break
            tokens += BLOCK
        return tokens

    def add(self, chain: Sequence[int]) -> None:
        """Remember a prompt, and forget the least recently used blocks."""
        for key in chain:
            self._seen[key] = None
            self._seen.move_to_end(key)
        while len(self._seen) > _MOST:
            self._seen.popitem(last=False)

    def clear(self) -> None:
        """Forget everything, since the server may have restarted."""
        self._seen.clear()
