"""The Pareto front of cost and accuracy: what no other choice beats at once in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, accuracy: ArrayLike) -> NDArray[np.intp]:
    """Which points nothing dominates, from the cheapest to the most accurate.

    One point dominates another that costs at least as much and is at most as accurate, unless they
    are equal in both; of equal points the first stands for all. Along the front cost and accuracy
    both rise strictly.

    Args:
        cost: shape `(points,)`, all in one unit.
        accuracy: shape `(points,)`.

    Returns:
        Shape `(points on the front,)`: places in `cost`, in rising order of cost.

    Raises:
        ValueError: the shapes differ, or a value is NaN: such a point is not comparable.
    """
    costs, accuracies = np.asarray(cost, dtype=float), np.asarray(accuracy, dtype=float)
    if costs.ndim != 1 or costs.shape != accuracies.shape:
        raise ValueError(f"costs {costs.shape} and accuracies {accuracies.shape}: must be as many")
    if np.isnan(costs).any() or np.isnan(accuracies).any():
        raise ValueError("a cost or an accuracy is not known: there is no front")
    # The cheapest first, and of equally cheap ones the best: each that is better than all before
    # it is on the front.
    order = np.lexsort((-accuracies, costs))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(accuracies[order])[:-1]])
    return np.asarray(order[accuracies[order] > best_before[: len(order)]])
