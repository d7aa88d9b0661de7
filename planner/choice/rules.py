"""The rule a choice is made by, for one state of knowledge or many at once.

`recommend` asks it what to choose; `next_measurement` asks what would be chosen after outcomes that
are not known yet. Both must mean the same rule.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats)

# Accuracies this close are the same for all that is known; then the cheaper one is chosen.
INDIFFERENCE = 0.005
# Prices this close, in proportion, are equal: they are sums in whatever order.
_ROUNDING = 1e-9


def most_accurate(means: Floats, prices: Floats) -> NDArray[np.intp]:
    """The cheapest of those within `INDIFFERENCE` of the highest mean.

    Args:
        means: shape `(states, strategies)`, predicted accuracies; -inf is never chosen.
        prices: shape `(strategies,)`, or of `means`, in one unit.

    Returns:
        Shape `(states,)`: which strategy; of equally cheap ones the most accurate, then the first.
    """
    near = means >= means.max(axis=1, keepdims=True) - INDIFFERENCE
    return _cheapest(near, means, prices)


def sure_enough(confidence: float, strategies: Number) -> Number:
    """How sure of a target one strategy must be where one of several is chosen for being so.

    Of many that fall short a few look sure by chance, and these are chosen. By Bonferroni's
    inequality the chance that any of m does is at most m times that of one: each may miss with a
    chance of (1 - confidence) / m, whatever problems they share.
    """
    return 1 - (1 - confidence) / strategies


def cheapest_sure(
    means: Floats,
    chances: Floats,
    prices: Floats,
    confidence: float,
    allowed: NDArray[np.bool_] | None = None,
) -> NDArray[np.intp]:
    """The cheapest that is sure enough to reach a target, see `sure_enough`, else the surest.

    Args:
        means, prices: as of `most_accurate`.
        chances: shape `(states, strategies)`, P(accuracy >= target).
        confidence: that what is chosen reaches it.
        allowed: of the same shape, what may be chosen; all of them by default.

    Returns:
        Shape `(states,)`: which strategy; of equally sure ones (where none is sure enough) the most
        accurate.
    """
    if allowed is None:
        allowed = np.ones(chances.shape, dtype=np.bool_)
    chances = np.where(allowed, chances, -1.0)
    among = np.maximum(allowed.sum(axis=1, keepdims=True), 1).astype(np.float64)
    sure = chances >= sure_enough(confidence, among)
    surest = chances == chances.max(axis=1, keepdims=True)
    fallback = np.argmax(np.where(surest, means, -np.inf), axis=1)
    return np.where(sure.any(axis=1), _cheapest(sure, means, prices), fallback)


def _cheapest(eligible: NDArray[np.bool_], means: Floats, prices: Floats) -> NDArray[np.intp]:
    """The cheapest eligible one of each row; of equally cheap ones the most accurate."""
    prices = np.where(eligible, prices, np.inf)
    tied = eligible & (prices <= prices.min(axis=1, keepdims=True) * (1 + _ROUNDING))
    return np.asarray(np.argmax(np.where(tied, means, -np.inf), axis=1))
