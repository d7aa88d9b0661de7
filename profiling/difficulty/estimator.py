"""Estimate of pass@1 from a question's text and a few samples, without a reference answer.

Each number of probe samples has a head: a multinomial logistic regression that predicts the
probabilities of a few ranges of pass@1. P(easy), P(medium), P(hard) and an interval follow from
them. `profiling.difficulty.fitting` trains the heads; a plan stores them as plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.answers.grader import Grader
from executor.outcome import SampleRecord
from profiling.difficulty.probes import NAMES, SCORED, SCORED_SEVERAL, Probes, features
from profiling.pass_rate import EASY_FROM, MEDIUM_FROM, Difficulty

Floats = NDArray[np.float64]

# Edges of the ranges of pass@1, finer near 0 and 1, where most problems lie. Both difficulty
# thresholds are edges.
EDGES = (0.0, 0.02, MEDIUM_FROM, 0.25, EASY_FROM, 0.75, 0.9, 0.98, 1.0)
RANGES = len(EDGES) - 1
LEVEL = 0.90  # coverage of the intervals on pass@1
# Standardised features are clipped at this many standard deviations: an estimate for a question
# unlike the training questions must not be more certain than any estimate for those.
FARTHEST = 4.0
_MEDIUM_AT, _EASY_AT = EDGES.index(MEDIUM_FROM), EDGES.index(EASY_FROM)


@dataclass(frozen=True, slots=True)
class Estimated:
    """Estimate of a question's pass@1.

    Attributes:
        probabilities: probability of each class; the three sum to 1.
        ranges: probabilities of the ranges of pass@1, length `RANGES`.
        nominal: nominal level of the predicted distribution's interval that covers `LEVEL`.
        probes: number of samples used; 0 means the text alone.
    """

    probabilities: Mapping[Difficulty, float]
    ranges: tuple[float, ...]
    nominal: float
    probes: int

    @property
    def interval(self) -> tuple[float, float]:
        """Interval on pass@1, calibrated to cover a share of `LEVEL` of held-out problems."""
        [[low, high]] = intervals(np.array([self.ranges]), self.nominal)
        return float(low), float(high)

    @property
    def mean(self) -> float:
        """Expected pass@1."""
        return float((np.array([self.ranges]) @ _MIDDLES)[0])

    @property
    def difficulty(self) -> Difficulty:
        """Most probable class."""
        return max(self.probabilities, key=lambda level: self.probabilities[level])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "probabilities": {level.value: p for level, p in self.probabilities.items()},
            "interval": list(self.interval),
            "mean": self.mean,
            "probes": self.probes,
        }


@dataclass(frozen=True, slots=True)
class Quality:
    """Quality of a head on held-out problems, by cross-validation.

    The head was neither fitted nor calibrated on these problems. The true pass@1 of a problem is
    unknown, so every figure is an expectation over its posterior (`profiling.pass_rate.PassRate`);
    even a perfect head has some log loss.

    Attributes:
        log_loss: log loss of the three classes, nats.
        base_log_loss: log loss of the constant prediction of the training problems' class shares,
            nats.
        accuracy: share of probe sets whose most probable class is that of the problem.
        calibration_error: expected calibration error, mean over classes.
        coverage: share of intervals that contain pass@1.
        width: mean width of the intervals.
        confusion: P(predicted class | class), shape `(3, 3)`; rows are classes and columns
            predicted classes, in the order easy, medium, hard.
    """

    log_loss: float
    base_log_loss: float
    accuracy: float
    calibration_error: float
    coverage: float
    width: float
    confusion: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        size, rows = len(Difficulty), self.confusion
        chances = all(min(row) >= 0 and abs(sum(row) - 1) < 0.01 for row in rows if row)
        if not chances or [len(row) for row in rows] != [size] * size:
            raise ValueError(
                f"confusion is {rows}; expected {size} rows of {size} probabilities that sum to 1"
            )

    def named(self) -> dict[str, dict[str, float]]:
        """Return P(predicted class | class), keyed by class and then by predicted class."""
        return {
            true.value: {assigned.value: p for assigned, p in zip(Difficulty, row, strict=True)}
            for true, row in zip(Difficulty, self.confusion, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for the plan."""
        return asdict(self) | {"confusion": [list(row) for row in self.confusion]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Quality:
        """Read the result of `to_dict`; raise ValueError if its numbers are inconsistent."""
        plain = {one.name: record[one.name] for one in fields(cls)}
        rows = tuple(tuple(map(float, row)) for row in plain.pop("confusion"))
        return cls(**{name: float(value) for name, value in plain.items()}, confusion=rows)


@dataclass(frozen=True, slots=True)
class Head:
    """Fitted regression for one number of probes.

    Attributes:
        probes: number of samples that the head reads.
        features: names of the features that the head reads, a subset of
            `profiling.difficulty.probes.NAMES`.
        mean, scale: mean and standard deviation of each feature, shape `(features,)`.
        weights: shape `(RANGES, features)`, one row per range of pass@1.
        intercepts: shape `(RANGES,)`.
        nominal: nominal level of the predicted distribution's interval that covers `LEVEL`.
        quality: quality on held-out problems.
    """

    probes: int
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    nominal: float
    quality: Quality
    _arrays: tuple[NDArray[np.intp], Floats, Floats, Floats, Floats] = field(
        init=False, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        sizes = {len(self.mean), len(self.scale), *map(len, self.weights)}
        rows = {len(self.weights), len(self.intercepts)}
        if sizes != {len(self.features)} or rows != {RANGES}:
            raise ValueError(
                f"weights of the head do not fit; expected {RANGES} rows of {len(self.features)}"
            )
        if unknown := set(self.features) - set(NAMES):
            raise ValueError(f"features {', '.join(sorted(unknown))} do not exist")
        numbers = [*self.mean, *self.scale, *self.intercepts, *sum(self.weights, ())]
        if self.probes < 0 or not np.isfinite(numbers).all() or not 0 <= self.nominal <= 1:
            raise ValueError(
                "a number of the head is out of range; "
                "expected finite numbers, at least 0 probes and a level in [0, 1]"
            )
        at = np.array([NAMES.index(name) for name in self.features], dtype=np.intp)
        # A head without features has empty rows of weights; its prediction is the intercepts alone.
        weights = np.array(self.weights).reshape(RANGES, len(at))
        arrays = at, np.array(self.mean), np.array(self.scale), weights, np.array(self.intercepts)
        object.__setattr__(self, "_arrays", arrays)

    def ranges(self, x: Floats) -> Floats:
        """Return the probabilities of the ranges of pass@1, shape `(questions, RANGES)`.

        Args:
            x: features, shape `(questions, len(NAMES))`; NaN is replaced by the mean.
        """
        at, mean, scale, weights, intercepts = self._arrays
        return softmax(standardise(x[:, at], mean, scale) @ weights.T + intercepts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for the plan."""
        return {
            "probes": self.probes,
            "features": list(self.features),
            "mean": list(self.mean),
            "scale": list(self.scale),
            "weights": [list(row) for row in self.weights],
            "intercepts": list(self.intercepts),
            "nominal": self.nominal,
            "quality": self.quality.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Head:
        """Read the result of `to_dict`; raise ValueError if its numbers are inconsistent."""
        return cls(
            probes=int(record["probes"]),
            features=tuple(map(str, record["features"])),
            mean=tuple(map(float, record["mean"])),
            scale=tuple(map(float, record["scale"])),
            weights=tuple(tuple(map(float, row)) for row in record["weights"]),
            intercepts=tuple(map(float, record["intercepts"])),
            nominal=float(record["nominal"]),
            quality=Quality.from_dict(record["quality"]),
        )


@dataclass(frozen=True, slots=True)
class DifficultyModel:
    """Heads for several numbers of probes, fewest first.

    Attributes:
        heads: one head per number of probes.
        problems: number of training problems.
    """

    heads: tuple[Head, ...]
    problems: int

    def __post_init__(self) -> None:
        counts = [head.probes for head in self.heads]
        if not counts or counts != sorted(set(counts)):
            raise ValueError(f"probes of the heads are {counts}; expected rising numbers")

    @property
    def probes(self) -> int:
        """Largest number of samples that a head reads."""
        return self.heads[-1].probes

    @property
    def scored(self) -> bool:
        """Whether a head reads rewards, so that a PRM must score the samples."""
        looks = {name for head in self.heads for name in head.features}
        return bool(looks & {*SCORED, *SCORED_SEVERAL})

    def head(self, samples: int) -> Head:
        """Return the head with the most probes that `samples` samples suffice for.

        Raises:
            ValueError: every head needs more samples.
        """
        usable = [head for head in self.heads if head.probes <= samples]
        if not usable:
            raise ValueError(
                f"there are {samples} samples; expected at least {self.heads[0].probes}"
            )
        return usable[-1]

    def estimate(self, text: str, samples: Sequence[SampleRecord], grader: Grader) -> Estimated:
        """Estimate a question's pass@1 from its text and samples, without a reference answer.

        If there are more samples than the largest head reads, the first ones are used.
        """
        head = self.head(len(samples))
        return self.estimate_probes(Probes.of(text, samples[: head.probes], grader))

    def estimate_probes(self, probes: Probes) -> Estimated:
        """Estimate pass@1 from samples whose answers are already grouped into classes."""
        head = self.head(len(probes))
        chances = head.ranges(features(probes, np.arange(head.probes)[None, :]))
        return Estimated(
            probabilities=dict(zip(Difficulty, classes(chances)[0].tolist(), strict=True)),
            ranges=tuple(chances[0].tolist()),
            nominal=head.nominal,
            probes=head.probes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, for the plan."""
        return {"problems": self.problems, "heads": [head.to_dict() for head in self.heads]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> DifficultyModel:
        """Read the result of `to_dict`; raise ValueError if its numbers are inconsistent."""
        heads = tuple(Head.from_dict(head) for head in record["heads"])
        return cls(heads, int(record["problems"]))


_MIDDLES = (np.array(EDGES[:-1]) + np.array(EDGES[1:])) / 2


def standardise(x: Floats, mean: Floats, scale: Floats) -> Floats:
    """Return standardised features, clipped at `FARTHEST` standard deviations; NaN becomes 0."""
    scaled = np.minimum(np.maximum((x - mean) / scale, -FARTHEST), FARTHEST)
    return np.where(np.isnan(scaled), 0.0, scaled)


def softmax(logits: Floats) -> Floats:
    """Return the softmax of each row."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def classes(chances: Floats) -> Floats:
    """Return P(easy), P(medium), P(hard), shape `(questions, 3)`: sums over their ranges."""
    hard = chances[:, :_MEDIUM_AT].sum(axis=1)
    medium = chances[:, _MEDIUM_AT:_EASY_AT].sum(axis=1)
    return np.column_stack([chances[:, _EASY_AT:].sum(axis=1), medium, hard])


def intervals(chances: Floats, level: float) -> Floats:
    """Return central intervals of pass@1, shape `(questions, 2)`.

    The distribution is taken as uniform inside each range. A lower bound in the first range becomes
    0 and an upper bound in the last range becomes 1, because the interval must not exclude a
    problem that is never, or always, solved. A larger level never gives a narrower interval.
    """
    tail = (1 - level) / 2
    low, high = _quantile(chances, tail), 1 - _quantile(chances[:, ::-1], tail, mirrored=True)
    low = np.where(low < EDGES[1], 0.0, low)
    return np.column_stack([low, np.where(high > EDGES[-2], 1.0, high)])


def _quantile(chances: Floats, q: float, *, mirrored: bool = False) -> Floats:
    """Return the q-quantile of each row's distribution, shape `(questions,)`.

    If `mirrored`, the rows are distributions of 1 - pass@1, with the ranges in reverse order.
    """
    edges = 1 - np.array(EDGES[::-1]) if mirrored else np.array(EDGES)
    upto = np.hstack([np.zeros((len(chances), 1)), np.cumsum(chances, axis=1)])
    at = np.minimum((upto[:, 1:] < q).sum(axis=1), RANGES - 1)
    rows = np.arange(len(chances))
    inside = (q - upto[rows, at]) / np.maximum(chances[rows, at], 1e-12)
    return np.asarray(edges[at] + np.clip(inside, 0, 1) * (edges[at + 1] - edges[at]))
