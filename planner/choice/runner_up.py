"""The runner-up: what of another kind would be chosen instead, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.strategy import Strategy, key, to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.choice.recommend import Recommendation, choose, unit_name
from planner.choice.rules import INDIFFERENCE, sure_enough


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The second choice beside the first.

    Attributes:
        choice: what would be chosen if there were nothing of the first one's kind.
        contrast: its accuracy minus that of the first.
        cost_ratio: its cost over that of the first; None where the first costs nothing.
        chance: P(accuracy >= target); None where there is no target.
    """

    choice: StrategyEstimate
    contrast: Contrast
    cost_ratio: float | None
    chance: float | None

    def to_dict(self, why: str) -> dict[str, Any]:
        """Plain values, for JSON, with the reason in words."""
        return {
            "strategy": to_dict(self.choice.strategy),
            "predicted_accuracy": self.choice.predicted_accuracy,
            "interval": list(self.choice.interval),
            **self.contrast.to_dict(),
            "cost_ratio": self.cost_ratio,
            "chance_of_target": self.chance,
            "why": why,
        }


def runner_up(made: Recommendation, constraint: Constraint, compare: Compare) -> RunnerUp | None:
    """The second choice; None where there is no other, or only variants of the first.

    Args:
        made: the choice, and what else keeps to the limits.
        constraint: what it was made under.
        compare: how two choices differ.
    """
    others = _rivals(made)
    if not others:
        return None
    second = choose(made.difficulty, others, constraint).choice
    mine, its = made.choice.price(made.cost_unit), second.price(made.cost_unit)
    target = constraint.target_accuracy
    return RunnerUp(
        choice=second,
        contrast=compare(second, made.choice),
        cost_ratio=its / mine if mine > 0 else None,
        chance=None if target is None else second.probability_above(target),
    )


def _rivals(made: Recommendation) -> list[StrategyEstimate]:
    """Strategies of another kind; where there are none, those of another budget or width.

    What differs in how rewards or votes are counted alone is a variant of the choice, not a rival.
    """
    first = made.choice.strategy
    kinds = [one for one in made.alternatives if one.strategy.name != first.name]
    return kinds or [one for one in made.alternatives if _run(one.strategy) != _run(first)]


def _run(strategy: Strategy) -> dict[str, Any]:
    """What is run, whatever is then made of its rewards and answers."""
    options = to_dict(strategy)
    return {name: value for name, value in options.items() if name not in ("score", "vote")}


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
    contrast = second.contrast
    odds = f"truly better with a chance of {contrast.better:.0%}, {contrast.basis}"
    if contrast.difference >= -INDIFFERENCE:
        by = f"{contrast.difference:+.3f}; {odds}"
        return f"{name} is as good for all that is known ({by}), {costs}"
    return f"{name} is {-contrast.difference:.3f} less accurate ({odds}), {costs}"


def _costs(second: RunnerUp, unit: str) -> str:
    """The runner-up's cost beside that of the choice."""
    unit = unit_name(unit)
    if second.cost_ratio is None or second.cost_ratio == 1:
        return f"at as many {unit}"
    return f"at {second.cost_ratio:.3g} times the {unit}"
