"""Choose the stages of a cascade and its stop rules on training problems.

For a price of cost, cascades are built from their ends: a stage is put before the best that may
follow it, and its rule is fitted to what follows (`planner.cascades.stop_rule`). Over all prices
this gives cascades of every cost, single strategies among them: a cascade is chosen only if it
looks better than a model alone. Of these the goal picks one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import ndtr

from executor.errors import InputError
from planner.cascades.cascade import Cascade, Replayed, Stage, replay
from planner.cascades.evidence import ModelsEvidence, Option
from planner.cascades.stop_rule import Binned, Confidence, Outlook
from planner.choice.constraint import Constraint
from planner.prediction.splits import FOLDS, problem_folds
from profiling.arrays import Floats, Ints

UNITS = {"flops": "max_flops", "usd": "max_usd", "seconds": "max_seconds"}
_PRICES = 24  # from one at which only the cheapest pays to one at which the dearest does
_LEAST_GAIN = 1e-3  # accuracy that the dearest strategy must add at the lowest price
_KEPT = 3  # of a policy's ways to go on, by each of two measures
_REFINED = 6  # chains of stages whose price is searched finely
_FINE = np.geomspace(1 / 3, 3, 13)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a cascade is chosen for.

    Attributes:
        limit: highest expected cost of a problem, in the unit of the evidence; None: no limit.
        target: accuracy to reach at the least cost; None: the highest accuracy.
        confidence: probability with which the target must be reached.
    """

    limit: float | None = None
    target: float | None = None
    confidence: float = 0.95


