"""Logistic models of shares: their targets are probabilities rather than classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from profiling.arrays import Floats

_STEPS = 12  # of Newton's method; it converges in about five
_RIDGE = 1.0  # penalty of a standardised slope, in problems
_EDGE = 0.01  # shares start no nearer to 0 and 1


@dataclass(frozen=True, slots=True)
class Logistic:
    """P = expit(intercept + slopes @ (features - mean) / scale).

    Attributes:
        intercept: log-odds of average features.
        slopes, mean, scale: one for each feature.
    """

    intercept: float
    slopes: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, features: Floats, shares: Floats, weights: Floats) -> Logistic:
        """Fit by the quasi-likelihood of fractional responses (Papke and Wooldridge 1996).

        Slopes have a ridge penalty, so that few problems do not give endless ones.

        Args:
            features: shape `(rows, features)`.
            shares: targets in [0, 1], shape `(rows,)`.
            weights: numbers of problems that the rows stand for, shape `(rows,)`.
        """
        mean = np.average(features, axis=0, weights=weights)
        spread = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights))
        scale = np.where(spread > 1e-12, spread, 1.0)
        design = np.column_stack([np.ones(len(features)), (features - mean) / scale])
        penalty = np.full(design.shape[1], _RIDGE)
        penalty[0] = 1e-6
        start = float(np.clip(np.average(shares, weights=weights), _EDGE, 1 - _EDGE))
        beta = np.zeros(design.shape[1])
        beta[0] = logit(start)
        for _ in range(_STEPS):
            chance = expit(design @ beta)
            slope = design.T @ (weights * (shares - chance)) - penalty * beta
            curve = (design * (weights * chance * (1 - chance))[:, None]).T @ design
            step = np.linalg.solve(curve + np.diag(penalty), slope)
            beta = beta + np.clip(step, -4.0, 4.0)
            if np.abs(step).max() < 1e-8:
                break
        return cls(float(beta[0]), *(tuple(map(float, one)) for one in (beta[1:], mean, scale)))

    def chance(self, features: Floats) -> Floats:
        """Probabilities, in the shape of the features without their last axis."""
        centred = (features - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(expit(self.intercept + centred @ np.array(self.slopes)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a plan file."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Logistic:
        """Read what `to_dict` wrote.

        Raises:
            TypeError, ValueError: an unknown or missing field, or lengths that differ.
        """
        made = cls(
            float(record["intercept"]),
            *(tuple(map(float, record[name])) for name in ("slopes", "mean", "scale")),
        )
        if not len(made.slopes) == len(made.mean) == len(made.scale) or not all(made.scale):
            raise ValueError("confidence: slopes, mean and scale must have one length, scale no 0")
        return made
