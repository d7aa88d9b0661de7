"""Intervals by resampling whole problems, each with all that was run on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from profiling.arrays import Floats
from profiling.pass_rate import LEVEL

_DRAWS = 2000


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def from_draws(cls, value: float, draws: Floats) -> Interval:
        """The percentile interval of resampled values.

        Args:
            value: the value as observed.
            draws: resampled values, shape `(draws,)`. NaN do not count; infinite values do, and may
                be an end of the interval.
        """
        known = draws[~np.isnan(draws)]
        tail = (1 - LEVEL) / 2
        # There is no interpolation between an infinite value and another.
        method: Literal["linear", "nearest"] = "linear" if np.isfinite(known).all() else "nearest"
        ends = [tail, 1 - tail]
        low, high = np.quantile(known, ends, method=method) if len(known) else (np.nan, np.nan)
        return cls(float(value), float(low), float(high))

    def to_dict(self) -> dict[str, float]:
        """Plain numbers, for JSON."""
        return asdict(self)


class ProblemBootstrap:
    """Resamples the problems that some policies and PRMs were asked.

    Args:
        asked: for each policy and PRM, the problems it was asked. A problem may be in several, and
            is drawn with all of them.
        random_state: seed of the draws.
    """

    def __init__(self, asked: Sequence[Sequence[str]], random_state: int = 0) -> None:
        names = sorted({problem for problems in asked for problem in problems})
        number = {problem: index for index, problem in enumerate(names)}
        self._at = np.array([number[problem] for problems in asked for problem in problems])
        self._count = len(names)
        rng = np.random.default_rng(random_state)
        self._times = rng.multinomial(self._count, np.full(self._count, 1 / self._count), _DRAWS)

    def mean(self, values: Sequence[Floats]) -> Interval:
        """Mean and interval of values by policy and PRM, then problem, in the order of `asked`."""
        return Interval.from_draws(float(np.concatenate(values).mean()), self.means(values))

    def means(self, values: Sequence[Floats]) -> Floats:
        """The mean over all values in each draw, shape `(draws,)`."""
        flat = np.concatenate(values)
        sums = np.bincount(self._at, flat, minlength=self._count)
        counts = np.bincount(self._at, minlength=self._count)
        return np.asarray((self._times @ sums) / (self._times @ counts))
