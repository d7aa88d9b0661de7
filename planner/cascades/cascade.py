"""A cascade: stages and stop rules, and what it gets and costs by exact replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from executor.strategy import Strategy, key
from planner.cascades.evidence import ModelsEvidence, Option
from planner.cascades.stop_rule import Binned, StopRule
from planner.choice.estimate import Models
from profiling.arrays import Floats


@dataclass(frozen=True, slots=True)
class Stage:
    """One model with one strategy.

    Attributes:
        models: the policy, and the scorer if the strategy needs one.
        strategy: the strategy.
    """

    models: Models
    strategy: Strategy

    @property
    def name(self) -> str:
        """The strategy and its models, for people."""
        return f"{key(self.strategy)} of {self.models}"


@dataclass(frozen=True, slots=True)
class Cascade:
    """Stages in the order in which they are asked.

    Attributes:
        stages: at least one.
        rules: when each stage but the last asks the next.
    """

    stages: tuple[Stage, ...]
    rules: tuple[StopRule, ...] = ()

    def __post_init__(self) -> None:
        if len(self.rules) != len(self.stages) - 1:
            raise ValueError("a cascade has a stop rule after each stage but the last")

    @property
    def name(self) -> str:
        """The stages, for people."""
        return ", then ".join(stage.name for stage in self.stages)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a way of answering gets and costs on each problem.

    Attributes:
        accuracy, cost: expectations, shape `(problems,)`.
        asked: share of the draws in which each stage is asked, shape `(stages, problems)`.
    """

    accuracy: Floats
    cost: Floats
    asked: Floats

    @classmethod
    def of(cls, option: Option) -> Replayed:
        """A single strategy, that is asked always."""
        return cls(option.accuracy, option.cost, np.ones((1, len(option.cost))))

    def after(self, head: Option, binned: Binned, rule: StopRule) -> Replayed:
        """What a stage gets and costs with this as its next stages.

        Given the problem, the draws of two stages are independent, so the expectation over both is
        exact.
        """
        escalates = np.array(rule.escalates)
        share = binned.mass[:, escalates].sum(axis=1)
        stopped = binned.right[:, ~escalates].sum(axis=1)
        return Replayed(
            stopped + share * self.accuracy,
            head.cost + share * self.cost,
            np.vstack([np.ones(len(share)), share * self.asked]),
        )


def replay(cascade: Cascade, evidence: ModelsEvidence) -> Replayed:
    """Replay a cascade on problems.

    Raises:
        KeyError: the evidence lacks a stage.
    """
    options: Mapping[Stage, Option] = {
        Stage(one.models, one.strategy): one for one in evidence.options
    }
    found = Replayed.of(options[cascade.stages[-1]])
    for stage, rule in zip(cascade.stages[-2::-1], cascade.rules[::-1], strict=True):
        head = options[stage]
        assert head.features is not None and head.right is not None
        found = found.after(head, Binned.of(rule.confidence, head.features, head.right), rule)
    return found
