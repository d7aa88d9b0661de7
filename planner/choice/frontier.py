"""The frontier of a plan: the strategies that some price of tokens could make best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from planner.costs.cost import TOKENS, Cost


class _Costed(Protocol):
    @property
    def predicted_accuracy(self) -> float: ...
    @property
    def cost(self) -> Cost: ...


_T = TypeVar("_T", bound=_Costed)


def frontier(choices: Sequence[_T]) -> tuple[_T, ...]:
    """Return the choices that no other choice dominates.

    A choice dominates another if it is at least as accurate and takes no more tokens of any kind.
    Every cost (FLOPs, seconds, money, energy) is a weighted sum over the kinds of tokens, so the
    Pareto front under any prices is part of the result. If choices are equal, the first is kept.

    Returns:
        The choices in rising order of accuracy.
    """
    kept = [
        one
        for place, one in enumerate(choices)
        if not any(
            _as_good(other, one) and (place > earlier or not _as_good(one, other))
            for earlier, other in enumerate(choices)
            if earlier != place
        )
    ]
    return tuple(sorted(kept, key=lambda one: one.predicted_accuracy))


def _as_good(one: _Costed, other: _Costed) -> bool:
    """Return whether `one` is at least as accurate as `other` for no more tokens of any kind."""
    return one.predicted_accuracy >= other.predicted_accuracy and all(
        getattr(one.cost, kind) <= getattr(other.cost, kind) for kind in TOKENS
    )
