"""Statistics of a profile's questions, with which live traffic is compared.

They use the text of the questions, difficulty estimates from the text, and a few samples; never a
label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import fdtri

from executor.answers.grader import Grader
from profiling.arrays import Floats
from profiling.difficulty.estimator import DifficultyModel
from profiling.difficulty.probes import TEXT, Probes, text_features
from profiling.profiles.profiler import ProblemProfile

# A question is far from the profile if fewer than one in this many of its kind would be as far.
_ONE_IN = 1000.0
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Cloud:
    """Mean and covariance of points, and the distance of the farthest point from the mean.

    Attributes:
        points: number of points.
        mean: shape `(dimensions,)`.
        covariance: shape `(dimensions, dimensions)`; dimensions that did not vary, or that others
            determine, do not count in distances.
        farthest: squared Mahalanobis distance of the farthest point.
        reach: squared distance beyond which a new point is unlike these points.
    """

    points: int
    mean: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    farthest: float
    reach: float = field(init=False, compare=False, repr=False)
    _axes: tuple[Floats, Floats] = field(init=False, compare=False, repr=False)
    _centre: Floats = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        sizes = {len(self.mean), len(self.covariance), *map(len, self.covariance)}
        numbers = [*self.mean, *sum(self.covariance, ()), self.farthest]
        if len(sizes) != 1 or self.points < 2 or not np.isfinite(numbers).all():
            raise ValueError("a cloud needs two points, a mean, and a covariance of its size")
        object.__setattr__(self, "_axes", _principal(np.array(self.covariance)))
        object.__setattr__(self, "_centre", np.array(self.mean))
        reach = max(self.farthest, self.quantile(1 - 1 / _ONE_IN))
        object.__setattr__(self, "reach", reach)

    @classmethod
    def from_points(cls, points: Floats) -> Cloud:
        """Describe points, shape `(points, dimensions)`."""
        covariance = np.atleast_2d(np.cov(points, rowvar=False))
        made = cls(
            len(points), _rounded(points.mean(axis=0)), tuple(map(_rounded, covariance)), 0.0
        )
        farthest = max(made.distance(point) for point in points)
        return cls(made.points, made.mean, made.covariance, float(f"{farthest:.{_DIGITS}g}"))

    @property
    def rank(self) -> int:
        """Number of dimensions that count in distances."""
        return len(self._axes[0])

    def distance(self, point: Floats) -> float:
        """Squared Mahalanobis distance of a point from the mean."""
        variances, axes = self._axes
        along = (point - self._centre) @ axes
        return float((along * along / variances).sum())

    def quantile(self, level: float, drawn: int = 1) -> float:
        """Quantile of the squared distance of the mean of some new normal points.

        Hotelling's T-squared: (1 / drawn + 1 / points) nu p / (nu - p + 1) F(p, nu - p + 1) with
        nu = points - 1 and p the rank (Anderson, An Introduction to Multivariate Statistical
        Analysis, ch. 5).

        Args:
            level: the quantile's probability.
            drawn: number of new points in the mean.
        """
        p, nu = self.rank, self.points - 1
        if nu - p + 1 < 1:
            return float("inf")
        spread = 1 / drawn + 1 / self.points
        return float(spread * nu * p / (nu - p + 1) * fdtri(p, nu - p + 1, level))

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, for the plan."""
        return {
            "points": self.points,
            "mean": list(self.mean),
            "covariance": [list(row) for row in self.covariance],
            "farthest": self.farthest,
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Cloud:
        """Read what `to_dict` wrote; ValueError if its numbers do not fit together."""
        return cls(
            int(record["points"]),
            tuple(map(float, record["mean"])),
            tuple(tuple(map(float, row)) for row in record["covariance"]),
            float(record["farthest"]),
        )


@dataclass(frozen=True, slots=True)
class Reference:
    """Statistics of a profile's questions.

    Attributes:
        text: features of their texts, `profiling.difficulty.probes.TEXT`.
        estimates: P(easy) and P(medium) by the text alone; None if the plan's classifier does not
            use the text alone. The classifier was trained on these questions, so estimates of
            others vary a little more.
        agreement: numbers of questions by the number of probes, from 0 on, in their largest class
            of equal answers; empty without a classifier.
    """

    text: Cloud
    estimates: Cloud | None
    agreement: tuple[int, ...]

    @classmethod
    def from_profiles(
        cls, profiles: Sequence[ProblemProfile], classifier: DifficultyModel | None, grader: Grader
    ) -> Reference | None:
        """Describe a profile's questions; None if there are fewer than two.

        Each question counts once, with its first samples.

        Args:
            profiles: the questions with their samples.
            classifier: estimates difficulties; None if the plan has none.
            grader: tells which answers are equal.
        """
        if len(profiles) < 2:
            return None
        k = 0 if classifier is None else classifier.probes
        questions = [Probes.of_profile(one, grader, k) for one in profiles]
        estimates, agreement = None, ()
        if classifier is not None:
            if not classifier.heads[0].probes:
                nothing = np.zeros(0, dtype=np.int64)
                by_text = [classifier.estimate_probes(one.take(nothing)) for one in questions]
                found = [list(one.probabilities.values())[:-1] for one in by_text]
                estimates = Cloud.from_points(np.array(found))
            counts = [agreeing(one) for one in questions if len(one) >= k]
            agreement = tuple(np.bincount(counts, minlength=k + 1).tolist())
        text = Cloud.from_points(np.array([one.text_features for one in questions]))
        return cls(text, estimates, agreement)

    def far(self, text: str) -> bool:
        """Whether a question is unlike the profile's.

        It is if it is farther from their mean than any of them, and than all but one in a thousand
        would be if they were normal.
        """
        return self.outside(text_features(text))

    def outside(self, point: Floats) -> bool:
        """The same for a question's features, `profiling.difficulty.probes.TEXT`."""
        return self.text.distance(point) > self.text.reach

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the plan."""
        return {
            "text": self.text.to_dict() | {"features": list(TEXT)},
            "estimates": None if self.estimates is None else self.estimates.to_dict(),
            "agreement": list(self.agreement),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Reference:
        """Read what `to_dict` wrote; ValueError if its numbers do not fit together."""
        if tuple(record["text"]["features"]) != TEXT:
            raise ValueError("the reference is of other features")
        estimates = record["estimates"]
        return cls(
            Cloud.from_dict(record["text"]),
            None if estimates is None else Cloud.from_dict(estimates),
            tuple(map(int, record["agreement"])),
        )


def agreeing(probes: Probes) -> int:
    """Number of samples in the largest class of equal answers."""
    answered = probes.answer_class[probes.answer_class >= 0]
    return int(np.bincount(answered).max(initial=0))


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def _principal(covariance: Floats) -> tuple[Floats, Floats]:
    """Variances along principal axes of standardised dimensions, and the axes as columns."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    variances, axes = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = variances > 1e-4
    return variances[kept], axes[:, kept] / scale[:, None]
