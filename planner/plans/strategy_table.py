"""What a plan can choose from, as arrays: a choice under any constraint takes no millisecond.

The rule is that of `planner.choice.recommend.choose`, for a question of which no more may be known
than
the chances of its difficulties: what is expected of a strategy is then the mean over them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from executor.errors import InputError
from executor.strategy import Strategy, key
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.rules import Number, cheapest_sure, most_accurate
from planner.costs.cost import TOKENS, Cost, Rates
from planner.prediction.beta import LEVEL, probability_above
from profiling.arrays import Floats
from profiling.difficulty.pass_rate import ALL

if TYPE_CHECKING:
    from planner.choice.recommend import Choice
    from planner.plans.plan import Entry, Plan

_TAILS = np.array([(1 - LEVEL) / 2, 1 - (1 - LEVEL) / 2])
_COSTS = tuple(Cost.__dataclass_fields__)
# Limits on what a strategy is expected to cost, and the costs they are on.
_LIMITED = {"max_flops": "flops", "max_seconds": "seconds", "max_usd": "usd"}


@dataclass(frozen=True, slots=True)
class Pick:
    """A strategy, and what is expected of it on a question.

    Attributes:
        strategy: what to run.
        predicted_accuracy, interval, beta: mean, 90 % interval, and the Beta distribution that they
            are of.
        cost: expected.
    """

    strategy: Strategy
    predicted_accuracy: float
    interval: tuple[float, float]
    beta: tuple[float, float]
    cost: Cost


@dataclass(frozen=True, slots=True)
class Worth:
    """What choosing is expected to come to in some states of knowledge, an array of one each.

    Attributes:
        chosen: which strategy, shape `(states,)`.
        accuracy, variance, price: of it, shape `(states,)`.
    """

    chosen: NDArray[np.intp]
    accuracy: Floats
    variance: Floats
    price: Floats


class Menu:
    """The strategies a plan knows, by difficulty.

    Args:
        found: by difficulty, what is expected of each strategy, the probes that were drawn before
            it in its cost; in one order of strategies.
        rates: that costs were counted by.

    Attributes:
        levels, strategies: rows and columns of what follows.
        accuracy, variance, price: expected, shape `(levels, strategies)`; NaN where not known.
        costs: the fields of `Cost`, shape `(costs, levels, strategies)`.
        n: generations, probes that a strategy cannot use included; shape `(strategies,)`.
    """

    def __init__(self, found: Mapping[str, Sequence[Choice]], rates: Rates = NO_RATES) -> None:
        from planner.choice.recommend import cost_unit

        self.levels, self.rates = tuple(found), rates
        every = {choice.strategy: choice.extra for known in found.values() for choice in known}
        self.strategies = tuple(every)
        self.unit = cost_unit([choice for known in found.values() for choice in known])
        self.n = np.array([s.n + extra for s, extra in every.items()], dtype=np.float64)
        self._extra = tuple(every.values())
        shape = len(self.levels), len(every)
        # Where a strategy is not known on a difficulty, nothing is.
        self.accuracy, self.variance, self.price = (np.full(shape, np.nan) for _ in range(3))
        self.costs = np.full((len(_COSTS), *shape), np.nan)
        at = {strategy: column for column, strategy in enumerate(self.strategies)}
        for row, known in enumerate(found.values()):
            for choice in known:
                a, b = choice.beta
                cell = row, at[choice.strategy]
                self.accuracy[cell] = choice.predicted_accuracy
                self.variance[cell] = a * b / ((a + b) ** 2 * (a + b + 1))
                self.price[cell] = choice.price(self.unit)
                for place, name in enumerate(_COSTS):
                    value = getattr(choice.cost, name)
                    self.costs[place, *cell] = np.nan if value is None else value

    @classmethod
    def of(cls, plan: Plan, probes: int = 0, *, scored: bool = True) -> Menu:
        """The alternatives of a plan once so many probes were drawn, which their costs include.

        Those that need a PRM only where responses are `scored`.
        """
        found = charged(plan, probes)
        if not scored:
            found = {
                level: [choice for choice in known if not choice.strategy.needs_prm]
                for level, known in found.items()
            }
        return cls(found, plan.rates)

    def chances(self, given: Mapping[str, float] | str) -> Floats:
        """Chances of the difficulties as a row of them; a name alone is certain.

        A difficulty that nothing is known of counts as `all`.
        """
        row = np.zeros(len(self.levels))
        for level, chance in ({given: 1.0} if isinstance(given, str) else given).items():
            row[self.levels.index(level if level in self.levels else ALL)] += chance
        return row

    def choose(self, given: Mapping[str, float] | str, constraint: Constraint) -> Pick:
        """The best under a constraint, by the rule of `planner.choice.recommend.choose`.

        Args:
            given: a difficulty, or the chances of all.
            constraint: what to keep to.

        Raises:
            InputError: nothing keeps to it.
        """
        states = self.chances(given)[None, :]
        used, weights = self._used(states)
        worth = self.worth(states, constraint, exact=True)
        if worth is None:
            every = np.arange(len(self.strategies))
            known = zip(
                self.strategies, self._priced(used, weights, every), self._extra, strict=True
            )
            named = given if isinstance(given, str) else ALL
            raise InputError(f"difficulty {named}: {constraint.refusal(known, self.rates)}")
        return self._pick(used, weights, int(worth.chosen[0]))

    def expected(self, strategy: Strategy, given: Mapping[str, float] | str) -> Pick | None:
        """What is expected of one strategy; None where that is not known."""
        used, weights = self._used(self.chances(given)[None, :])
        if strategy not in self.strategies:
            return None
        column = self.strategies.index(strategy)
        known = not np.isnan(self.accuracy[used, column]).any()
        return self._pick(used, weights, column) if known else None

    def others(
        self,
        strategy: Strategy,
        given: Mapping[str, float] | str,
        constraint: Constraint,
        most: int,
    ) -> list[Pick]:
        """The most accurate besides one that keep to a constraint, best first."""
        states = self.chances(given)[None, :]
        used, weights = self._used(states)
        means = np.where(self.allowed(states, constraint), weights @ self.accuracy[used], -np.inf)
        ranked = [c for c in np.argsort(-means[0], kind="stable") if means[0, c] > -np.inf]
        others = [column for column in ranked if self.strategies[column] != strategy]
        return [self._pick(used, weights, int(column)) for column in others[:most]]

    def reaches(self, constraint: Constraint) -> bool:
        """Whether anything keeps to a constraint on questions of which nothing is known."""
        return bool(self.allowed(self.chances(ALL)[None, :], constraint).any())

    def cheapest(self, cost: str) -> Strategy:
        """The strategy that needs least of a cost (a field of `Cost`) on any question."""
        row = self.costs[_COSTS.index(cost), self.levels.index(ALL)]
        return self.strategies[int(np.nanargmin(row))]

    def _pick(self, used: NDArray[np.intp], weights: Floats, column: int) -> Pick:
        mean = float((weights @ self.accuracy[used, column])[0])
        a, b = _beta(mean, float((weights**2 @ self.variance[used, column])[0]))
        low, high = betaincinv(a, b, _TAILS).tolist()
        cost = self._priced(used, weights, np.array([column]))[0]
        return Pick(self.strategies[column], mean, (low, high), (a, b), cost)

    def allowed(self, states: Floats, constraint: Constraint) -> NDArray[np.bool_]:
        """Which strategies keep to the limits, for all that is known; shape
        `(states, strategies)`."""
        used, weights = self._used(states)
        return self._allowed(used, weights, weights @ self.accuracy[used], constraint)

    def _allowed(
        self, used: NDArray[np.intp], weights: Floats, accuracy: Floats, constraint: Constraint
    ) -> NDArray[np.bool_]:
        return allowed_by(
            constraint, accuracy, self.n, lambda cost: weights @ self.costs[cost, used]
        )

    def worth(self, states: Floats, constraint: Constraint, *, exact: bool = False) -> Worth | None:
        """What the choice is in each state of knowledge, and what it is expected to come to.

        None where in some state nothing keeps to the constraint.

        Args:
            states: chances of the difficulties, shape `(states, levels)`; rows sum to 1.
            constraint: what to keep to.
            exact: whether P(accuracy >= target) is that of a Beta distribution of the mean and
                variance, as `recommend` has it, or of a normal one, for many states at once.
        """
        used, weights = self._used(states)
        accuracy = weights @ self.accuracy[used]
        allowed = self._allowed(used, weights, accuracy, constraint)
        if not allowed.any(axis=1).all():
            return None
        variance = weights**2 @ self.variance[used]
        price = weights @ self.price[used]
        return chosen_of(accuracy, variance, price, allowed, constraint, exact=exact)

    def _used(self, states: Floats) -> tuple[NDArray[np.intp], Floats]:
        """The difficulties that have any chance, and their chances: of others nothing is asked."""
        used = states.sum(axis=0).nonzero()[0]  # none is negative
        return used, states[:, used]

    def _priced(
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
    """Which strategies keep to the limits in each state of knowledge, for all that is known.

    Args:
        constraint: whose limits count.
        accuracy: expected, shape `(states, strategies)`; NaN where nothing is known.
        n: generations, shape `(strategies,)` or of `accuracy`.
        costs: makes the expected ones of a kind, by its place among `Cost`'s fields, of the shape
            of `accuracy`; NaN where not known, and then nothing keeps to a limit on it.
    """
    allowed = ~np.isnan(accuracy)
    if constraint.budget is not None:
        allowed &= n <= constraint.budget
    for limit, name in _LIMITED.items():
        most = getattr(constraint, limit)
        if most is not None:
            allowed &= costs(_COSTS.index(name)) <= most
    return np.asarray(allowed)


def chosen_of(
    accuracy: Floats,
    variance: Floats,
    price: Floats,
    allowed: NDArray[np.bool_],
    constraint: Constraint,
    *,
    exact: bool = False,
) -> Worth:
    """The choice in each state of knowledge, see `Menu.worth`.

    Args:
        accuracy, variance, price: expected, shape `(states, strategies)`.
        allowed: of the same shape, what may be chosen.
        constraint: whose target counts.
        exact: see `Menu.worth`.
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
    return Worth(chosen, accuracy[rows, chosen], variance[rows, chosen], price[rows, chosen])


