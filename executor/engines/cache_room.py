"""How many sequences an engine may run at once, so that its key-value cache does not overflow.

vLLM lets in as many sequences as its batch holds, as long as the cache has room for their prompts.
If their responses then fill the cache, it preempts some of them, and computes these again later.
With a cache that is small for the model that goes on and on. So sequences wait until the cache has
room for the tokens that they are expected to have at their end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# Before any response has ended, one is expected to have this many tokens.
_FIRST_GUESS = 1024.0
# Number of ended responses that the mean remembers: lengths change from problem to problem.
_REMEMBERED = 1000
# Share of the cache in use above which nothing is let in after a preemption.
_CALM = 0.85


class LengthForecast:
    """The expected length of responses, learnt from those that have ended.

    The mean is the tokens of all responses over the number that have ended; unfinished and
    cancelled ones add their tokens only. It is the maximum-likelihood mean of lengths that are
    exponential and censored (Cox and Oakes, Analysis of Survival Data, 1984, Sec. 3.2). A mean of
    the ended ones alone would be too small at first, since short responses end first.
    """

    def __init__(self) -> None:
        self._tokens = _FIRST_GUESS
        self._ended = 1.0

    def learn(self, tokens: int) -> None:
        """Take in the length of a response that has ended, in tokens."""
        kept = 1.0 - 1.0 / _REMEMBERED
        self._tokens = kept * self._tokens + tokens
        self._ended = kept * self._ended + 1.0

    def cut(self, tokens: int) -> None:
        """Take in the tokens of a response that was cancelled before its end."""
        self._tokens += tokens

    def mean(self, unfinished: float) -> float:
        """Return the expected length in tokens.

        Args:
            unfinished: tokens that the unfinished responses have by now, added up.
        """
        return (self._tokens + unfinished) / self._ended


@dataclass(frozen=True, slots=True)
class Demand:
    """What a sequence holds of the cache now, and may hold at most.

    Attributes:
        generated: tokens that it has generated.
        limit: most tokens that it may generate.
        prompt: tokens of its prompt that no other sequence holds; not needed if it runs.
    """

    generated: int
    limit: int
    prompt: int = 0

    def at_its_end(self, mean: float) -> float:
        """Return how many tokens it is expected to have generated when it ends."""
        return max(float(self.generated), min(mean, self.limit))


def most_running(
    running: Iterable[Demand],
    waiting: Iterable[Demand],
    forecast: LengthForecast,
    *,
    used: int,
    tokens: int,
    block: int,
    overflowed: bool,
) -> int:
    """Return how many sequences may run now: those that run, and the next ones that find room.

    Each is expected to end at the expected length, or at its limit; one that is longer already is
    expected to end now. An engine that runs nothing takes one sequence, however long.

    Args:
        running: the sequences that run.
        waiting: those that wait, first come first.
        forecast: expected length of responses.
        used: tokens that the cache holds for the running sequences.
        tokens: most tokens that it holds.
        block: tokens of a block; a sequence takes whole blocks.
        overflowed: whether the cache overflowed, and is not calm yet; nothing is let in then.
    """
    now = list(running)
    if overflowed and now:
        return len(now)
    mean = forecast.mean(sum(one.generated for one in now))
    expected = used + sum(one.at_its_end(mean) - one.generated for one in now)
    places = len(now)
    for one in waiting:
        expected += math.ceil((one.prompt + one.at_its_end(mean)) / block) * block
        if expected > tokens and places:
            break
        places += 1
    return places


def is_calm(used: int, tokens: int) -> bool:
    """Whether a cache that overflowed has room again."""
    return used < _CALM * tokens
