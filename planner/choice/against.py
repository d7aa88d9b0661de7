"""A small policy with its strategy against one answer of a larger policy.

This is the question of arXiv 2502.06703 (Sec. 5): can a 1B model surpass a 405B one, and for how
much less? A policy is larger if it has more parameters, whatever a token uses of them. One answer
is the greedy one, or one sample if the greedy one has no evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from executor.strategy import Greedy, Majority, key
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import Compare, Contrast
from planner.notes import Note, NoteCode


class Verdict(StrEnum):
    """What the interval of a difference tells."""

    SURPASSES = "surpasses"  # the interval is above 0
    EQUALS = "equals"  # it contains 0: the two are not told apart
    FALLS_SHORT = "falls_short"  # it is below 0


@dataclass(frozen=True, slots=True)
class Against:
    """A strategy of a policy beside one answer of a larger policy.

    Attributes:
        choice: the strategy.
        other: one answer of the larger policy.
        contrast: accuracy of the strategy minus that of the other's answer.
        cost_ratio: cost of the strategy over that of the other's answer; None if the latter costs
            nothing.
        size_ratio: number of parameters of the larger policy over that of the smaller one.
    """

    choice: StrategyEstimate
    other: StrategyEstimate
    contrast: Contrast
    cost_ratio: float | None
    size_ratio: float

    @property
    def verdict(self) -> Verdict:
        """What the interval of the difference tells."""
        low, high = self.contrast.interval
        return (
            Verdict.SURPASSES if low > 0
            else Verdict.FALLS_SHORT if high < 0
            else Verdict.EQUALS
        )  # fmt: skip

    @property
    def reaches(self) -> bool:
        """Whether the strategy is predicted to be at least as accurate as the other's answer."""
        return self.contrast.difference >= 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **self.choice.named(),
            "larger": self.other.named(),
            **self.contrast.to_dict(),
            "basis": self.contrast.basis.value,
            "verdict": self.verdict.value,
            "cost_ratio": self.cost_ratio,
            "size_ratio": self.size_ratio,
        }

    def note(self, unit: str) -> Note:
        """Return the note that says it; `unit` is the unit of the costs."""
        low, high = self.contrast.interval
        return Note.of(
            NoteCode.AGAINST_LARGER,
            strategy=self.choice.title,
            accuracy=self.choice.predicted_accuracy,
            larger=str(self.other.models),
            larger_strategy=key(self.other.strategy),
            larger_accuracy=self.other.predicted_accuracy,
            difference=self.contrast.difference,
            low=low,
            high=high,
            basis=self.contrast.basis,
            paired=self.contrast.paired,
            verdict=self.verdict,
            cost_ratio=self.cost_ratio,
            unit=unit,
            size_ratio=self.size_ratio,
        )


def one_answers(found: Sequence[StrategyEstimate]) -> dict[str, StrategyEstimate]:
    """Return one answer of each policy: the greedy one, else one sample; policies without are out.

    Args:
        found: estimates that name their models.
    """
    answers: dict[str, StrategyEstimate] = {}
    for one in found:
        if one.models is not None and isinstance(one.strategy, Greedy):
            answers[one.models.policy] = one
        elif one.models is not None and one.strategy == Majority(1):
            answers.setdefault(one.models.policy, one)
    return answers


def against_larger(
    choice: StrategyEstimate,
    answers: Mapping[str, StrategyEstimate],
    sizes: Mapping[str, int],
    compare: Compare,
    unit: str,
) -> tuple[Against, ...]:
    """Return a strategy beside one answer of every larger policy, the largest first.

    Args:
        choice: the strategy; it names its models.
        answers: one answer of each policy, by `one_answers`.
        sizes: numbers of all parameters by policy; a policy without one is neither.
        compare: function that contrasts two strategies.
        unit: unit of the costs.
    """
    assert choice.models is not None
    own = sizes.get(choice.models.policy)
    if own is None:
        return ()
    larger = [name for name in answers if sizes.get(name, 0) > own]
    return tuple(
        _against(choice, answers[name], sizes[name] / own, compare, unit)
        for name in sorted(larger, key=_largest_first(answers, sizes))
    )


def pairs(
    found: Sequence[StrategyEstimate],
    answers: Mapping[str, StrategyEstimate],
    sizes: Mapping[str, int],
    compare: Compare,
    unit: str,
) -> tuple[Against, ...]:
    """Return every two policies: the smaller one's strategy beside the larger one's answer.

    The strategy is the cheapest of the smaller policy that is predicted to be at least as accurate
    as the answer; if there is none, its most accurate one.

    Args:
        found: estimates that name their models, with costs in `unit`.
        answers, sizes, compare, unit: see `against_larger`.

    Returns:
        The largest policy's pairs first; of these the smallest policy first.
    """
    ranked: dict[str, list[StrategyEstimate]] = {}
    for one in sorted(found, key=lambda one: (one.price(unit), -one.predicted_accuracy)):
        assert one.models is not None
        ranked.setdefault(one.models.policy, []).append(one)
    made = []
    sized = (name for name in answers if name in sizes)
    for larger in sorted(sized, key=_largest_first(answers, sizes)):
        answer = answers[larger]
        smaller = [name for name in ranked if sizes.get(name, sizes[larger]) < sizes[larger]]
        for name in sorted(smaller, key=lambda name: sizes[name]):
            reach = (
                one for one in ranked[name] if one.predicted_accuracy >= answer.predicted_accuracy
            )
            best = max(ranked[name], key=lambda one: one.predicted_accuracy)
            ratio = sizes[larger] / sizes[name]
            made.append(_against(next(reach, best), answer, ratio, compare, unit))
    return tuple(made)


def smallest_to_reach(pairs: Sequence[Against]) -> Against | None:
    """Return the pair of the largest policy and the smallest that reaches its answer.

    If none reaches it, the result is the pair that falls short by least; None without pairs.
    """
    if not pairs:
        return None
    of_largest = [one for one in pairs if one.other.run == pairs[0].other.run]
    reaching = (one for one in of_largest if one.reaches)
    return next(reaching, max(of_largest, key=lambda one: one.contrast.difference))


def _largest_first(
    answers: Mapping[str, StrategyEstimate], sizes: Mapping[str, int]
) -> Callable[[str], tuple[float, float]]:
    """Return a key that sorts policies by falling size, and equally large ones by accuracy."""
    return lambda name: (-sizes[name], -answers[name].predicted_accuracy)


def _against(
    choice: StrategyEstimate,
    other: StrategyEstimate,
    size_ratio: float,
    compare: Compare,
    unit: str,
) -> Against:
    theirs = other.price(unit)
    ratio = choice.price(unit) / theirs if theirs > 0 else None
    return Against(choice, other, compare(choice, other), ratio, size_ratio)