def charged(plan: Plan, probes: int = 0) -> dict[str, list[Choice]]:
    """By difficulty, the alternatives of a plan with what so many probes add to their costs."""
    from planner.choice.recommend import Choice, Probing

    found: dict[str, list[Choice]] = {}
    each = plan.probe_cost
    probing = Probing(probes, each.generated, each.prm) if each is not None else None
    for level, known in plan.alternatives.items():
        found[level] = []
        for entry in known:
            assert entry.beta is not None  # a plan with alternatives has them
            choice = Choice(
                entry.strategy, entry.predicted_accuracy, entry.interval, _cost(entry), 0,
                "plan", entry.beta,
            )  # fmt: skip
            if probes and probing is not None:
                choice = probing.charge(choice, plan.rates)
            found[level].append(choice)
    return found


def _beta(mean: Number, variance: Number) -> tuple[Number, Number]:
    """The Beta distribution of a mean and a variance: a + b + 1 = mean (1 - mean) / variance."""
    weight = mean * (1 - mean) / variance - 1
    return mean * weight, (1 - mean) * weight


def _cost(entry: Entry) -> Cost:
    """The cost of an entry; InputError where it is damaged."""
    plain: dict[str, Any] = dict(entry.cost)
    unknown = {name: np.nan for name in TOKENS if name in plain and plain[name] is None}
    try:
        return Cost(**plain | unknown)
    except TypeError as error:
        raise InputError(f"plan: cost of {key(entry.strategy)}: damaged ({error})") from None
