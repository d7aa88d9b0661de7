"""Which beginnings of prompts a server has seen lately: its prefix cache likely holds them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

BLOCK = 32
_MOST = 1 << 14


class Prefixes:
    """The blocks of tokens a server has been sent, each known by all tokens up to its end."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, None] = OrderedDict()

    @staticmethod
    def chain(prompt: Sequence[int]) -> list[int]:
        """A key for each whole block of a prompt."""
        keys, last = [], 0
        for start in range(0, len(prompt) - BLOCK + 1, BLOCK):
            last = hash((last, tuple(prompt[start : start + BLOCK])))
            keys.append(last)
        return keys

    def overlap(self, chain: Sequence[int]) -> int:
        """How many tokens of a prompt's beginning were seen."""
        seen = 0
        for key in chain:
            if key not in self._known:
                break
            seen += BLOCK
        return seen

    def add(self, chain: Sequence[int]) -> None:
        """Remember a prompt; the longest unused blocks are forgotten."""
        for key in chain:
            self._known[key] = None
            self._known.move_to_end(key)
        while len(self._known) > _MOST:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget all: the server may have been started again."""
        self._known.clear()
