"""Plans made of nothing but estimates, for tests that need a plan and no evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from executor.models.templates import PromptTemplate
from executor.strategy import Sampling
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.plans.plan import Plan, PlanBasis


def plan_with(alternatives: Mapping[str, Sequence[StrategyEstimate]], **fields: Any) -> Plan:
    """A plan that runs the first alternative of each difficulty, if `fields` do not say otherwise.

    Args:
        alternatives: estimates by difficulty, `all` among them.
        fields: of `Plan`.
    """
    known = {level: tuple(each) for level, each in alternatives.items()}
    plain: dict[str, Any] = {
        "policy": "policy", "prm": "prm", "sampling": Sampling(), "template": PromptTemplate(),
        "entries": {level: each[0] for level, each in known.items()}, "classifier": None,
        "constraint": Constraint(), "rests_on": PlanBasis(), "frontier": known,
        "alternatives": known,
    }  # fmt: skip
    return Plan(**(plain | fields))