def goal_of(constraint: Constraint) -> tuple[Goal, str]:
    """The goal of a constraint, and the unit in which costs are compared.

    Raises:
        InputError: it limits generations, or several costs.
    """
    if constraint.budget is not None:
        raise InputError(
            "--budget: N generations of a small and of a large model are not the same thing; "
            "limit --max-flops, --max-seconds or --max-usd instead"
        )
    limits = {unit: getattr(constraint, name) for unit, name in UNITS.items()}
    given = {unit: limit for unit, limit in limits.items() if limit is not None}
    if len(given) > 1:
        names = " and ".join(f"--{UNITS[unit].replace('_', '-')}" for unit in given)
        raise InputError(f"{names}: a cascade weighs accuracy against one cost; give one limit")
    unit, limit = next(iter(given.items()), ("flops", None))
    return Goal(limit, constraint.target_accuracy, constraint.confidence), unit


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cascade with what it gets and costs on the training problems.

    Attributes:
        cascade: the cascade.
        replayed: on the training problems.
        price: accuracy per unit of cost that its rules were fitted for.
    """

    cascade: Cascade
    replayed: Replayed
    price: float

    @property
    def accuracy(self) -> float:
        """Mean accuracy."""
        return float(self.replayed.accuracy.mean())

    @property
    def cost(self) -> float:
        """Mean cost."""
        return float(self.replayed.cost.mean())

    def sureness(self, target: float) -> float:
        """Probability that the accuracy on problems of the kind reaches a target."""
        values = self.replayed.accuracy
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        return float(ndtr((self.accuracy - target) / max(error, 1e-9)))


@dataclass(frozen=True, slots=True)
class _Head:
    option: Option
    confidence: Confidence
    binned: Binned


class Search:
    """The cascades that training problems give.

    Args:
        evidence: on the training problems alone.
    """

    def __init__(self, evidence: ModelsEvidence) -> None:
        self.evidence = evidence
        self._heads = {
            Stage(one.models, one.strategy): _fitted(one)
            for one in evidence.options
            if one.features is not None
        }
        accuracies = np.array([one.accuracy for one in evidence.options])
        self._hard = 1 - accuracies.mean(axis=0) + 1e-3
        self._hard /= self._hard.sum()
        self._outlooks: dict[tuple[Stage, Stage], Outlook] = {}

    @cached_property
    def singles(self) -> tuple[Candidate, ...]:
        """Each strategy alone."""
        return tuple(
            Candidate(Cascade((Stage(one.models, one.strategy),)), Replayed.of(one), 0.0)
            for one in self.evidence.options
        )

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """The best cascades at each price, and each strategy alone."""
        costs = [one.cost for one in self.singles]
        low, high = _LEAST_GAIN / max(costs), 1 / max(min(costs), 1e-30)
        found: list[Candidate] = list(self.singles)
        for price in np.geomspace(low, high, _PRICES):
            found += self._at(float(price))
        return tuple(found)

    def _at(self, price: float) -> list[Candidate]:
        """The best ways to answer at a price, from the last stage to the first."""
        ways: list[Candidate] = []
        for policy in reversed(self.evidence.policies):
            mine = [one for one in self.singles if one.cascade.stages[0].models.policy == policy]
            heads = [head for stage, head in self._heads.items() if stage.models.policy == policy]
            mine += [way for head in heads for next_ in ways
                     if (way := self._before(head, next_, price)) is not None]  # fmt: skip
            ways += self._best(mine, price)
        return ways

    def _before(self, head: _Head, following: Candidate, price: float) -> Candidate | None:
        """A stage put before others; None if it would always stop, or never."""
        rule = self._outlook(head, following).rule(price)
        if all(rule.escalates) or not any(rule.escalates):
            return None
        stage = Stage(head.option.models, head.option.strategy)
        cascade = Cascade(
            (stage, *following.cascade.stages), (rule, *following.cascade.rules)
        )  # fmt: skip
        return Candidate(cascade, following.replayed.after(head.option, head.binned, rule), price)

    def _outlook(self, head: _Head, following: Candidate) -> Outlook:
        """What is expected of both; that of a single strategy is the same at every price."""
        then, cascade = following.replayed, following.cascade
        at = (Stage(head.option.models, head.option.strategy), cascade.stages[0])
        if not cascade.rules and at in self._outlooks:
            return self._outlooks[at]
        made = Outlook.fit(head.confidence, head.binned, then.accuracy, then.cost)
        if not cascade.rules:
            self._outlooks[at] = made
        return made

    def _best(self, found: Sequence[Candidate], price: float) -> list[Candidate]:
        """The best on all problems, and the best on hard ones, which escalate more often."""
        worth = [one.replayed.accuracy - price * one.replayed.cost for one in found]
        kept: dict[int, None] = {}
        for weights in (np.full(len(self._hard), 1 / len(self._hard)), self._hard):
            values = np.array([float(weights @ one) for one in worth])
            kept |= dict.fromkeys(np.argsort(-values, kind="stable")[:_KEPT].tolist())
        return [found[at] for at in kept]

    def choose(self, goal: Goal) -> Candidate:
        """The most accurate within the limit, or the cheapest that reaches the target.

        Raises:
            InputError: nothing keeps to the limit, or surely enough reaches the target.
        """
        allowed = self._within(self.candidates, goal)
        if not allowed:
            least = min(self.singles, key=lambda one: one.cost)
            raise InputError(
                f"no model keeps to {goal.limit:g} {self.evidence.unit}; the cheapest, "
                f"{least.cascade.name}, needs {least.cost:.3g}"
            )
        near = self._refined(goal)
        allowed += self._within(near, goal)
        if goal.target is None:
            return max(allowed, key=lambda one: (one.accuracy, -one.cost))
        target = goal.target
        sure = [one for one in allowed if one.sureness(target) >= goal.confidence]
        if not sure:
            best = max(allowed, key=lambda one: one.sureness(target))
            raise InputError(
                f"target-accuracy {target:g}: no cascade reaches it with a confidence of "
                f"{goal.confidence:g}; the surest, {best.cascade.name}, has "
                f"{best.accuracy:.3f}, a chance of {best.sureness(target):.1%}"
            )
        return min(sure, key=lambda one: (one.cost, -one.accuracy))

    def _within(self, found: Iterable[Candidate], goal: Goal) -> list[Candidate]:
        return [one for one in found if goal.limit is None or one.cost <= goal.limit]

    def _refined(self, goal: Goal) -> list[Candidate]:
        """Chains that come near to the goal, with rules for prices between those of the grid."""
        chains = [one for one in self.candidates if one.cascade.rules]
        if goal.target is not None:
            near = sorted(
                (one for one in chains if one.sureness(goal.target) >= goal.confidence / 2),
                key=lambda one: one.cost,
            )
        else:
            most = math.inf if goal.limit is None else 1.5 * goal.limit
            near = sorted(
                (one for one in chains if one.cost <= most), key=lambda one: -one.accuracy
            )
        found: list[Candidate] = []
        for one in near[:_REFINED]:
            found += [
                made
                for factor in _FINE
                if (made := self._rebuilt(one.cascade.stages, float(one.price * factor)))
            ]
        return found

    def _rebuilt(self, stages: Sequence[Stage], price: float) -> Candidate | None:
        """The same stages with rules for another price."""
        last = next(one for one in self.singles if one.cascade.stages == (stages[-1],))
        made: Candidate | None = last
        for stage in stages[-2::-1]:
            assert made is not None
            made = self._before(self._heads[stage], made, price)
            if made is None:
                return None
        return made


def _fitted(option: Option) -> _Head:
    assert option.features is not None and option.right is not None
    confidence = Confidence.fit(option.features, option.right)
    return _Head(option, confidence, Binned.of(confidence, option.features, option.right))


def folds_of(evidence: ModelsEvidence, random_state: int) -> Ints:
    """The fold that each problem is held out in, shape `(problems,)`.

    Raises:
        InputError: too few problems.
    """
    fold = np.zeros(len(evidence.problems), dtype=np.int64)
    for number, mask in enumerate(problem_folds(pd.Series(evidence.problems), random_state)):
        fold[mask] = number
    return fold


@dataclass(frozen=True, slots=True)
class HeldOutCascade:
    """What cascades get that were chosen without the problems they are judged by.

    Attributes:
        accuracy, cost: on each problem, shape `(problems,)`.
    """

    accuracy: Floats
    cost: Floats


def held_out(
    evidence: ModelsEvidence, goals: Sequence[Goal], random_state: int = 0
) -> list[HeldOutCascade | None]:
    """Choose a cascade for each goal without each fold of problems, and judge it on that fold.

    Returns:
        One for each goal; None if the training problems of some fold have nothing that keeps to it.

    Raises:
        InputError: too few problems.
    """
    fold = folds_of(evidence, random_state)
    accuracy = np.full((len(goals), len(fold)), np.nan)
    cost = np.full_like(accuracy, np.nan)
    for number in range(FOLDS):
        search = Search(evidence.on(np.flatnonzero(fold != number)))
        mine = np.flatnonzero(fold == number)
        others = evidence.on(mine)
        for at, goal in enumerate(goals):
            try:
                made = replay(search.choose(goal).cascade, others)
            except InputError:
                continue
            accuracy[at, mine], cost[at, mine] = made.accuracy, made.cost
    return [
        None if np.isnan(one).any() else HeldOutCascade(one, spent)
        for one, spent in zip(accuracy, cost, strict=True)
    ]
