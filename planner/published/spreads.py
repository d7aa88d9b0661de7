"""Spreads of the published model's effects: the most probable ones, given the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import cho_solve
from scipy.optimize import minimize

from planner.catalog import Catalog
from planner.published.model import FIXED, LEARNT, NOISE, Targets, covariance, features
from profiling.arrays import Floats

# The prior of a spread's logarithm is normal. There are few studies, so the likelihood alone would
# set some spreads to zero, as if the studies agreed.
_TYPICAL = {NOISE: 0.5}
_TYPICAL_EFFECT = 0.15
_PRIOR_SPREAD = 1.0
_BOUNDS = (-7.0, 1.5)
NAMES = (*LEARNT, NOISE)


@dataclass(frozen=True, slots=True)
class Objective:
    """Negative log posterior of the spreads' logarithms, up to a constant, with its gradient.

    Attributes:
        parts: kernels of the learnt effects, in the order of `LEARNT`, shape `(cells, cells)` each.
        fixed: covariance of the effects set by hand, shape `(cells, cells)`.
        targets: targets of the regression.
    """

    parts: tuple[Floats, ...]
    fixed: Floats
    targets: Targets

    @classmethod
    def of(cls, cells: pd.DataFrame, catalog: Catalog) -> Objective:
        """Return the objective of published cells."""
        table = features(cells, catalog)
        parts = tuple(covariance(table, table, {name: 1.0}) for name in LEARNT)
        return cls(parts, covariance(table, table, FIXED), Targets.of(cells))

    def __call__(self, logs: Floats) -> tuple[float, Floats]:
        """Return value and gradient, shape `(len(NAMES),)`, at logarithms of the spreads.

        Rasmussen and Williams, Gaussian Processes for Machine Learning, Eqs. 5.8 and 5.9.
        """
        squares = np.exp(2 * logs)
        total = self.fixed + np.diag(squares[-1] * self.targets.binomial)
        for square, part in zip(squares, self.parts, strict=False):
            total += square * part
        factor = np.linalg.cholesky(total)
        inverse = cho_solve((factor, True), np.eye(len(factor)))
        weights = inverse @ self.targets.logit
        value = 0.5 * self.targets.logit @ weights + np.log(np.diag(factor)).sum()
        slope = inverse - np.outer(weights, weights)
        gradient = [np.sum(slope * part) for part in self.parts]
        gradient.append(np.diag(slope) @ self.targets.binomial)
        away = (logs - _prior()) / _PRIOR_SPREAD
        return (
            float(value + 0.5 * away @ away),
            squares * np.array(gradient) + away / _PRIOR_SPREAD,
        )


def _prior() -> Floats:
    return np.log([_TYPICAL.get(name, _TYPICAL_EFFECT) for name in NAMES])


def tune(
    cells: pd.DataFrame, catalog: Catalog, start: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the most probable spreads (type II maximum a posteriori); equal cells give equal ones.

    Args:
        cells: usable published cells.
        catalog: sizes, families and PRMs.
        start: initial spreads; None: the medians of the prior.
    """
    at = _prior() if start is None else np.log([start[name] for name in NAMES])
    found = minimize(
        Objective.of(cells, catalog), at, jac=True, method="L-BFGS-B", bounds=[_BOUNDS] * len(NAMES)
    )
    return {name: round(float(np.exp(log)), 4) for name, log in zip(NAMES, found.x, strict=True)}
