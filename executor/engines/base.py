"""What an engine is to those who ask it, wherever it runs: requests, outputs, counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

from executor.engines.capacity import Capacity


@dataclass(slots=True)
class EngineCounters:
    """vLLM's own counts of one engine since it started, in tokens, as its metrics see them."""

    prompt: int = 0
    cached: int = 0
    generated: int = 0
    preemptions: int = 0

    def __add__(self, other: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __sub__(self, earlier: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self))
        )


# What a child had come to when it was cancelled: the tokens it had generated, how many its prompt
# has, and how many of these the cache spared. All are none where it had not been scheduled: the
# engine then forwarded nothing.
Cut = tuple[tuple[int, ...], int, int]


@dataclass(frozen=True, slots=True)
class EndedChild:
    """One child of a request that has ended.

    Attributes:
        index: of the child.
        token_ids: what was generated.
        finish_reason, stop_reason: vLLM's.
        logprob: sum of the log-probabilities of its tokens, in nats.
    """

    index: int
    token_ids: tuple[int, ...]
    finish_reason: str
    stop_reason: int | str | None
    logprob: float


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """What has ended of a request.

    Attributes:
        prompt, cached: tokens of its prompt, and how many of them the prefix cache spared.
        completions: children that have ended now, where the engine writes.
        values: the last score of each token after the cached ones, where it scores.
        last: whether nothing of the request is left.
    """

    prompt: int
    cached: int
    last: bool
    children: tuple[EndedChild, ...] = ()
    values: tuple[float, ...] = ()


class Engine(Protocol):
    """A vLLM engine; its methods may be called from any thread or event loop."""

    name: str
    max_context: int
    """Longest context in tokens, prompt and continuation together."""
    capacity: Capacity
    """What it can hold at once."""

    def submit(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        *,
        deliver: Callable[[EngineOutput], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Queue a request with vLLM's parameters; `deliver` is called, on a thread of the engine's,
        with whatever has ended of it, `fail` with the EngineError that ends it."""
        ...

    async def cancel(self, request_id: str) -> list[Cut]:
        """Stop what still runs of a request.

        Returns:
            What each unfinished child had come to.
        """
        ...

    @property
    def lost(self) -> bool:
        """Whether it has failed: it will answer nothing any more."""
        ...

    def count(self) -> EngineCounters:
        """The counters as they stand."""
        ...

    def forget(self) -> None:
        """Empty the prefix cache."""
        ...

    def stop(self) -> None:
        """Release its memory; requests under way fail."""
        ...
