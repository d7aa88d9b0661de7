"""Differences between strategies on further problems, drawn from their predictive distribution.

The differences to one strategy are taken as multivariate normal over problems: on each problem the
vector of differences has mean d and covariance S, neither of which is known. With a normal
inverse-Wishart prior the mean over m further problems has a multivariate t distribution (Gelman et
al., Bayesian Data Analysis, 3rd ed., 2013, Sec. 3.6). It includes what a resampling of the measured
problems leaves out: that S is estimated, and that a disagreement may come that was not seen yet.

- **Disagreements not yet seen.** One pseudo-problem is spread over all K strategies: with weight
  1/K a strategy alone departs from the others by a whole problem. For two strategies this is the
  half problem that Agresti and Min (2005, Statistics in Medicine 24(5)) add to either kind of
  disagreement. Two strategies that always agreed may therefore part.
- **True differences.** The best of many measured means is best partly by chance. The prior of d has
  mean 0 and covariance S / k; k is estimated by how much the means vary beyond their errors. This
  shrinks differences by the factor of James and Stein (Efron and Morris 1975, Journal of the
  American Statistical Association 70(350)).

The prior means of an outcome model are left out on purpose. They were learnt from the same
problems, so measured means that agree with them say less than they seem to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from profiling.arrays import Floats

# The prior of the differences never weighs more than this many times the measured problems: means
# that vary as little as their errors may still hide a difference.
_MOST_PRIOR = 20.0
_JITTER = 1e-12  # keeps the factorisation of strategies that never differ from rounding to failure


@dataclass(frozen=True, slots=True)
class Differences:
    """What is believed of the differences of strategies to the first one.

    Attributes:
        mean: expected differences, shape `(strategies - 1,)`.
        spread: estimated covariance of the differences on one problem, shape
            `(strategies - 1, strategies - 1)`.
        seen: number of measured problems, n.
        prior: weight of the prior of the differences, k, as a number of problems.
    """

    mean: Floats
    spread: Floats
    seen: int
    prior: float

    @classmethod
    def of(cls, table: Floats) -> Differences:
        """Estimate the differences from measured accuracies.

        Args:
            table: accuracies, shape `(problems, strategies)`, at least one of each; the differences
                are to the first column.
        """
        seen, strategies = table.shape
        apart = table[:, 1:] - table[:, :1]
        mean = apart.mean(axis=0)
        residual = apart - mean
        alone = (np.eye(strategies - 1) + 1.0) / strategies  # each departs alone, the first too
        spread = (residual.T @ residual + alone) / max(seen - 1, 1)
        kept = _kept(mean, spread, seen)
        return cls(kept * mean, spread, seen, seen * (1 - kept) / kept)

    def draw(self, problems: int, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Draw the mean differences on further problems, and what they then let expect.

        Args:
            problems: number of further problems, m.
            draws: number of draws.
            rng: generator of the draws.

        Returns:
            The drawn mean differences, within [-1, 1], and the expected true differences after each
            draw; both of shape `(draws, strategies - 1)`.
        """
        freedom = max(self.seen - 1, 1)
        scale = np.sqrt(freedom / rng.chisquare(freedom, size=(draws, 1)))
        factor = np.linalg.cholesky(self.spread + _JITTER * np.eye(len(self.mean)))
        weight = self.prior + self.seen
        errors = rng.standard_normal((draws, len(self.mean))) @ factor.T
        reach = scale * np.sqrt(1 / weight + 1 / problems)
        drawn = np.clip(self.mean + reach * errors, -1.0, 1.0)
        expected = (weight * self.mean + problems * drawn) / (weight + problems)
        return drawn, expected


def _kept(mean: Floats, spread: Floats, seen: int) -> float:
    """Return the share of the measured differences that is kept; all of fewer than three.

    James and Stein's factor, 1 - (p - 2) / p x (sum of the means' squared errors) / (sum of their
    squared distances), positive part, for the p = K - 1 contrasts of strategies to their mean.
    Errors are unequal and correlated here, so their mean stands for each.

    Args:
        mean: measured differences to the first strategy, shape `(strategies - 1,)`.
        spread, seen: as in `Differences`.
    """
    contrasts = len(mean)
    if contrasts < 3:
        return 1.0
    strategies = contrasts + 1
    # Of all strategies, the first included: its difference to itself is 0.
    distance = float(mean @ mean - mean.sum() ** 2 / strategies)
    error = float(np.trace(spread) - spread.sum() / strategies) / seen
    kept = 1 - (contrasts - 2) / contrasts * error / max(distance, _JITTER)
    return max(kept, 1 / (1 + _MOST_PRIOR))
