"""The Pareto front of cost and accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(cost: ArrayLike, accuracy: ArrayLike) -> NDArray[np.intp]:
    """Return the indices of the points that no other point dominates.

    A point dominates another if it costs no more and is at least as accurate, and if they differ in
    cost or accuracy. Of equal points only the first is on the front. Along the front, cost and
    accuracy both rise strictly.

    Args:
        cost: costs in one unit, shape `(points,)`.
        accuracy: accuracies, shape `(points,)`.

    Returns:
        Indices into `cost`, shape `(points on the front,)`, in rising order of cost.

    Raises:
        ValueError: the shapes differ, or a value is NaN and cannot be compared.
    """
    costs, accuracies = np.asarray(cost, dtype=float), np.asarray(accuracy, dtype=float)
    if costs.ndim != 1 or costs.shape != accuracies.shape:
        raise ValueError(f"costs {costs.shape} and accuracies {accuracies.shape}: must be as many")
    if np.isnan(costs).any() or np.isnan(accuracies).any():
        raise ValueError("a cost or an accuracy is not known: there is no front")
    # Points are sorted by cost, and by falling accuracy if costs are equal. A point is on the front
    # if it is more accurate than all points before it.
    order = np.lexsort((-accuracies, costs))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(accuracies[order])[:-1]])
    return np.asarray(order[accuracies[order] > best_before[: len(order)]])
