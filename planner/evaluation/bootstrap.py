"""Intervals by resampling problems, and pairs of policy and PRM, with all that was run on them.

`ProblemBootstrap` holds the pairs fixed: its intervals are for other problems of the same kind and
these very pairs. `TwoWayBootstrap` draws both: for other problems and other pairs.
"""

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

    def observed_and_drawn(self, values: Sequence[Floats]) -> Floats:
        """The mean as observed, and then in each draw; shape `(1 + draws,)`."""
        return np.array([np.concatenate(values).mean(), *self.means(values)])

    def means(self, values: Sequence[Floats]) -> Floats:
        """The mean over all values in each draw, shape `(draws,)`."""
        flat = np.concatenate(values)
        sums = np.bincount(self._at, flat, minlength=self._count)
        counts = np.bincount(self._at, minlength=self._count)
        return np.asarray((self._times @ sums) / (self._times @ counts))


class TwoWayBootstrap(ProblemBootstrap):
    """Resamples problems and, independently, pairs of policy and PRM: the pigeonhole bootstrap.

    A value counts as often as its problem was drawn times as often as its pair was drawn. The
    variance of such draws is never too small by more than a share that vanishes as both factors
    grow; it is conservative, by up to the variance of single values (Owen 2007, Ann. Appl. Stat.
    1(2), 386-411; Owen and Eckles 2012, Ann. Appl. Stat. 6(3), 895-927). With few pairs the
    percentile interval is rough; with one pair it is that of `ProblemBootstrap`.

    Args:
        asked: see `ProblemBootstrap`; one sequence a pair.
        random_state: seed of the draws.
    """

    def __init__(self, asked: Sequence[Sequence[str]], random_state: int = 0) -> None:
        super().__init__(asked, random_state)
        self._ends = np.cumsum([len(problems) for problems in asked])
        pairs = len(asked)
        # Other draws than those of the problems, which are the same as without pairs.
        rng = np.random.default_rng([random_state, pairs])
        self._pairs = rng.multinomial(pairs, np.full(pairs, 1 / pairs), _DRAWS)

    def means(self, values: Sequence[Floats]) -> Floats:
        """The mean over all values in each draw, shape `(draws,)`."""
        sums = self._sums(np.concatenate(values))
        counts = self._sums(np.ones(len(self._at)))
        return np.asarray((self._pairs * sums).sum(axis=1) / (self._pairs * counts).sum(axis=1))

    def _sums(self, flat: Floats) -> Floats:
        """Sums of values by pair in each draw of problems, shape `(draws, pairs)`."""
        parts = np.split(np.arange(len(flat)), self._ends[:-1])
        by_pair = [np.bincount(self._at[part], flat[part], minlength=self._count) for part in parts]
        return np.asarray(self._times @ np.array(by_pair).T)
