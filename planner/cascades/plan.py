"""The plan of a cascade: which model answers first, when the next is asked, and what is promised.

`planner.cascades.serialization` reads and writes its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from executor.models.templates import PromptTemplate
from executor.problem import MATHS
from executor.strategy import Sampling, Strategy, from_dict, key, to_dict
from planner.cascades.signals import gives_signals
from planner.cascades.stop_rule import StopRule
from planner.choice.constraint import Constraint


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One model with one strategy, and how questions are put to it.

    Attributes:
        policy: name or folder of the policy.
        prm: name or folder of the scorer; None if the strategy needs none.
        strategy: the strategy.
        sampling: how the policy writes.
        template: how questions are put to it.
        rule: when the next stage is asked; None for the last.
    """

    policy: str
    prm: str | None
    strategy: Strategy
    sampling: Sampling
    template: PromptTemplate
    rule: StopRule | None

    @property
    def name(self) -> str:
        """The strategy and its models, for people."""
        models = self.policy if self.prm is None else f"{self.policy} with {self.prm}"
        return f"{key(self.strategy)} of {models}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the file."""
        return {
            "policy": self.policy,
            "prm": self.prm,
            "strategy": to_dict(self.strategy),
            "sampling": self.sampling.to_dict(),
            "template": self.template.to_dict(),
            "rule": None if self.rule is None else self.rule.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], where: str) -> PlannedStage:
        """Read what `to_dict` wrote; `where`: the place of the record, for messages.

        Raises:
            InputError, LookupError, TypeError, ValueError: a field is missing or wrong.
        """
        stage = cls(
            record["policy"],
            record["prm"],
            from_dict(record["strategy"]),
            Sampling.from_dict(record["sampling"]),
            PromptTemplate.from_dict(record["template"], where),
            None if record["rule"] is None else StopRule.from_dict(record["rule"]),
        )
        for name, value in (("policy", stage.policy), ("prm", stage.prm)):
            if not (isinstance(value, str) and value.strip()) and (name, value) != ("prm", None):
                raise ValueError(f"{name} is {value!r}; expected a name")
        if stage.strategy.needs_prm and stage.prm is None:
            raise ValueError(f"{stage.strategy.name} needs a PRM, but the stage names none")
        if stage.rule is not None:
            if not gives_signals(stage.strategy):
                raise ValueError(f"{stage.strategy.name} gives no votes to decide by")
            signals = 2 if stage.strategy.needs_prm else 1
            if len(stage.rule.confidence.model.slopes) != signals:
                raise ValueError(f"confidence: expected {signals} slopes for this strategy")
        return stage


@dataclass(frozen=True, slots=True)
class Promise:
    """What is expected of a cascade, by choosing and judging on different problems.

    Attributes:
        accuracy, interval: mean and 95 % interval.
        cost: expected cost of a problem.
        unit: unit of the cost.
        problems: number of problems that it rests on.
    """

    accuracy: float
    interval: tuple[float, float]
    cost: float
    unit: str
    problems: int

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Promise:
        """Read a record of `dataclasses.asdict`.

        Raises:
            LookupError, TypeError, ValueError: a field is missing or wrong.
        """
        low, high = record["interval"]
        return cls(
            float(record["accuracy"]), (float(low), float(high)), float(record["cost"]),
            str(record["unit"]), int(record["problems"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CascadePlan:
    """The plan of a cascade.

    Attributes:
        stages: in the order in which they are asked, at least one.
        constraint: the limits it was chosen under.
        promise: what is expected of it; None if choosing without some of the problems found
            nothing that keeps to the limits.
        domain: what an answer is (`executor.domains`).
    """

    stages: tuple[PlannedStage, ...]
    constraint: Constraint
    promise: Promise | None
    domain: str = MATHS

    @property
    def name(self) -> str:
        """The stages, for people."""
        return ", then ".join(stage.name for stage in self.stages)
