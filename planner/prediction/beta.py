"""What is believed of an accuracy: a Beta posterior, its summaries, and what it says will be seen.

All of it is in closed form; nothing here fits anything.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import betaincc, betaincinv, betaln, gammaln

from profiling.arrays import Floats

LEVEL = 0.90  # of all intervals on predicted accuracy
PERCENT = f"{100 * LEVEL:g} %"  # as people read it

# Gauss-Legendre nodes of `probability_greater`: its integrand is monotone and bounded.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def summarise(a: Floats, b: Floats, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Mean and equal-tailed interval of Beta(a, b)."""
    tail = (1 - level) / 2
    return a / (a + b), betaincinv(a, b, tail), betaincinv(a, b, 1 - tail)


def deviation(a: float, b: float) -> float:
    """Standard deviation of Beta(a, b)."""
    return math.sqrt(a * b / (a + b + 1)) / (a + b)


def probability_above(a: Floats, b: Floats, target: float) -> Floats:
    """P(accuracy >= target) under Beta(a, b)."""
    return np.asarray(betaincc(a, b, target))


def probability_greater(one: tuple[float, float], other: tuple[float, float]) -> float:
    """P(X > Y) for independent X ~ Beta(*one) and Y ~ Beta(*other).

    The mean over Y's quantiles u in (0, 1) of P(X > F^-1(u)), by Gauss-Legendre quadrature; and the
    same of P(Y > X), so that both are as wrong as each other and sum to 1 where densities are
    infinite at an end.
    """

    def greater(one: tuple[float, float], other: tuple[float, float]) -> float:
        quantiles = betaincinv(*other, (_NODES + 1) / 2)
        return float(betaincc(*one, quantiles) @ _WEIGHTS / 2)

    return float(np.clip((1 + greater(one, other) - greater(other, one)) / 2, 0.0, 1.0))


def predictive(a: float, b: float, trials: int) -> Floats:
    """Beta-binomial: P(k right of so many more problems) under Beta(a, b), k = 0 ... trials.

    C(m, k) B(a + k, b + m - k) / B(a, b) (Gelman et al., Bayesian Data Analysis, App. A).
    Shape `(trials + 1,)`.
    """
    right = np.arange(trials + 1)
    ways = gammaln(trials + 1) - gammaln(right + 1) - gammaln(trials - right + 1)
    chances = np.exp(ways + betaln(a + right, b + trials - right) - betaln(a, b))
    return np.asarray(chances / chances.sum())  # they sum to 1 but for rounding
