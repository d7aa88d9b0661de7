"""Fixed strategies beside plans: the best in hindsight, and the best on the training problems."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from executor.strategy import Greedy, Majority, key
from planner.evaluation.crossfit import Arena, Indices
from profiling.arrays import Floats

_TIED = 1e-9  # accuracies that differ by no more are equal


def best_single(found: Sequence[Arena], budget: int) -> str:
    """The strategy with the highest accuracy over all arenas, among those run in all of them.

    Raises:
        ValueError: no strategy was run in all of them.
    """
    shared = _shared(found, budget)

    def mean(strategy: str) -> float:
        values = [a.accuracy[:, a.strategies.index(strategy)] for a in found]
        return float(np.concatenate(values).mean())

    return str(max(sorted(shared), key=mean))


def best_own(arena: Arena, budget: int) -> Indices:
    """For every problem the index of the strategy that was best over all problems of the arena."""
    allowed = arena.within(budget)
    best = allowed[arena.accuracy[:, allowed].mean(axis=0).argmax()]
    return np.full(len(arena.problems), best)


def trained_own(arena: Arena, budget: int) -> Indices | None:
    """For every problem the index of the strategy that was best on the problems of other folds.

    None if there is one fold: nothing is left to choose by.
    """
    if len(np.unique(arena.folds)) < 2:
        return None
    allowed, picked = arena.within(budget), np.empty(len(arena.problems), dtype=np.intp)
    for fold in np.unique(arena.folds):
        mine = arena.folds == fold
        picked[mine] = _best(arena, allowed, arena.accuracy[np.ix_(~mine, allowed)].mean(axis=0))
    return picked


def trained_single(found: Sequence[Arena], budget: int) -> list[Indices]:
    """The same with one strategy for all arenas, by arena: the best over all of them.

    Raises:
        ValueError: no strategy was run in all arenas, or there is one fold.
    """
    shared = sorted(_shared(found, budget))
    if any(len(np.unique(arena.folds)) < 2 for arena in found):
        raise ValueError("there is one fold; nothing is left to choose by")
    columns = [np.array([arena.strategies.index(name) for name in shared]) for arena in found]
    picked = [np.empty(len(arena.problems), dtype=np.intp) for arena in found]
    for fold in np.unique(np.concatenate([arena.folds for arena in found])):
        seen = [arena.accuracy[np.ix_(arena.folds != fold, at)]
                for arena, at in zip(found, columns, strict=True)]  # fmt: skip
        means = np.concatenate(seen).mean(axis=0)
        for arena, at, mine in zip(found, columns, picked, strict=True):
            mine[arena.folds == fold] = _best(arena, at, means)
    return picked


def _best(arena: Arena, among: Indices, means: Floats) -> int:
    """The strategy with the highest mean, the cheapest of equal ones."""
    tied = among[means >= means.max() - _TIED]
    return int(tied[arena.n[tied].argmin()])


def _shared(found: Sequence[Arena], budget: int) -> set[str]:
    shared = set.intersection(*({a.strategies[i] for i in a.within(budget)} for a in found))
    if not shared:
        raise ValueError("no strategy was run in all of them")
    return shared


def baselines(budget: int) -> dict[str, str]:
    """Strategies that need no planning, by name."""
    return {"greedy": key(Greedy()), f"majority of {budget}": key(Majority(budget))}
