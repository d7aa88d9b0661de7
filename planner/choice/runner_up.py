"""The runner-up: the best choice of another kind, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.strategy import Strategy, key, to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.choice.recommend import Recommendation, choose
from planner.choice.rules import INDIFFERENCE, sure_enough
from planner.notes import Note, NoteCode


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


def runner_up_note(second: RunnerUp, made: Recommendation, constraint: Constraint) -> Note:
    """A note on why the runner-up lost."""
    named = {
        "strategy": key(second.choice.strategy),
        "cost_ratio": second.cost_ratio,
        "unit": made.cost_unit,
    }
    if made.chance is not None and second.chance is not None:
        at_least = sure_enough(constraint.confidence, 1 + len(made.alternatives))
        chances = {"chance": second.chance, "best_chance": made.chance, "at_least": at_least}
        if second.chance >= at_least:
            code = NoteCode.RUNNER_UP_SURE_ENOUGH
        elif made.chance >= at_least:
            code = NoteCode.RUNNER_UP_SHORT_OF_TARGET
        else:
            code = NoteCode.RUNNER_UP_LESS_SURE
        return Note.of(code, **named, **chances)
    contrast = second.contrast
    as_good = contrast.difference >= -INDIFFERENCE
    return Note.of(
        NoteCode.RUNNER_UP_AS_GOOD if as_good else NoteCode.RUNNER_UP_LESS_ACCURATE,
        **named,
        difference=contrast.difference,
        better=contrast.better,
        basis=contrast.basis,
        paired=contrast.paired,
    )
