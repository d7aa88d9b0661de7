"""Pass@1 as a posterior, and difficulty as absolute classes of it."""

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
LEVEL = 0.95  # of intervals on what was measured; predictions have `planner.prediction.beta.LEVEL`
MIN_SAMPLES = 5  # of a problem; a class of difficulty from fewer is noise
# A class less sure than this is called unresolved.
RESOLVED_FROM = 0.95
# A class is not settled on fewer samples: three right ones in a row would do by the prior alone.
LEAST_SAMPLES = 8

Numbers = TypeVar("Numbers", float, NDArray[np.float64])

# Jeffreys' prior: the intervals have close to nominal coverage even at 0 or n successes, and what
# is said of a problem depends on its own samples alone. A prior learnt from the other problems
# would tell classes a little better from few samples (bench/pass_rate.py: from 16, a log loss of
# .24 for .26).
JEFFREYS = 0.5


class Difficulty(StrEnum):
    """How hard a problem is for one policy, by absolute thresholds (arXiv 2502.06703, Sec. 3.2)."""

    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"


ALL = "all"  # problems of every difficulty together
LEVELS = (*(level.value for level in Difficulty), ALL)


def classify(pass_at_1: float) -> Difficulty:
    """The class of a known pass@1: easy from 0.50, medium from 0.10, hard below."""
    if pass_at_1 >= EASY_FROM:
        return Difficulty.EASY
    return Difficulty.MEDIUM if pass_at_1 >= MEDIUM_FROM else Difficulty.HARD


@dataclass(frozen=True, slots=True)
class PassRate:
    """What `successes` right answers in `trials` samples say of pass@1.

    The posterior is Beta(successes + 1/2, trials - successes + 1/2) (Jeffreys' prior).
    """

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials or self.trials < 1:
            raise ValueError(f"{self.successes} successes in {self.trials} trials cannot be")

    @property
    def pass_at_1(self) -> float:
        """The observed share of right answers."""
        return self.successes / self.trials

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Equal-tailed credible interval; reaches 0 or 1 where no or every sample was right."""
        a, b = self.parameters(self.successes, self.trials)
        tail = (1 - level) / 2
        low = 0.0 if self.successes == 0 else float(betaincinv(a, b, tail))
        high = 1.0 if self.successes == self.trials else float(betaincinv(a, b, 1 - tail))
        return low, high

    def probabilities(self) -> dict[Difficulty, float]:
        """Posterior probability of each class; they sum to 1."""
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
        """The most probable class."""
        probabilities = self.probabilities()
        return max(probabilities, key=lambda d: probabilities[d])

    def resolved(self, confidence: float = RESOLVED_FROM) -> bool:
        """Whether the class is at least so sure."""
        return self.confidence >= confidence

    @property
    def confidence(self) -> float:
        """Posterior probability of `difficulty`."""
        return max(self.probabilities().values())

    @staticmethod
    @lru_cache(maxsize=65536)
    def fewest_to_settle(successes: int, trials: int, confidence: float, left: int) -> int:
        """The fewest further samples that could settle the class, of `left` that may come.

        Settled is a class of at least `LEAST_SAMPLES` that is `confidence` sure. 0: it is; `left`:
        nothing that comes before the last sample could do it.
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
        """Of the Beta posterior; for arrays of counts too."""
        return successes + JEFFREYS, trials - successes + JEFFREYS
