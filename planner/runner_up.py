"""The runner-up: what would be chosen if the choice did not exist, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from executor.strategy import Strategy, key, to_dict
from planner.comparable import MIN_SHARED
from planner.constraint import Constraint
from planner.posterior import probability_greater
from planner.recommend import Choice, Recommendation, choose, unit_name
from planner.selection import INDIFFERENCE, sure_enough
from planner.summary import paired_moments
from profiling.arrays import Floats


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The second choice beside the first.

    Attributes:
        choice: what would be chosen if the first did not exist.
        difference: its predicted accuracy minus that of the first.
        better: probability that its accuracy is truly the higher one.
        paired: problems both were run on, which `better` is taken from; 0 where it is not.
        basis: what `better` is taken from, in words.
        cost_ratio: its cost over that of the first; None where the first costs nothing.
        chance: P(accuracy >= target); None where there is no target.
    """

    choice: Choice
    difference: float
    better: float
    paired: int
    basis: str
    cost_ratio: float | None
    chance: float | None

    def to_dict(self, why: str) -> dict[str, Any]:
        """Plain values, for JSON, with the reason in words."""
        return {
            "strategy": to_dict(self.choice.strategy),
            "predicted_accuracy": self.choice.predicted_accuracy,
            "interval": list(self.choice.interval),
            "difference": self.difference,
            "probability_better": self.better,
            "paired_problems": self.paired,
            "cost_ratio": self.cost_ratio,
            "chance_of_target": self.chance,
            "why": why,
        }


def runner_up(made: Recommendation, constraint: Constraint, rows: pd.DataFrame) -> RunnerUp | None:
    """The second choice; None where there is no other.

    Args:
        made: the choice, and what else keeps to the limits.
        constraint: what it was made under.
        rows: the evidence it rests on, of its difficulty.
    """
    if not made.alternatives:
        return None
    first = made.choice
    second = choose(made.difficulty, list(made.alternatives), constraint).choice
    difference = second.predicted_accuracy - first.predicted_accuracy
    paired = paired_outcomes(rows, second.strategy, first.strategy)
    if len(paired) >= MIN_SHARED:
        # The posteriors say where the difference lies, and the shared problems how far it may be
        # off: what is hard for both is in neither's favour.
        better = float(ndtr(difference / paired_moments(paired)[1]))
        basis = f"paired on {len(paired)} problems"
    else:
        paired = paired[:0]
        better = probability_greater(second.beta, first.beta)
        basis = "by their posteriors, taken as independent"
    mine, its = first.price(made.cost_unit), second.price(made.cost_unit)
    target = constraint.target_accuracy
    return RunnerUp(
        choice=second,
        difference=difference,
        better=better,
        paired=len(paired),
        basis=basis,
        cost_ratio=its / mine if mine > 0 else None,
        chance=None if target is None else second.probability_above(target),
    )


def paired_outcomes(rows: pd.DataFrame, one: Strategy, other: Strategy) -> Floats:
    """Accuracy of one strategy minus that of another, a number a problem both were run on."""
    by_problem = (
        rows[rows["strategy"] == key(strategy)].groupby("problem")["accuracy"].mean()
        for strategy in (one, other)
    )
    first, second = by_problem
    return np.asarray((first - second).dropna(), dtype=float)


def why(second: RunnerUp, made: Recommendation, constraint: Constraint) -> str:
    """Why the runner-up lost, in words made of its numbers."""
    name, costs = key(second.choice.strategy), _costs(second, made.cost_unit)
    if made.chance is not None and second.chance is not None:
        at_least = sure_enough(constraint.confidence, 1 + len(made.alternatives))
        if second.chance >= at_least:
            return f"{name} is sure enough too ({second.chance:.1%}), {costs}"
        if made.chance >= at_least:
            asked = f"{100 * at_least:.4g}%"
            return f"{name} reaches the target with a chance of {second.chance:.1%}, not {asked}"
        return f"{name} is less sure of the target: {second.chance:.1%} against {made.chance:.1%}"
    odds = f"truly better with a chance of {second.better:.0%}, {second.basis}"
    if second.difference >= -INDIFFERENCE:
        by = f"{second.difference:+.3f}; {odds}"
        return f"{name} is as good for all that is known ({by}), {costs}"
    return f"{name} is {-second.difference:.3f} less accurate ({odds}), {costs}"


def _costs(second: RunnerUp, unit: str) -> str:
    """The runner-up's cost beside that of the choice."""
    unit = unit_name(unit)
    if second.cost_ratio is None or second.cost_ratio == 1:
        return f"at as many {unit}"
    return f"at {second.cost_ratio:.3g} times the {unit}"
