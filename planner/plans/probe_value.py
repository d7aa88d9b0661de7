"""The value of probes: the expected accuracy and price of choosing after more or fewer of them.

k probes are taken to report one thing, the difficulty that their classifier head assigns. The
head's held-out confusion matrix gives P(assigned | true); by Bayes' rule the report changes the
chances of the difficulties, and the choice with them (preposterior analysis, Raiffa and Schlaifer
1961, ch. 4). The cost of the probes is part of every price, and limits what is left to choose from.
Text and probes are taken as independent given the difficulty, and probes say more than one
difficulty: these two errors have opposite signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from planner.choice.constraint import Constraint
from planner.plans.strategy_table import StrategyTable, allowed_by, choose_by_state
from profiling.arrays import Floats
from profiling.difficulty.estimator import Head, Quality
from profiling.pass_rate import Difficulty

_LEAST = np.finfo(np.float64).tiny
_LEVELS = tuple(level.value for level in Difficulty)


class ProbeValue:
    """Every number of probes that may be drawn, 0 included, with the choices left after it.

    All states of knowledge that any of these numbers may lead to are computed together: one before
    probing, and for each number of probes one for each difficulty that may be assigned.

    Args:
        table_after: makes the strategy table after so many probes; always of the same strategies.
        heads: classifier heads that estimate difficulties from probes.

    Attributes:
        probes: the numbers of probes that are compared, 0 first.
    """

    def __init__(self, table_after: Callable[[int], StrategyTable], heads: Sequence[Head]) -> None:
        self.probes = (0, *(head.probes for head in heads))
        tables = [table_after(probes) for probes in self.probes]
        plain = tables[0]
        self._accuracy, self._variance = plain.accuracy, plain.variance
        assigned = [_assigned(head.quality, plain.levels) for head in heads]
        self._assigned = np.array(assigned).reshape(-1, len(plain.levels), len(_LEVELS))
        # Of each state, the index of its number of probes.
        way_of = [0, *(way for way in range(1, len(tables)) for _ in _LEVELS)]
        self._first = np.searchsorted(way_of, range(len(tables)))  # the first state of each number
        self._price = np.stack([tables[way].price for way in way_of])
        self._costs = np.stack([tables[way].costs for way in way_of], axis=1)
        self._n = np.stack([tables[way].n for way in way_of])

    def ways(self, prior: Floats, constraint: Constraint) -> Floats:
        """Expected accuracy, price and standard deviation of the accuracy, by number of probes.

        The states of one number of probes share the uncertainty about the strategies: their
        standard deviations are added, as if the errors were fully correlated.

        Args:
            prior: chances of the tables' difficulties before probing, shape `(levels,)`.
            constraint: the limits and the target of the choices.

        Returns:
            Shape `(numbers of probes, 3)`; NaN if in a state that may come nothing is allowed.
        """
        joint = (prior[None, :, None] * self._assigned).transpose(0, 2, 1).reshape(-1, len(prior))
        chance_assigned = joint.sum(axis=1)
        chances = np.concatenate([[1.0], chance_assigned])
        # A difficulty that is never assigned has no weight; its posterior may be anything.
        after = np.where(
            chance_assigned[:, None] > 0,
            joint / np.maximum(chance_assigned, _LEAST)[:, None],
            prior,
        )
        states = np.concatenate([prior[None, :], after])
        used = prior.nonzero()[0]  # NaN of the other difficulties do not matter
        states = states[:, used]
        accuracy = states @ self._accuracy[used]
        allowed = allowed_by(
            constraint, accuracy, self._n, lambda cost: _rows(states, self._costs[cost][:, used])
        )
        if not allowed.any():
            return np.full((len(self._first), 3), np.nan)
        best = choose_by_state(
            accuracy, states**2 @ self._variance[used], _rows(states, self._price[:, used]),
            allowed, constraint,
        )  # fmt: skip
        values = np.array([best.accuracy, best.price, np.sqrt(best.variance)])
        values[:, ~allowed.any(axis=1)] = np.nan
        values = np.where(chances > 0, values * chances, 0.0)
        return np.asarray(np.add.reduceat(values, self._first, axis=1).T)


def _rows(states: Floats, values: Floats) -> Floats:
    """Expectations if each state has values of its own, shape `(states, levels, strategies)`."""
    return np.asarray(np.matmul(states[:, None, :], values)[:, 0])


def _assigned(quality: Quality, levels: Sequence[str]) -> Floats:
    """P(difficulty assigned | true), one row a true one; uniform if a true one has no data."""
    rates = quality.named()
    uniform = [1 / len(_LEVELS)] * len(_LEVELS)
    return np.array([
        list(rates[level].values()) if level in rates else uniform for level in levels
    ])  # fmt: skip
