"""When a stage stops: if what the next stages would gain is not worth what they cost.

A logistic model turns the signals of a stage into the probability that its answer is right. Draws
are put into bins of this probability. In each bin the share of right answers, that of the next
stages, and their cost are known from the training problems; counts are smoothed toward the logistic
models. The stage escalates in the bins in which the expected gain exceeds the price of the cost. So
a question that no model answers costs little, however little its votes agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logit

from planner.cascades.logistic import Logistic
from profiling.arrays import Bools, Floats, Ints

BINS = 12
_PRIOR = 8.0  # problems that the logistic models count in a bin


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure a stage is, in bins.

    Attributes:
        model: P(the stage's answer is right), by its signals.
        edges: bounds between the bins of this probability, rising, shape `(bins - 1,)`.
    """

    model: Logistic
    edges: tuple[float, ...]

    @classmethod
    def fit(cls, features: Floats, right: Floats) -> Confidence:
        """Fit to draws of training problems; every problem counts once.

        Args:
            features: signals, shape `(problems, draws, features)`.
            right: correctness, shape `(problems, draws)`.
        """
        flat = features.reshape(-1, features.shape[-1])
        weights = np.full(len(flat), 1 / right.shape[1])
        model = Logistic.fit(flat, right.ravel(), weights)
        chance = model.chance(flat)
        # Votes have few values, so bins end between values: halfway to the next.
        values = np.unique(chance)
        cuts = np.unique(np.quantile(chance, np.linspace(0, 1, BINS + 1)[1:-1]))
        at = np.unique(np.searchsorted(values, cuts))
        edges = [(values[i - 1] + values[i]) / 2 for i in at if 0 < i < len(values)]
        return cls(model, tuple(map(float, edges)))

    def bins(self, features: Floats) -> Ints:
        """The bin of each draw."""
        return np.asarray(np.searchsorted(self.edges, self.model.chance(features), side="right"))


@dataclass(frozen=True, slots=True)
class Binned:
    """Draws of a stage on some problems, by bin.

    Attributes:
        mass: share of each problem's draws in each bin, shape `(problems, bins)`.
        right: share of each problem's draws that are in the bin and right, of the same shape.
        chance: sum of the model's probabilities of these draws, as a share; of the same shape.
    """

    mass: Floats
    right: Floats
    chance: Floats

    @classmethod
    def of(cls, confidence: Confidence, features: Floats, right: Floats) -> Binned:
        """Bin draws; for the arguments see `Confidence.fit`."""
        problems, draws = right.shape
        count = len(confidence.edges) + 1
        chance = confidence.model.chance(features)
        bins = np.searchsorted(confidence.edges, chance, side="right")
        at = (np.arange(problems)[:, None] * count + bins).ravel()

        def shares(values: Floats) -> Floats:
            summed = np.bincount(at, values.ravel(), minlength=problems * count)
            return np.asarray(summed.reshape(problems, count) / draws)

        return cls(shares(np.ones(right.shape)), shares(right), shares(chance))

    def of_problems(self, chosen: Ints | Bools) -> Binned:
        """The draws of some problems."""
        return Binned(self.mass[chosen], self.right[chosen], self.chance[chosen])


@dataclass(frozen=True, slots=True)
class StopRule:
    """A stage's decision for each bin of its confidence.

    Attributes:
        confidence: the bins.
        right: P(the stage's answer is right) in each bin.
        gain: what the next stages are expected to add to it in each bin.
        escalates: whether the next stage is asked, in each bin.
    """

    confidence: Confidence
    right: tuple[float, ...]
    gain: tuple[float, ...]
    escalates: tuple[bool, ...]

    def decide(self, features: Floats) -> tuple[bool, float]:
        """Whether the next stage is asked for one question, and P(this stage's answer is right).

        Args:
            features: its signals, shape `(features,)`.
        """
        at = int(self.confidence.bins(features))
        return self.escalates[at], self.right[at]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a plan file."""
        return {
            "confidence": self.confidence.model.to_dict(),
            "edges": list(self.confidence.edges),
            "right": list(self.right),
            "gain": list(self.gain),
            "escalates": list(self.escalates),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> StopRule:
        """Read what `to_dict` wrote.

        Raises:
            LookupError, TypeError, ValueError: a field is missing or wrong.
        """
        edges = tuple(map(float, record["edges"]))
        rule = cls(
            Confidence(Logistic.from_dict(record["confidence"]), edges),
            tuple(map(float, record["right"])),
            tuple(map(float, record["gain"])),
            tuple(record["escalates"]),
        )
        if list(edges) != sorted(edges):
            raise ValueError("edges: must rise")
        if any(len(part) != len(edges) + 1 for part in (rule.right, rule.gain, rule.escalates)):
            raise ValueError("right, gain and escalates: must have one value more than edges")
        if not all(isinstance(flag, bool) for flag in rule.escalates):
            raise ValueError("escalates: must be true or false in each bin")
        return rule


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a stage and the next stages are expected to get in each bin, shape `(bins,)` each.

    Attributes:
        confidence: the stage's bins.
        right: P(the stage's answer is right).
        gain: P(that of the next stages is) minus that.
        cost: expected cost of the next stages.
    """

    confidence: Confidence
    right: Floats
    gain: Floats
    cost: Floats

    @classmethod
    def fit(cls, confidence: Confidence, seen: Binned, accuracy: Floats, cost: Floats) -> Outlook:
        """Count what the stages get on the training problems.

        Args:
            confidence: the stage's bins.
            seen: its draws on the training problems.
            accuracy, cost: expected accuracy and cost of the next stages on these problems, shape
                `(problems,)`.
        """
        mass = seen.mass.sum(axis=0)
        weight = np.maximum(mass, 1e-9)
        chance = np.clip(seen.chance.sum(axis=0) / weight, 1e-4, 1 - 1e-4)
        right = (seen.right.sum(axis=0) + _PRIOR * chance) / (mass + _PRIOR)
        odds = logit(chance)
        features = np.column_stack([odds, odds**2])
        theirs = seen.mass.T @ accuracy
        smooth = Logistic.fit(features, np.clip(theirs / weight, 0, 1), weight).chance(features)
        gain = (theirs + _PRIOR * smooth) / (mass + _PRIOR) - right
        there = (seen.mass.T @ cost + _PRIOR * float(cost.mean())) / (mass + _PRIOR)
        return cls(confidence, right, gain, there)

    def rule(self, price: float) -> StopRule:
        """The rule that asks on if the gain exceeds the price of the cost.

        Args:
            price: accuracy that a unit of cost must bring.
        """
        return StopRule(
            self.confidence,
            tuple(map(float, self.right)),
            tuple(map(float, self.gain)),
            tuple(map(bool, self.gain > price * self.cost)),
        )
