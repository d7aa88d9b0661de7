"""The strategies of a plan as arrays, so that a choice under any constraint takes a millisecond.

The rule is that of `planner.choice.recommend.choose`. If only the chances of the difficulties are
known of a question, the estimate of a strategy is the mean over the difficulties.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from executor.errors import InputError
from executor.strategy import Strategy
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.rules import Number, cheapest_sure, most_accurate
from planner.costs.cost import TOKENS, Cost, Rates
from planner.prediction.beta import LEVEL, probability_above
from profiling.arrays import Floats
from profiling.pass_rate import ALL

_TAILS = np.array([(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2])
_COSTS = tuple(Cost.__dataclass_fields__)
# Limits on the expected cost of a strategy, and the field of `Cost` each is on.
_LIMITED = {"max_flops": "flops", "max_seconds": "seconds", "max_usd": "usd"}


@dataclass(frozen=True, slots=True)
class ChoiceByState:
    """The strategy chosen in each of several states of knowledge, and its estimate.

    Attributes:
        chosen: index of the strategy, shape `(states,)`.
        accuracy, variance, price: mean and variance of its accuracy, and its expected cost in the
            table's unit, shape `(states,)` each.
    """

    chosen: NDArray[np.intp]
    accuracy: Floats
    variance: Floats
    price: Floats


class StrategyTable:
    """The estimates of strategies by difficulty, as arrays.

    Args:
        estimates: by difficulty, the estimate of each strategy, the cost of probes included; all
            difficulties in one order of strategies.
        rates: prices that the costs were computed with.

    Attributes:
        levels, strategies: the difficulties and the strategies: rows and columns of the arrays.
        unit: in which prices are compared, see `planner.choice.estimate.cost_unit`.
        accuracy, variance: mean and variance of the accuracy, shape `(levels, strategies)`; NaN if
            not known.
        price: expected cost in `unit`, of the same shape.
        costs: the fields of `Cost`, shape `(costs, levels, strategies)`; NaN if not known.
        n: generations, probes that a strategy cannot use included; shape `(strategies,)`.
    """

    def __init__(
        self, estimates: Mapping[str, Sequence[StrategyEstimate]], rates: Rates = NO_RATES
    ) -> None:
        self.levels, self.rates = tuple(estimates), rates
        every = [one for known in estimates.values() for one in known]
        probes = {one.strategy: one.probe_generations for one in every}
        self.strategies = tuple(probes)
        self.unit = cost_unit(every)
        self.n = np.array([s.n + extra for s, extra in probes.items()], dtype=np.float64)
        self._probe_generations = tuple(probes.values())
        shape = len(self.levels), len(self.strategies)
        # A strategy without an estimate on a difficulty stays NaN there.
        self.accuracy, self.variance, self.price = (np.full(shape, np.nan) for _ in range(3))
        self.costs = np.full((len(_COSTS), *shape), np.nan)
        column = {strategy: index for index, strategy in enumerate(self.strategies)}
        for row, known in enumerate(estimates.values()):
            for one in known:
                a, b = one.beta
                cell = row, column[one.strategy]
                self.accuracy[cell] = one.predicted_accuracy
                self.variance[cell] = a * b / ((a + b) ** 2 * (a + b + 1))
                self.price[cell] = one.price(self.unit)
                for place, name in enumerate(_COSTS):
                    value = getattr(one.cost, name)
                    self.costs[place, *cell] = np.nan if value is None else value

    def chances(self, difficulty: Mapping[str, float] | str) -> Floats:
        """Chances of the table's difficulties, shape `(levels,)`.

        Args:
            difficulty: the chance of each difficulty, or the name of a certain one. A difficulty
                that the table does not have counts as `all`.
        """
        row = np.zeros(len(self.levels))
        known = {difficulty: 1.0} if isinstance(difficulty, str) else difficulty
        for level, chance in known.items():
            row[self.levels.index(level if level in self.levels else ALL)] += chance
        return row

    def choose(
        self, difficulty: Mapping[str, float] | str, constraint: Constraint
    ) -> StrategyEstimate:
        """The best strategy under a constraint, by `planner.choice.recommend.choose`'s rule.

        Args:
            difficulty: a difficulty, or the chance of each.
            constraint: the limits and the target.

        Raises:
            InputError: no strategy keeps to the constraint.
        """
        states = self.chances(difficulty)[None, :]
        used, weights = self._used(states)
        best = self.choose_by_state(states, constraint, exact=True)
        if best is None:
            every = np.arange(len(self.strategies))
            costs = self._mean_costs(used, weights, every)
            known = zip(self.strategies, costs, self._probe_generations, strict=True)
            level = difficulty if isinstance(difficulty, str) else ALL
            raise InputError(f"difficulty {level}: {constraint.refusal(known, self.rates)}")
        return self._estimate(used, weights, int(best.chosen[0]))

    def expected(
        self, strategy: Strategy, difficulty: Mapping[str, float] | str
    ) -> StrategyEstimate | None:
        """The estimate of one strategy; None if it is not known.

        Args:
            strategy: the strategy.
            difficulty: a difficulty, or the chance of each.
        """
        used, weights = self._used(self.chances(difficulty)[None, :])
        if strategy not in self.strategies:
            return None
        column = self.strategies.index(strategy)
        known = not np.isnan(self.accuracy[used, column]).any()
        return self._estimate(used, weights, column) if known else None

    def alternatives(
        self,
        strategy: Strategy,
        difficulty: Mapping[str, float] | str,
        constraint: Constraint,
        most: int,
    ) -> list[StrategyEstimate]:
        """The most accurate strategies that keep to a constraint, without one of them.

        Args:
            strategy: the one that is left out.
            difficulty: a difficulty, or the chance of each.
            constraint: whose limits count.
            most: how many at most.
        """
        states = self.chances(difficulty)[None, :]
        used, weights = self._used(states)
        means = np.where(self.allowed(states, constraint), weights @ self.accuracy[used], -np.inf)
        ranked = [c for c in np.argsort(-means[0], kind="stable") if means[0, c] > -np.inf]
        others = [column for column in ranked if self.strategies[column] != strategy]
        return [self._estimate(used, weights, int(column)) for column in others[:most]]

    def reaches(self, constraint: Constraint) -> bool:
        """Whether any strategy keeps to a constraint on questions of unknown difficulty."""
        return bool(self.allowed(self.chances(ALL)[None, :], constraint).any())

    def cheapest(self, cost: str) -> Strategy:
        """The strategy with the lowest expected cost on questions of unknown difficulty.

        Args:
            cost: a field of `Cost`.
        """
        row = self.costs[_COSTS.index(cost), self.levels.index(ALL)]
        return self.strategies[int(np.nanargmin(row))]

    def allowed(self, states: Floats, constraint: Constraint) -> NDArray[np.bool_]:
        """Which strategies keep to the limits, as far as is known; shape `(states, strategies)`.

        Args:
            states: chances of the difficulties, shape `(states, levels)`.
            constraint: whose limits count.
        """
        used, weights = self._used(states)
        return self._allowed(used, weights, weights @ self.accuracy[used], constraint)

    def choose_by_state(
        self, states: Floats, constraint: Constraint, *, exact: bool = False
    ) -> ChoiceByState | None:
        """The choice in each state of knowledge; None if in some state nothing is allowed.

        Args:
            states: chances of the difficulties, shape `(states, levels)`; rows sum to 1.
            constraint: the limits and the target.
            exact: whether P(accuracy >= target) is that of a Beta distribution of the mean and
                variance, as `recommend` has it; else of a normal one, which is fast for many
                states.
        """
        used, weights = self._used(states)
        accuracy = weights @ self.accuracy[used]
        allowed = self._allowed(used, weights, accuracy, constraint)
        if not allowed.any(axis=1).all():
            return None
        variance = weights**2 @ self.variance[used]
        price = weights @ self.price[used]
        return choose_by_state(accuracy, variance, price, allowed, constraint, exact=exact)

    def _allowed(
        self, used: NDArray[np.intp], weights: Floats, accuracy: Floats, constraint: Constraint
    ) -> NDArray[np.bool_]:
        return allowed_by(
            constraint, accuracy, self.n, lambda cost: weights @ self.costs[cost, used]
        )

    def _used(self, states: Floats) -> tuple[NDArray[np.intp], Floats]:
        """The difficulties with any chance, and their chances: NaN of the others do not matter."""
        used = states.sum(axis=0).nonzero()[0]  # none is negative
        return used, states[:, used]

    def _estimate(self, used: NDArray[np.intp], weights: Floats, column: int) -> StrategyEstimate:
        """The mean estimate of one strategy over the difficulties."""
        mean = float((weights @ self.accuracy[used, column])[0])
        a, b = _beta(mean, float((weights**2 @ self.variance[used, column])[0]))
        low, high = betaincinv(a, b, _TAILS).tolist()
        cost = self._mean_costs(used, weights, np.array([column]))[0]
        return StrategyEstimate(self.strategies[column], mean, (low, high), (a, b), cost)

    def _mean_costs(
        self, used: NDArray[np.intp], weights: Floats, columns: NDArray[np.intp]
    ) -> list[Cost]:
        """The expected costs of some strategies."""
        known = self.costs[:, used][:, :, columns]
        expected = np.einsum("l,cls->sc", weights[0], known).tolist()
        unknown = dict.fromkeys(TOKENS, math.nan)
        rows = (zip(_COSTS, row, strict=True) for row in expected)
        return [
            Cost(**unknown | {name: value for name, value in row if not math.isnan(value)})
            for row in rows
        ]


def allowed_by(
    constraint: Constraint, accuracy: Floats, n: Floats, costs: Callable[[int], Floats]
) -> NDArray[np.bool_]:
    """Which strategies keep to the limits in each state of knowledge, as far as is known.

    Args:
        constraint: whose limits count.
        accuracy: means, shape `(states, strategies)`; NaN if a strategy is not known.
        n: generations, shape `(strategies,)` or that of `accuracy`.
        costs: computes the expected costs of one kind, by its place among `Cost`'s fields, in the
            shape of `accuracy`; NaN if not known, and then no strategy keeps to a limit on it.
    """
    allowed = ~np.isnan(accuracy)
    if constraint.budget is not None:
        allowed &= n <= constraint.budget
    for limit, name in _LIMITED.items():
        most = getattr(constraint, limit)
        if most is not None:
            allowed &= costs(_COSTS.index(name)) <= most
    return np.asarray(allowed)


def choose_by_state(
    accuracy: Floats,
    variance: Floats,
    price: Floats,
    allowed: NDArray[np.bool_],
    constraint: Constraint,
    *,
    exact: bool = False,
) -> ChoiceByState:
    """The choice in each state of knowledge, see `StrategyTable.choose_by_state`.

    Args:
        accuracy, variance, price: of each strategy, shape `(states, strategies)`.
        allowed: what may be chosen, of the same shape.
        constraint: whose target counts.
        exact: see `StrategyTable.choose_by_state`.
    """
    means, prices = np.where(allowed, accuracy, -np.inf), np.where(allowed, price, np.inf)
    target = constraint.target_accuracy
    if target is None:
        chosen = most_accurate(means, prices)
    else:
        if exact:
            a, b = _beta(accuracy, variance)
            chances = probability_above(a, b, target)
        else:
            chances = ndtr((accuracy - target) / np.sqrt(variance))
        chosen = cheapest_sure(means, chances, prices, constraint.confidence, allowed)
    rows = np.arange(len(accuracy))
    return ChoiceByState(
        chosen, accuracy[rows, chosen], variance[rows, chosen], price[rows, chosen]
    )


def _beta(mean: Number, variance: Number) -> tuple[Number, Number]:
    """The Beta distribution of a mean and a variance: a + b + 1 = mean (1 - mean) / variance."""
    weight = mean * (1 - mean) / variance - 1
    return mean * weight, (1 - mean) * weight
