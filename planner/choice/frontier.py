"""What a plan keeps of the strategies it did not choose: those that some price could make best."""

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
    """The choices than which no other is at least as accurate for no more tokens of any kind.

    Whatever a token of each kind costs, in FLOPs, seconds, money or energy, the Pareto front under
    that price is among them, as all prices are sums over tokens. Of equal choices the first stays.

    Returns:
        In rising order of accuracy.
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
    """Whether `one` is at least as accurate, for no more tokens of any kind."""
    return one.predicted_accuracy >= other.predicted_accuracy and all(
        getattr(one.cost, kind) <= getattr(other.cost, kind) for kind in TOKENS
    )
