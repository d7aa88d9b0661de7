"""The runner-up: the best choice of another kind or another policy, and why it lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.strategy import Strategy, to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.choice.recommend import Recommendation, choose
from planner.choice.rules import INDIFFERENCE, sure_enough
from planner.notes import Note, NoteCode


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The best rival of the choice.

    Attributes:
        choice: the strategy that the rule chooses from the rivals of the first choice.
        contrast: its accuracy minus that of the first choice.
        cost_ratio: its cost over that of the first choice; None if the first costs nothing.
        chance: P(accuracy >= target); None if the constraint has no target.
    """

    choice: StrategyEstimate
    contrast: Contrast
    cost_ratio: float | None
    chance: float | None

    def to_dict(self, why: str) -> dict[str, Any]:
        """Return plain values for JSON, with the reason in words."""
        return {
            **self.choice.named(),
            **self.contrast.to_dict(),
            "cost_ratio": self.cost_ratio,
            "chance_of_target": self.chance,
            "why": why,
        }


def runner_up(made: Recommendation, constraint: Constraint, compare: Compare) -> RunnerUp | None:
    """Return the runner-up; None if all alternatives are variants of the choice, or there are none.

    Args:
        made: the recommendation: the choice and the alternatives within the limits.
        constraint: the constraint of the recommendation.
        compare: function that contrasts two strategies.
    """
    others = _rivals(made)
    if not others:
        return None
    counted = made.counted or 1
    second = choose(
        made.difficulty, others, constraint, unit=made.cost_unit, counting=lambda _: counted
    ).choice
    mine, its = made.choice.price(made.cost_unit), second.price(made.cost_unit)
    target = constraint.target_accuracy
    return RunnerUp(
        choice=second,
        contrast=compare(second, made.choice),
        cost_ratio=its / mine if mine > 0 else None,
        chance=None if target is None else second.probability_above(target),
    )


def _rivals(made: Recommendation) -> list[StrategyEstimate]:
    """Return the alternatives of another policy, if there are several policies.

    Otherwise the result is the alternatives of another kind; if there are none, those of another
    budget or width. A strategy that differs from the choice in score or vote alone is a variant,
    not a rival.
    """
    if (models := made.choice.models) is not None:
        others = [
            one
            for one in made.alternatives
            if one.models is not None and one.models.policy != models.policy
        ]
        if others:
            return others
    first = made.choice.strategy
    kinds = [one for one in made.alternatives if one.strategy.name != first.name]
    return kinds or [one for one in made.alternatives if _run(one.strategy) != _run(first)]


# Options of a strategy that choose among its responses.
_OF_THE_VOTE = frozenset({"score", "vote", "keep", "power"})


def _run(strategy: Strategy) -> dict[str, Any]:
    """Return the options of a strategy without those of its vote, which do not change its run."""
    options = to_dict(strategy)
    return {name: value for name, value in options.items() if name not in _OF_THE_VOTE}


def runner_up_note(second: RunnerUp, made: Recommendation, constraint: Constraint) -> Note:
    """Return the note on why the runner-up lost."""
    named = {
        "strategy": second.choice.title,
        "cost_ratio": second.cost_ratio,
        "unit": made.cost_unit,
    }
    if made.chance is not None and second.chance is not None:
        assert made.counted is not None
        at_least = sure_enough(constraint.confidence, made.counted)
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
