"""Posterior of pass@1, and the difficulty classes that absolute thresholds on it define."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

EASY_FROM = 0.50
MEDIUM_FROM = 0.10
LEVEL = 0.95  # coverage of intervals on measurements; `planner.prediction.beta` has its own
MIN_SAMPLES = 5  # least samples of a problem for a difficulty class; fewer give noise
# A class with a posterior probability below this one is unresolved.
RESOLVED_FROM = 0.95
# Fewer samples never settle a class: the prior would let three right samples in a row do so.
LEAST_SAMPLES = 8

Numbers = TypeVar("Numbers", float, NDArray[np.float64])

# Jeffreys' prior: the intervals have close to nominal coverage even at 0 or n successes, and the
# estimate of a problem depends on its own samples alone. A prior learnt from the other problems
# would predict classes slightly better from few samples (bench/pass_rate.py: with 16 samples, a log
# loss of .24 instead of .26).
JEFFREYS = 0.5


class Difficulty(StrEnum):
    """Difficulty of a problem for a policy, by absolute thresholds (arXiv 2502.06703, Sec. 3.2)."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


ALL = "all"  # problems of every difficulty together
LEVELS = (*(level.value for level in Difficulty), ALL)


def classify(pass_at_1: float) -> Difficulty:
    """Return the class of a known pass@1: easy from 0.50, medium from 0.10, hard below."""
    if pass_at_1 >= EASY_FROM:
        return Difficulty.EASY
    return Difficulty.MEDIUM if pass_at_1 >= MEDIUM_FROM else Difficulty.HARD


@dataclass(frozen=True, slots=True)
class PassRate:
    """Posterior of pass@1 after `successes` right answers in `trials` samples.

    It is Beta(successes + 1/2, trials - successes + 1/2) (Jeffreys' prior).
    """

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials or self.trials < 1:
            raise ValueError(f"{self.successes} successes in {self.trials} trials cannot be")

    @property
    def pass_at_1(self) -> float:
        """Observed share of right answers."""
        return self.successes / self.trials

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Return the equal-tailed credible interval.

        The interval starts at 0 if no sample is right and ends at 1 if every sample is right.
        """
        a, b = self.parameters(self.successes, self.trials)
        tail = (1 - level) / 2
        low = 0.0 if self.successes == 0 else float(betaincinv(a, b, tail))
        high = 1.0 if self.successes == self.trials else float(betaincinv(a, b, 1 - tail))
        return low, high

    def probabilities(self) -> dict[Difficulty, float]:
        """Return the posterior probability of each class; the three sum to 1."""
        a, b = self.parameters(self.successes, self.trials)
        below_medium = float(betainc(a, b, MEDIUM_FROM))
        below_easy = float(betainc(a, b, EASY_FROM))
        return {
            Difficulty.EASY: 1 - below_easy,
            Difficulty.MEDIUM: below_easy - below_medium,
            Difficulty.HARD: below_medium,
        }

    @property
    def difficulty(self) -> Difficulty:
        """Most probable class."""
        probabilities = self.probabilities()
        return max(probabilities, key=lambda d: probabilities[d])

    def resolved(self, confidence: float = RESOLVED_FROM) -> bool:
        """Return whether the most probable class has at least the probability `confidence`."""
        return self.confidence >= confidence

    @property
    def confidence(self) -> float:
        """Posterior probability of `difficulty`."""
        return max(self.probabilities().values())

    @staticmethod
    @lru_cache(maxsize=65536)
    def fewest_to_settle(successes: int, trials: int, confidence: float, left: int) -> int:
        """Return the least number of further samples that could settle the class.

        A class is settled if the problem has at least `LEAST_SAMPLES` samples and the class has at
        least the posterior probability `confidence`.

        Args:
            successes: right samples so far.
            trials: samples so far.
            confidence: required posterior probability of the class.
            left: number of samples that may still be drawn.

        Returns:
            0 if the class is settled; `left` if fewer than `left` samples cannot settle it.
        """
        for more in range(max(0, LEAST_SAMPLES - trials), left):
            right = successes + np.arange(more + 1, dtype=np.float64)
            a, b = PassRate.parameters(right, np.full_like(right, trials + more))
            hard, not_easy = betainc(a, b, MEDIUM_FROM), betainc(a, b, EASY_FROM)
            surest = np.max([hard, not_easy - hard, 1 - not_easy])
            if surest >= confidence:
                return more
        return left

    @staticmethod
    def parameters(successes: Numbers, trials: Numbers) -> tuple[Numbers, Numbers]:
        """Return the parameters a and b of the Beta posterior, for numbers or arrays of counts."""
        return successes + JEFFREYS, trials - successes + JEFFREYS
