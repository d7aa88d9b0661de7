"""The two rules of choice: the most accurate strategy, or the cheapest that is sure enough.

Each rule takes many states of knowledge at once. `recommend` applies it to the present posteriors
and `next_measurement` to simulated ones, so both apply the same rule.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

# If accuracies differ by no more than this, the cheaper strategy is chosen.
INDIFFERENCE = 0.005
# Relative rounding error of a price: prices that differ by no more are equal.
_ROUNDING = 1e-9


def most_accurate(means: Floats, prices: Floats) -> NDArray[np.intp]:
    """Return the cheapest strategy within `INDIFFERENCE` of the highest mean.

    Args:
        means: predicted accuracies, shape `(states, strategies)`; -inf is never chosen.
        prices: prices in one unit, shape `(strategies,)` or the shape of `means`.

    Returns:
        Indices of strategies, shape `(states,)`. If prices are equal, the most accurate strategy is
        chosen, then the first.
    """
    near = means >= means.max(axis=1, keepdims=True) - INDIFFERENCE
    return _cheapest(near, means, prices)


def sure_enough(confidence: float, strategies: Number) -> Number:
    """Return the probability of the target that a strategy must have to be chosen for it.

    If many strategies miss the target, some look sure by chance, and the rule would choose one of
    them. By Bonferroni's inequality the chance that any of m misses is at most m times that of one,
    so each may miss with probability (1 - confidence) / m, also if they share problems.

    Args:
        confidence: required probability that the chosen strategy reaches the target.
        strategies: m, the number of strategies to choose from, or how many of them count
            (`planner.choice.recommend.Counting`); a float or an array.
    """
    return 1 - (1 - confidence) / strategies


def cheapest_sure(
    means: Floats,
    chances: Floats,
    prices: Floats,
    confidence: float,
    allowed: NDArray[np.bool_] | None = None,
    counted: float | None = None,
) -> NDArray[np.intp]:
    """Return the cheapest strategy that is sure enough to reach a target (`sure_enough`).

    Args:
        means, prices: see `most_accurate`.
        chances: P(accuracy >= target), shape `(states, strategies)`.
        confidence: required probability that the chosen strategy reaches the target.
        allowed: whether a strategy may be chosen, shape of `chances`; None means that all may.
        counted: how many strategies the correction counts; None: those allowed.

    Returns:
        Indices of strategies, shape `(states,)`. If no strategy is sure enough, the surest is
        chosen, and of equally sure ones the most accurate.
    """
    if allowed is None:
        allowed = np.ones(chances.shape, dtype=np.bool_)
    chances = np.where(allowed, chances, -1.0)
    among: Floats = np.maximum(allowed.sum(axis=1, keepdims=True), 1).astype(np.float64)
    if counted is not None:
        among = np.full_like(among, counted)
    sure = chances >= sure_enough(confidence, among)
    surest = chances == chances.max(axis=1, keepdims=True)
    fallback = np.argmax(np.where(surest, means, -np.inf), axis=1)
    return np.where(sure.any(axis=1), _cheapest(sure, means, prices), fallback)


def _cheapest(eligible: NDArray[np.bool_], means: Floats, prices: Floats) -> NDArray[np.intp]:
    """Return the cheapest eligible strategy of each row; of equal prices, the most accurate."""
    prices = np.where(eligible, prices, np.inf)
    tied = eligible & (prices <= prices.min(axis=1, keepdims=True) * (1 + _ROUNDING))
    return np.asarray(np.argmax(np.where(tied, means, -np.inf), axis=1))
