"""Difficulty without a label: what a question's text and a few samples say of pass@1.

For every number of probe samples there is a head: a multinomial logistic regression that gives the
chances of a few ranges of pass@1, from which follow P(easy), P(medium), P(hard) and an interval.
`profiling.difficulty.fitting` trains them; they travel inside a plan as plain numbers.
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

# Ends of the ranges of pass@1; finer where most problems are. Both thresholds are among them.
EDGES = (0.0, 0.02, MEDIUM_FROM, 0.25, EASY_FROM, 0.75, 0.9, 0.98, 1.0)
RANGES = len(EDGES) - 1
LEVEL = 0.90  # of the intervals on pass@1
# No feature counts for more than this many standard deviations: a question unlike those trained on
# must not be told with more certainty than any of them.
FARTHEST = 4.0
_MEDIUM_AT, _EASY_AT = EDGES.index(MEDIUM_FROM), EDGES.index(EASY_FROM)


@dataclass(frozen=True, slots=True)
class Estimated:
    """What is known of a question's pass@1.

    Attributes:
        probabilities: of each class; they sum to 1.
        ranges: chances of the ranges of pass@1.
        nominal: level of their own interval that covers `LEVEL`.
        probes: samples it was estimated from; 0: from the text alone.
    """

    probabilities: Mapping[Difficulty, float]
    ranges: tuple[float, ...]
    nominal: float
    probes: int

    @property
    def interval(self) -> tuple[float, float]:
        """Of pass@1, covering it in `LEVEL` of held-out problems."""
        [[low, high]] = intervals(np.array([self.ranges]), self.nominal)
        return float(low), float(high)

    @property
    def mean(self) -> float:
        """Expected pass@1."""
        return float((np.array([self.ranges]) @ _MIDDLES)[0])

    @property
    def difficulty(self) -> Difficulty:
        """The most probable class."""
        return max(self.probabilities, key=lambda level: self.probabilities[level])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "probabilities": {level.value: p for level, p in self.probabilities.items()},
            "interval": list(self.interval),
            "mean": self.mean,
            "probes": self.probes,
        }


@dataclass(frozen=True, slots=True)
class Quality:
    """How a head does on problems it was neither fitted to nor calibrated on, by cross-validation.

    A problem's own pass@1 is not known either: all of these are expectations over its posterior
    (`profiling.pass_rate.PassRate`), so that even a perfect head has some log loss.

    Attributes:
        log_loss: of the three classes, nats.
        base_log_loss: the same of always telling the training problems' shares of the classes.
        accuracy: share of probe sets whose most probable class is the problem's own.
        calibration_error: expected calibration error, mean over classes.
        coverage: how often the interval has pass@1 in it.
        width: mean width of the interval.
        confusion: P(class named | class), rows and columns in the order easy, medium, hard.
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
            raise ValueError("a confusion has a row of chances for each class")

    def named(self) -> dict[str, dict[str, float]]:
        """P(class named | class), by the names of both."""
        return {
            true.value: {told.value: p for told, p in zip(Difficulty, row, strict=True)}
            for true, row in zip(Difficulty, self.confusion, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for the plan."""
        return asdict(self) | {"confusion": [list(row) for row in self.confusion]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Quality:
        """Read what `to_dict` wrote; ValueError where its numbers do not fit together."""
        plain = {one.name: record[one.name] for one in fields(cls)}
        rows = tuple(tuple(map(float, row)) for row in plain.pop("confusion"))
        return cls(**{name: float(value) for name, value in plain.items()}, confusion=rows)


@dataclass(frozen=True, slots=True)
class Head:
    """What is learnt for one number of probes.

    Attributes:
        probes: how many samples it looks at.
        features: the names of what it looks at, of `profiling.difficulty.probes.NAMES`.
        mean, scale: of each feature.
        weights: shape `(RANGES, features)`, one row a range of pass@1.
        intercepts: shape `(RANGES,)`.
        nominal: level of the predicted distribution's own interval that covers `LEVEL`.
        quality: on held-out problems.
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
            raise ValueError(f"a head needs {RANGES} rows of as many weights as it has features")
        if unknown := set(self.features) - set(NAMES):
            raise ValueError(f"there are no features {', '.join(sorted(unknown))}")
        numbers = [*self.mean, *self.scale, *self.intercepts, *sum(self.weights, ())]
        if self.probes < 0 or not np.isfinite(numbers).all() or not 0 <= self.nominal <= 1:
            raise ValueError("a head's numbers are finite, and its level is in [0, 1]")
        at = np.array([NAMES.index(name) for name in self.features], dtype=np.intp)
        # Without a feature there is a row of no weights a range: only the intercepts speak.
        weights = np.array(self.weights).reshape(RANGES, len(at))
        arrays = at, np.array(self.mean), np.array(self.scale), weights, np.array(self.intercepts)
        object.__setattr__(self, "_arrays", arrays)

    def ranges(self, x: Floats) -> Floats:
        """Chances of the ranges of pass@1, shape `(questions, RANGES)`.

        Args:
            x: shape `(questions, len(NAMES))`. A feature that is NaN counts as its mean.
        """
        at, mean, scale, weights, intercepts = self._arrays
        return softmax(standardise(x[:, at], mean, scale) @ weights.T + intercepts)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for the plan."""
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
        """Read what `to_dict` wrote; ValueError where its numbers do not fit together."""
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
    """Heads for some numbers of probes, fewest first, and how many problems they learnt from."""

    heads: tuple[Head, ...]
    problems: int

    def __post_init__(self) -> None:
        counts = [head.probes for head in self.heads]
        if not counts or counts != sorted(set(counts)):
            raise ValueError("a difficulty model needs heads of different numbers of probes")

    @property
    def probes(self) -> int:
        """Samples it is best asked with."""
        return self.heads[-1].probes

    @property
    def scored(self) -> bool:
        """Whether it looks at rewards, so that samples must be scored for it."""
        looks = {name for head in self.heads for name in head.features}
        return bool(looks & {*SCORED, *SCORED_SEVERAL})

    def head(self, samples: int) -> Head:
        """That of the most probes among `samples`; ValueError where all need more."""
        usable = [head for head in self.heads if head.probes <= samples]
        if not usable:
            raise ValueError(f"{samples} samples: at least {self.heads[0].probes} are needed")
        return usable[-1]

    def estimate(self, text: str, samples: Sequence[SampleRecord], grader: Grader) -> Estimated:
        """What a question's text and its samples say of it; no reference answer is looked at.

        Of more samples than any head looks at, the first ones count.
        """
        head = self.head(len(samples))
        return self.estimate_probes(Probes.of(text, samples[: head.probes], grader))

    def estimate_probes(self, probes: Probes) -> Estimated:
        """The same where answers were sorted into classes before."""
        head = self.head(len(probes))
        chances = head.ranges(features(probes, np.arange(head.probes)[None, :]))
        return Estimated(
            probabilities=dict(zip(Difficulty, classes(chances)[0].tolist(), strict=True)),
            ranges=tuple(chances[0].tolist()),
            nominal=head.nominal,
            probes=head.probes,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for the plan."""
        return {"problems": self.problems, "heads": [head.to_dict() for head in self.heads]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> DifficultyModel:
        """Read what `to_dict` wrote; ValueError where its numbers do not fit together."""
        heads = tuple(Head.from_dict(head) for head in record["heads"])
        return cls(heads, int(record["problems"]))


_MIDDLES = (np.array(EDGES[:-1]) + np.array(EDGES[1:])) / 2


def standardise(x: Floats, mean: Floats, scale: Floats) -> Floats:
    """Features in standard deviations from their means, none farther than `FARTHEST`; NaN is 0."""
    scaled = np.minimum(np.maximum((x - mean) / scale, -FARTHEST), FARTHEST)
    return np.where(np.isnan(scaled), 0.0, scaled)


def softmax(logits: Floats) -> Floats:
    """Of each row."""
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def classes(chances: Floats) -> Floats:
    """P(easy), P(medium), P(hard), shape `(questions, 3)`: sums over their ranges."""
    hard = chances[:, :_MEDIUM_AT].sum(axis=1)
    medium = chances[:, _MEDIUM_AT:_EASY_AT].sum(axis=1)
    return np.column_stack([chances[:, _EASY_AT:].sum(axis=1), medium, hard])


def intervals(chances: Floats, level: float) -> Floats:
    """Central intervals of pass@1, spread evenly inside each range; shape `(questions, 2)`.

    An end that falls into the first or the last range is 0 or 1: a problem that is never solved
    must not lie outside for being the hardest of all. A larger level never gives less.
    """
    tail = (1 - level) / 2
    low, high = _quantile(chances, tail), 1 - _quantile(chances[:, ::-1], tail, mirrored=True)
    low = np.where(low < EDGES[1], 0.0, low)
    return np.column_stack([low, np.where(high > EDGES[-2], 1.0, high)])


def _quantile(chances: Floats, q: float, *, mirrored: bool = False) -> Floats:
    """Of each row's distribution; `mirrored`: of 1 - pass@1, whose ranges come last first."""
    edges = 1 - np.array(EDGES[::-1]) if mirrored else np.array(EDGES)
    upto = np.hstack([np.zeros((len(chances), 1)), np.cumsum(chances, axis=1)])
    at = np.minimum((upto[:, 1:] < q).sum(axis=1), RANGES - 1)
    rows = np.arange(len(chances))
    inside = (q - upto[rows, at]) / np.maximum(chances[rows, at], 1e-12)
    return np.asarray(edges[at] + np.clip(inside, 0, 1) * (edges[at + 1] - edges[at]))
