"""The value of information: what choosing is expected to come to with more or fewer probes.

What k probes will say is taken as the difficulty they name, which by the held-out confusion of
their head has a chance P(named | true); by Bayes' rule it changes the chances of the difficulties,
and the choice with them (preposterior analysis, Raiffa and Schlaifer 1961, ch. 4). What they cost
is in what is then left to choose from, and in its price. Text and probes are taken as independent
given the difficulty, and probes say more than a name: errors of opposite signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from planner.choice.constraint import Constraint
from planner.plans.strategy_table import Menu, allowed_by, chosen_of
from profiling.arrays import Floats
from profiling.difficulty.estimator import Head, Quality
from profiling.difficulty.pass_rate import Difficulty

_LEAST = np.finfo(np.float64).tiny
_LEVELS = tuple(level.value for level in Difficulty)


class Weighing:
    """Not probing, and each number of probes, with what is left to choose from after them.

    All states of knowledge that any of these may lead to are looked at together: one before
    probing, and one for each difficulty that each number of probes may name.

    Args:
        menu_after: what can be chosen after so many probes; always of the same strategies.
        heads: that tell difficulties from probes.

    Attributes:
        probes: of each way, 0 first.
    """

    def __init__(self, menu_after: Callable[[int], Menu], heads: Sequence[Head]) -> None:
        self.probes = (0, *(head.probes for head in heads))
        menus = [menu_after(probes) for probes in self.probes]
        plain = menus[0]
        self._accuracy, self._variance = plain.accuracy, plain.variance
        named = [_named(head.quality, plain.levels) for head in heads]
        self._named = np.array(named).reshape(-1, len(plain.levels), len(_LEVELS))
        of = [0, *(way for way in range(1, len(menus)) for _ in _LEVELS)]
        self._first = np.searchsorted(of, range(len(menus)))  # the first state of each way
        self._price = np.stack([menus[way].price for way in of])
        self._costs = np.stack([menus[way].costs for way in of], axis=1)
        self._n = np.stack([menus[way].n for way in of])

    def ways(self, prior: Floats, constraint: Constraint) -> Floats:
        """Expected accuracy and price of each way, and the standard deviation of the accuracy.

        States share what is not known of the strategies: their errors are added as if they went
        together.

        Args:
            prior: chances of the menus' levels, known before; shape `(levels,)`.
            constraint: what choices keep to.

        Returns:
            Shape `(ways, 3)`; NaN where in a state that may come nothing keeps to the constraint.
        """
        joint = (prior[None, :, None] * self._named).transpose(0, 2, 1).reshape(-1, len(prior))
        told = joint.sum(axis=1)
        chances = np.concatenate([[1.0], told])
        # What is never named counts for nothing, whatever is known then.
        after = np.where(told[:, None] > 0, joint / np.maximum(told, _LEAST)[:, None], prior)
        states = np.concatenate([prior[None, :], after])
        used = prior.nonzero()[0]  # of the others nothing is asked
        states = states[:, used]
        accuracy = states @ self._accuracy[used]
        allowed = allowed_by(
            constraint, accuracy, self._n, lambda cost: _rows(states, self._costs[cost][:, used])
        )
        if not allowed.any():
            return np.full((len(self._first), 3), np.nan)
        found = chosen_of(
            accuracy, states**2 @ self._variance[used], _rows(states, self._price[:, used]),
            allowed, constraint,
        )  # fmt: skip
        worth = np.array([found.accuracy, found.price, np.sqrt(found.variance)])
        worth[:, ~allowed.any(axis=1)] = np.nan
        worth = np.where(chances > 0, worth * chances, 0.0)
        return np.asarray(np.add.reduceat(worth, self._first, axis=1).T)


def _rows(states: Floats, values: Floats) -> Floats:
    """Expectations where each state has values of its own, shape `(states, levels, strategies)`."""
    return np.asarray(np.matmul(states[:, None, :], values)[:, 0])


def _named(quality: Quality, levels: Sequence[str]) -> Floats:
    """P(difficulty named | true), a row each; any alike where nothing is known of the true one."""
    named = quality.named()
    anything = [1 / len(_LEVELS)] * len(_LEVELS)
    return np.array([
        list(named[level].values()) if level in named else anything for level in levels
    ])  # fmt: skip
