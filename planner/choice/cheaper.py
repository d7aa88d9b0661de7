"""What is nearly as good for less: a smaller budget, or another strategy, beside the choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from executor.strategy import key, to_dict
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.choice.recommend import Recommendation
from planner.notes import Note, NoteCode

CLOSE = 0.01  # an accuracy this much lower is nearly as good, however surely it is lower
FAR = 0.15  # lower than that it must surely (95 %) not be: of what is hardly known that is not said
_WORTH_SAYING = 0.75  # of the choice's cost: what saves less than a quarter is no news


@dataclass(frozen=True, slots=True)
class Cheaper:
    """A cheaper choice that is nearly as good.

    Attributes:
        choice: the cheapest of its kind.
        contrast: its accuracy minus that of the recommended one.
        cost_ratio: its cost over that of the recommended one, below 1.
    """

    choice: StrategyEstimate
    contrast: Contrast
    cost_ratio: float

    def to_dict(self, words: str) -> dict[str, Any]:
        """Plain values, for JSON, with the wording of `cheaper_note`."""
        return {
            "strategy": to_dict(self.choice.strategy),
            "predicted_accuracy": self.choice.predicted_accuracy,
            "interval": list(self.choice.interval),
            **self.contrast.to_dict(),
            "cost_ratio": self.cost_ratio,
            "why": words,
        }


def cheaper(made: Recommendation, compare: Compare) -> Cheaper | None:
    """The cheapest alternative that is within `CLOSE` of the choice, or not told apart from it, and
    surely not `FAR` below it.

    None where there is none, or the choice is the cheapest that reaches a target: then less costly
    means less sure.

    Args:
        made: the choice, and what else keeps to the limits.
        compare: how two choices differ.
    """
    limit = made.choice.price(made.cost_unit)
    if made.chance is not None or limit <= 0:
        return None
    for other in sorted(made.alternatives, key=lambda one: one.price(made.cost_unit)):
        ratio = other.price(made.cost_unit) / limit
        if ratio > _WORTH_SAYING:
            return None
        contrast = compare(other, made.choice)
        near = contrast.difference >= -CLOSE or not contrast.told_apart
        if near and contrast.interval[0] >= -FAR:
            return Cheaper(other, contrast, ratio)
    return None


def cheaper_note(less: Cheaper, made: Recommendation) -> Note:
    """A note on what the cheaper choice saves, and what it may cost in accuracy."""
    contrast, (low, high) = less.contrast, less.contrast.interval
    return Note.of(
        NoteCode.CHEAPER,
        strategy=key(less.choice.strategy),
        cost_ratio=less.cost_ratio,
        unit=made.cost_unit,
        difference=contrast.difference,
        low=low,
        high=high,
        basis=contrast.basis,
        paired=contrast.paired,
        close=contrast.difference >= -CLOSE,
    )
