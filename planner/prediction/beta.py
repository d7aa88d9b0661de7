"""Beta posteriors of an accuracy: summaries, comparisons and predictive distributions.

Every function is a closed form or a quadrature; nothing here is fitted.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betaincc, betaincinv, betaln, gammaln

from profiling.arrays import Floats

LEVEL = 0.90  # coverage of every interval on a predicted accuracy
PERCENT = f"{100 * LEVEL:g} %"  # for people

# Gauss-Legendre nodes of `probability_greater`: its integrand is monotone and bounded.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def summarise(a: Floats, b: Floats, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Return mean, lower and upper bound of the equal-tailed interval of Beta(a, b).

    Args:
        a, b: parameters, any equal shapes.
        level: coverage of the interval.

    Returns:
        Three arrays of the shape of `a`.
    """
    tail = (1 - level) / 2
    return a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)


def deviation(a: float, b: float) -> float:
    """Return the standard deviation of Beta(a, b)."""
    return math.sqrt(a * b / (a + b + 1)) / (a + b)


def probability_above(a: Floats, b: Floats, target: float) -> Floats:
    """Return P(accuracy >= target) under Beta(a, b), in the shape of `a`."""
    return np.asarray(betaincc(a, b, target))


def probability_greater(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return P(X > Y) for independent X ~ Beta(*one) and Y ~ Beta(*other).

    The value is the mean over u in (0, 1) of P(X > F_Y^-1(u)), by Gauss-Legendre quadrature. P(Y >
    X)
    is computed too and both are rescaled to sum to 1: their errors then cancel if a density is
    infinite at 0 or 1.
    """

    def greater(one: tuple[float, float], other: tuple[float, float]) -> float:
        quantiles = betaincinv(*other, (_NODES + 1) / 2)
        return float(betaincc(*one, quantiles) @ _WEIGHTS / 2)

    return float(np.clip((1 + greater(one, other) - greater(other, one)) / 2, 0.0, 1.0))


def predictive(a: float, b: float, trials: int) -> Floats:
    """Return the beta-binomial distribution of correct answers among `trials` new problems.

    P(k) = C(m, k) B(a + k, b + m - k) / B(a, b) with m = trials (Gelman et al., Bayesian Data
    Analysis, App. A).

    Returns:
        Shape `(trials + 1,)`: P(k) for k = 0 ... trials.
    """
    right = np.arange(trials + 1)
    ways = gammaln(trials + 1) - gammaln(right + 1) - gammaln(trials - right + 1)
    chances = np.exp(ways + betaln(a + right, b + trials - right) - betaln(a, b))
    return np.asarray(chances / chances.sum())  # removes the rounding error of the sum
