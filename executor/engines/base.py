"""The interface of an engine, in whatever process it runs: requests, outputs, counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

from executor.engines.capacity import Capacity
from executor.errors import EngineError

NO_TOKEN_FITS = "no token of the model's vocabulary fits the grammar"
"""Why a request that a grammar binds was refused in the middle of its answer."""


class RequestRefusedError(EngineError):
    """An engine that goes on refused one request, for instance because of its JSON schema."""


@dataclass(slots=True)
class EngineCounters:
    """vLLM's own counts of one engine since it started.

    Attributes:
        prompt: prompt tokens, cached ones included.
        cached: prompt tokens found in the prefix cache.
        generated: generated tokens.
        preemptions: sequences that were preempted.
        ended: sequences that ended.
    """

    prompt: int = 0
    cached: int = 0
    generated: int = 0
    preemptions: int = 0
    ended: int = 0

    def __add__(self, other: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) + getattr(other, f.name) for f in fields(self))
        )

    def __sub__(self, earlier: EngineCounters) -> EngineCounters:
        return EngineCounters(
            *(getattr(self, f.name) - getattr(earlier, f.name) for f in fields(self))
        )


# State of a child when it was cancelled: the tokens it had generated, the number of its prompt
# tokens, and how many of these were cached. All are empty or 0 if it had not been scheduled, since
# the engine then forwarded nothing.
Cut = tuple[tuple[int, ...], int, int]


@dataclass(frozen=True, slots=True)
class EndedChild:
    """One child of a request that has ended.

    Attributes:
        index: index of the child in its request.
        token_ids: generated tokens.
        finish_reason, stop_reason: vLLM's reasons.
        logprob: sum of the log-probabilities of its tokens, in nats.
        beside: log-probabilities beside the generated tokens, in nats: of each token that the
            request named in `logprob_token_ids`, or of the k likeliest tokens if its `logprobs` is
            k, likeliest first; each of the length of `token_ids`.
    """

    index: int
    token_ids: tuple[int, ...]
    finish_reason: str
    stop_reason: int | str | None
    logprob: float
    beside: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class EngineOutput:
    """The part of a request that has ended now.

    Attributes:
        prompt: number of prompt tokens.
        cached: how many of them were in the prefix cache.
        last: whether the whole request has ended.
        children: children that have ended, if the engine writes.
        values: last score of each token after the cached ones, if the engine scores.
    """

    prompt: int
    cached: int
    last: bool
    children: tuple[EndedChild, ...] = ()
    values: tuple[float, ...] = ()


class Engine(Protocol):
    """A vLLM engine; any thread and any event loop may call its methods."""

    name: str
    max_context: int
    """Longest context in tokens, prompt and continuation together."""
    capacity: Capacity
    """Sequences and tokens that it holds at once."""

    def submit(
        self,
        request_id: str,
        prompt_ids: list[int],
        params: Any,
        *,
        deliver: Callable[[EngineOutput], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        """Queue a request.

        Args:
            request_id: unique name of the request.
            prompt_ids: tokens of the prompt.
            params: vLLM's parameters.
            deliver: callback for each part that ends, on a thread of the engine.
            fail: callback for the EngineError that ends the request, on such a thread.
        """
        ...

    async def cancel(self, request_id: str) -> list[Cut]:
        """Stop the unfinished children of a request.

        Returns:
            The state of each of them.
        """
        ...

    @property
    def lost(self) -> bool:
        """Whether it has failed and will never answer again."""
        ...

    def count(self) -> EngineCounters:
        """Return the current counters."""
        ...

    def forget(self) -> None:
        """Empty the prefix cache."""
        ...

    def stop(self) -> None:
        """Release its memory; unfinished requests fail."""
        ...
