"""The cheaper choice: a smaller budget or another strategy that is nearly as good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.choice.recommend import Recommendation
from planner.notes import Note, NoteCode

CLOSE = 0.01  # a loss of accuracy that still counts as nearly as good, however certain it is
FAR = 0.15  # largest loss that the interval may include; this bars strategies with little evidence
_WORTH_SAYING = 0.75  # largest share of the choice's cost: a saving below a quarter is not reported


@dataclass(frozen=True, slots=True)
class Cheaper:
    """A cheaper choice that is nearly as good.

    Attributes:
        choice: the cheaper strategy.
        contrast: its accuracy minus that of the recommended strategy.
        cost_ratio: its cost over that of the recommended strategy, below 1.
    """

    choice: StrategyEstimate
    contrast: Contrast
    cost_ratio: float

    def to_dict(self, words: str) -> dict[str, Any]:
        """Return plain values for JSON.

        Args:
            words: `cheaper_note` in words.
        """
        return {
            **self.choice.named(),
            **self.contrast.to_dict(),
            "cost_ratio": self.cost_ratio,
            "why": words,
        }


def cheaper(made: Recommendation, compare: Compare) -> Cheaper | None:
    """Return the cheapest alternative that is nearly as good as the choice.

    An alternative is nearly as good if its accuracy is at most `CLOSE` lower, or if the interval of
    the difference includes 0. The lower end of this interval must be at least -`FAR`, and the
    alternative must save a quarter of the cost.

    Args:
        made: the recommendation: the choice and the alternatives within the limits.
        compare: function that contrasts two strategies.

    Returns:
        None if there is no such alternative, if the choice costs nothing, or if the constraint has
        a target accuracy: a cheaper strategy is then less likely to reach it.
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
    """Return the note on the saving of the cheaper choice and on its loss of accuracy."""
    contrast, (low, high) = less.contrast, less.contrast.interval
    return Note.of(
        NoteCode.CHEAPER,
        strategy=less.choice.title,
        cost_ratio=less.cost_ratio,
        unit=made.cost_unit,
        difference=contrast.difference,
        low=low,
        high=high,
        basis=contrast.basis,
        paired=contrast.paired,
        close=contrast.difference >= -CLOSE,
    )
