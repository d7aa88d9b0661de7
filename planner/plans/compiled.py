"""A plan made ready to answer from: its strategies as arrays, computed once and kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from executor.strategy import Strategy
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.probe_cost import Probing
from planner.plans.plan import Plan
from planner.plans.probe_value import ProbeValue
from planner.plans.strategy_table import StrategyTable


class CompiledPlan:
    """A plan with what is computed from it at first use.

    Args:
        plan: the record; it does not change.

    Attributes:
        plan: the same.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._tables: dict[tuple[int, bool], StrategyTable] = {}
        self._probe_values: dict[bool, ProbeValue] = {}

    def recommend(self, difficulty: str, constraint: Constraint) -> StrategyEstimate:
        """The best strategy for a difficulty (or `all`) under any constraint, without probes.

        The rule is that of `planner.choice.recommend.choose`, on the evidence that the plan was
        made from. A difficulty without evidence counts as `all`.

        Raises:
            InputError: no strategy keeps to the constraint.
        """
        return self.strategy_table().choose(difficulty, constraint)

    def expected(
        self, strategy: Strategy, difficulty: Mapping[str, float] | str
    ) -> StrategyEstimate | None:
        """The estimate of one strategy, without probes; None if it is not known.

        Args:
            strategy: the strategy.
            difficulty: a difficulty, or the chance of each.
        """
        return self.strategy_table().expected(strategy, difficulty)

    def strategy_table(self, probes: int = 0, *, scored: bool = True) -> StrategyTable:
        """The strategies that can be chosen after probing; computed once.

        Args:
            probes: number of probe samples drawn, whose cost the table includes.
            scored: whether there is a PRM; without one, strategies that need it are left out.
        """
        if (probes, scored) not in self._tables:
            found = charged_alternatives(self.plan, probes)
            if not scored:
                found = {
                    level: [one for one in known if not one.strategy.needs_prm]
                    for level, known in found.items()
                }
            self._tables[probes, scored] = StrategyTable(found, self.plan.rates)
        return self._tables[probes, scored]

    def probe_value(self, *, scored: bool = True) -> ProbeValue:
        """The value of each number of probes; computed once.

        Args:
            scored: whether there is a PRM.
        """
        if scored not in self._probe_values:
            classifier = self.plan.classifier
            heads = () if classifier is None else classifier.heads
            self._probe_values[scored] = ProbeValue(
                partial(self.strategy_table, scored=scored),
                [head for head in heads if head.probes],
            )
        return self._probe_values[scored]


def charged_alternatives(plan: Plan, probes: int = 0) -> dict[str, list[StrategyEstimate]]:
    """By difficulty, the alternatives of a plan with the cost of probe samples added.

    Args:
        plan: the plan.
        probes: number of probe samples.
    """
    if not probes or plan.probe_cost is None:
        return {level: list(known) for level, known in plan.alternatives.items()}
    probing = Probing(probes, plan.probe_cost)
    return {
        level: [probing.charge(one, plan.rates) for one in known]
        for level, known in plan.alternatives.items()
    }
