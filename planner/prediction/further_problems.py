"""Differences between strategies on further problems, drawn from their predictive distribution.

The differences to one strategy are taken as multivariate normal over problems: on each problem the
vector of differences has mean d and covariance S, neither of which is known. With a normal
inverse-Wishart prior the mean over m further problems has a multivariate t distribution (Gelman et
al., Bayesian Data Analysis, 3rd ed., 2013, Sec. 3.6). It includes what a resampling of the measured
problems leaves out: that S is estimated, and that a disagreement may come that was not seen yet.

- **Disagreements not yet seen.** On half a pseudo-problem each strategy alone departs from all
  others. Of any two strategies, each then departs once: this is the half problem that Agresti and
  Min (2005, Statistics in Medicine 24(5)) add to either kind of disagreement. Two strategies that
  always agreed may therefore part. They part by a whole problem if outcomes are 0 or 1; replayed
  expectations differ by less, so the square of a departure is that of the strategy's differences
  to the first, relative to the one that 0 and 1 would have. What is believed of some strategies
  does not depend on which others are compared: the covariance of some is a part of that of all, and
  the degrees of freedom do not count strategies. Inverse Wishart distributions of several sizes
  agree on these terms (Dawid 1981, Biometrika 68(1), 265-274).
- **True differences.** The best of many measured means is best partly by chance, so expected
  differences are those of the estimates, which are shrunk (`planner.prediction.joint`). Their
  variance is that of the measured means: as in the intervals, a prior moves an estimate and makes
  it no surer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiling.arrays import Floats

_DEPARTURE = 0.5  # pseudo-problems on which a strategy departs from all others
_JITTER = 1e-12  # keeps the factorisation of strategies that never differ from rounding to failure


@dataclass(frozen=True, slots=True)
class Differences:
    """What is believed of the differences of strategies to the first one.

    Attributes:
        mean: expected differences, shape `(strategies - 1,)`.
        spread: estimated covariance of the differences on one problem, shape
            `(strategies - 1, strategies - 1)`.
        seen: number of measured problems, n.
    """

    mean: Floats
    spread: Floats
    seen: int

    @classmethod
    def of(cls, table: Floats, means: Floats) -> Differences:
        """Estimate the differences from measured accuracies.

        Args:
            table: accuracies, shape `(problems, strategies)`, at least one of each; the differences
                are to the first column.
            means: estimated accuracy of each strategy, shape `(strategies,)`.
        """
        seen, strategies = table.shape
        apart = table[:, 1:] - table[:, :1]
        residual = apart - apart.mean(axis=0)
        # Squared differences over absolute ones: 1 for those of 0, 1 and -1, and until one is seen.
        size = np.sqrt(((apart**2).sum(axis=0) + 1) / (np.abs(apart).sum(axis=0) + 1))
        # Each departs alone, the first too. The weight must not fall with more strategies.
        alone = _DEPARTURE * (np.eye(strategies - 1) + 1.0) * np.outer(size, size)
        spread = (residual.T @ residual + alone) / max(seen - 1, 1)
        return cls(means[1:] - means[0], spread, seen)

    def draw(self, problems: int, draws: int, rng: np.random.Generator) -> Floats:
        """Draw the mean differences on further problems.

        Args:
            problems: number of further problems, m.
            draws: number of draws.
            rng: generator of the draws.

        Returns:
            Mean differences within [-1, 1], shape `(draws, strategies - 1)`.
        """
        freedom = max(self.seen - 1, 1)
        scale = np.sqrt(freedom / rng.chisquare(freedom, size=(draws, 1)))
        factor = np.linalg.cholesky(self.spread + _JITTER * np.eye(len(self.mean)))
        errors = rng.standard_normal((draws, len(self.mean))) @ factor.T
        reach = scale * np.sqrt(1 / self.seen + 1 / problems)
        return np.asarray(np.clip(self.mean + reach * errors, -1.0, 1.0))
