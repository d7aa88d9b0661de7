"""What probe samples cost: those drawn to estimate a question's difficulty before it is routed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from executor.strategy import AdaptiveMajority, BestOfN, Majority, Strategy
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Rates


@dataclass(frozen=True, slots=True)
class ProbeCost:
    """Expected tokens of one probe sample.

    Attributes:
        generated: tokens the policy generates.
        prm: tokens the PRM forwards to score it.
    """

    generated: float
    prm: float

    @classmethod
    def from_evidence(cls, usable: pd.DataFrame, probes: int, *, scored: bool) -> ProbeCost:
        """The cost of one of `probes` samples, by the replayed rows of a policy and PRM.

        Samples share steps, and a shared step is scored once. One of a few samples therefore costs
        more than one of many, so the budget nearest to `probes` counts.

        Args:
            usable: evidence of the policy and PRM.
            probes: number of probe samples.
            scored: whether a PRM scores them.
        """

        def a_sample(name: str, column: str) -> float:
            rows = usable[usable["name"] == name]
            if rows.empty:
                return 0.0
            nearest = min(rows["n"].unique(), key=lambda n: abs(n - probes))
            return float(rows[rows["n"] == nearest][column].mean() / nearest)

        prm = a_sample("best_of_n", "prm_tokens") if scored else 0.0
        return cls(a_sample("majority", "generated_tokens"), prm)

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for the plan file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ProbeCost:
        """Read what `to_dict` wrote.

        Raises:
            LookupError, TypeError, ValueError: the record is damaged.
        """
        return cls(float(record["generated"]), float(record["prm"]))


@dataclass(frozen=True, slots=True)
class Probing:
    """Some probe samples, drawn before a strategy is chosen.

    Attributes:
        probes: number of samples.
        each: the cost of one.
    """

    probes: int
    each: ProbeCost

    def charge(self, estimate: StrategyEstimate, rates: Rates) -> StrategyEstimate:
        """`estimate` with the cost that the probes add.

        A strategy that can use the probe samples generates nothing more because of them.

        Args:
            estimate: a strategy's estimate, without probes.
            rates: prices of tokens.
        """
        cost, strategy = estimate.cost, estimate.strategy
        usable = uses_probes(strategy, self.probes)
        rescored = usable and strategy.needs_prm
        priced = rates.price(
            cost.generated_tokens + (0 if usable else self.probes * self.each.generated),
            cost.prompt_tokens,
            cost.prm_tokens + (0 if rescored else self.probes * self.each.prm),
            cost.cached_tokens,
            cost.prm_cached_tokens,
        )
        return replace(estimate, cost=priced, probe_generations=0 if usable else self.probes)


def uses_probes(strategy: Strategy, probes: int) -> bool:
    """Whether probe samples count towards a strategy's budget."""
    return isinstance(strategy, Majority | AdaptiveMajority | BestOfN) and strategy.n >= probes
