"""Several models on the same problems: what each strategy gets and costs, and what votes tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from executor.strategy import Strategy, key
from planner.choice.estimate import Models
from profiling.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Option:
    """A strategy of one model on the problems of all models.

    Attributes:
        models: the policy, and the scorer if the strategy needs one.
        strategy: the strategy.
        accuracy: expected accuracy on each problem, shape `(problems,)`.
        cost: expected cost of each problem, in the unit of the evidence, of the same shape.
        features: signals of draws, shape `(problems, draws, features)`; None if it is no vote, so
            that it can be a last stage only.
        right: correctness of these draws, shape `(problems, draws)`; None without signals.
    """

    models: Models
    strategy: Strategy
    accuracy: Floats
    cost: Floats
    features: Floats | None = None
    right: Floats | None = None

    @property
    def name(self) -> str:
        """The strategy and its models, for people."""
        return f"{key(self.strategy)} of {self.models}"

    def on(self, problems: Ints) -> Option:
        """The same on some of the problems."""
        return replace(
            self,
            accuracy=self.accuracy[problems],
            cost=self.cost[problems],
            features=None if self.features is None else self.features[problems],
            right=None if self.right is None else self.right[problems],
        )


@dataclass(frozen=True)
class ModelsEvidence:
    """Strategies of several policies on the same problems.

    Attributes:
        problems: uids, shape `(problems,)`.
        options: strategies of all policies.
        unit: unit of costs: `flops`, `usd` or `seconds`.
    """

    problems: tuple[str, ...]
    options: tuple[Option, ...]
    unit: str

    @cached_property
    def policies(self) -> tuple[str, ...]:
        """The policies, the cheapest first: by their cheapest strategy."""
        cheapest: dict[str, float] = {}
        for one in self.options:
            name, cost = one.models.policy, float(one.cost.mean())
            cheapest[name] = min(cost, cheapest.get(name, np.inf))
        return tuple(sorted(cheapest, key=lambda name: (cheapest[name], name)))

    def of(self, policy: str) -> list[Option]:
        """The strategies of a policy."""
        return [one for one in self.options if one.models.policy == policy]

    def on(self, problems: Ints | Sequence[int]) -> ModelsEvidence:
        """The same on some of the problems."""
        chosen = np.asarray(problems)
        return ModelsEvidence(
            tuple(self.problems[at] for at in chosen),
            tuple(one.on(chosen) for one in self.options),
            self.unit,
        )
