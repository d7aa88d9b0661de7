"""What is expected of one strategy: the value that recommendations, plans and reports pass around.

A `StrategyEstimate` is made from evidence (`planner.choice.candidates`), from published figures
(`planner.published.answer`), from a mixture of difficulties (`planner.plans.strategy_table`), or
read from a plan file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from executor.strategy import Strategy, from_dict, key, to_dict
from planner.costs.cost import Cost
from planner.prediction.beta import PERCENT, probability_above

PREDICTED = "predicted"  # the source of an estimate whose strategy has no evidence of its own


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What an estimate is shrunk toward, and how far (`planner.prediction.joint`).

    The estimate is `own` times the measured accuracy, plus 1 - `own` times `prior`, kept inside of
    0 and 1. So neither can be read off the estimate.

    Attributes:
        prior: accuracy that formulas or other policies let expect.
        own: weight of the strategy's own outcomes, in [0, 1); 0 if it was not run.
    """

    prior: float
    own: float


@dataclass(frozen=True, slots=True)
class Models:
    """The models that run a strategy.

    Attributes:
        policy: name of the policy.
        prm: name of the PRM; None if the strategy needs none.
    """

    policy: str
    prm: str | None = None

    def __str__(self) -> str:
        """The policy, and the PRM if there is one."""
        return self.policy if self.prm is None else f"{self.policy} with {self.prm}"


Run = tuple[Strategy, Models | None]
"""A strategy with the models that run it, if these are named."""


@dataclass(frozen=True, slots=True)
class StrategyEstimate:
    """One strategy with its expected accuracy and its expected cost.

    Attributes:
        strategy: the strategy.
        predicted_accuracy, interval: mean and 90 % interval of its accuracy.
        beta: parameters (a, b) of the Beta posterior that has this mean and this interval.
        cost: expected cost of one problem.
        problems: number of problems the strategy was measured on; 0 if the estimate rests on the
            model alone, or if a plan file was read, which does not keep this number.
        sources: kind of evidence: `measured`, `replayed`, `published`, or `predicted` from other
            strategies and policies alone; empty if a plan file was read.
        probe_generations: generations for probe samples that the strategy cannot use; they count
            in addition to its own budget.
        shrunk: how the accuracy comes from outcomes; None if it does not, or if it is not known.
        models: models that run the strategy, if it stands among strategies of other models; None
            if all of an answer's strategies have the same.
    """

    strategy: Strategy
    predicted_accuracy: float
    interval: tuple[float, float]
    beta: tuple[float, float]
    cost: Cost
    problems: int = 0
    sources: str = ""
    probe_generations: int = 0
    shrunk: Shrunk | None = None
    models: Models | None = None

    def __str__(self) -> str:
        """The strategy, its accuracy, the interval and the number of problems."""
        low, high = self.interval
        return (
            f"{self.title}: {self.predicted_accuracy:.3f} [{low:.3f}, {high:.3f}] "
            f"({PERCENT}, {self.problems} problems)"
        )

    @property
    def title(self) -> str:
        """The strategy with all its parameters, and its models if it names them."""
        return key(self.strategy) + ("" if self.models is None else f" of {self.models}")

    @property
    def run(self) -> Run:
        """What is run: estimates of one run are estimates of the same accuracy."""
        return self.strategy, self.models

    @property
    def generations(self) -> int:
        """Generations of one problem: the strategy's budget and the probes it cannot use."""
        return self.strategy.n + self.probe_generations

    def price(self, unit: str) -> float:
        """The cost in one unit of `cost_unit`.

        Args:
            unit: `flops`, `usd`, `seconds`, `tokens` (those the policy generates and the PRM
                forwards) or `generations`.

        Returns:
            The cost; NaN if its money or its seconds are not known.
        """
        if unit == "generations":
            return float(self.generations)
        if unit in ("usd", "seconds"):
            value: float | None = getattr(self.cost, unit)
            return math.nan if value is None else value
        if unit == "flops" and self.cost.flops is not None:
            return self.cost.flops
        return self.cost.generated_tokens + self.cost.prm_tokens

    def probability_above(self, target: float) -> float:
        """P(accuracy >= target)."""
        a, b = self.beta
        return float(probability_above(np.array(a), np.array(b), target))

    def as_recorded(self) -> StrategyEstimate:
        """This estimate with nothing but what a plan file keeps: `from_record(to_record())`."""
        return replace(self, problems=0, sources="", probe_generations=0, shrunk=None, models=None)

    def to_dict(self) -> dict[str, Any]:
        """The estimate in the JSON document of `apportion recommend`."""
        return {
            **self.named(),
            "cost": self.cost.to_dict(),
            "problems": self.problems,
            "sources": self.sources,
        }

    def named(self) -> dict[str, Any]:
        """The strategy, its models if it names them, and its accuracy, for JSON."""
        models = self.models
        return {
            **({} if models is None else {"policy": models.policy, "prm": models.prm}),
            "strategy": to_dict(self.strategy),
            "predicted_accuracy": self.predicted_accuracy,
            "interval": list(self.interval),
        }

    def to_record(self) -> dict[str, Any]:
        """The estimate in a plan file."""
        return {
            "strategy": to_dict(self.strategy),
            "predicted_accuracy": self.predicted_accuracy,
            "interval": list(self.interval),
            "cost": self.cost.to_dict(),
            "beta": list(self.beta),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> StrategyEstimate:
        """Read what `to_record` wrote.

        Raises:
            LookupError, TypeError, ValueError: the record is damaged.
        """
        low, high = map(float, record["interval"])
        a, b = map(float, record["beta"])
        if not (0 < a < math.inf and 0 < b < math.inf):
            raise ValueError("parameters of a Beta distribution must be above 0")
        return cls(
            strategy=from_dict(record["strategy"]),
            predicted_accuracy=float(record["predicted_accuracy"]),
            interval=(low, high),
            beta=(a, b),
            cost=Cost.from_dict(record["cost"]),
        )


def cost_unit(estimates: Sequence[StrategyEstimate]) -> str:
    """The one unit in which the costs of these estimates can be compared.

    Returns:
        `flops` if all FLOPs are known, else `tokens` if all tokens are known, else `generations`
        (imported runs may not count tokens; an unknown cost is not a cost of zero).
    """
    if all(one.cost.flops is not None for one in estimates):
        return "flops"
    known = all(math.isfinite(one.price("tokens")) for one in estimates)
    return "tokens" if known else "generations"
