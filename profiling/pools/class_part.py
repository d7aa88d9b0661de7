"""The class part of a pool: samples that say how hard a problem is, and are not replayed.

If the same samples gave a problem its difficulty and its accuracy, the accuracies of a difficulty
would be those of its luckiest or unluckiest samples: of the medium problems, many are hard ones
that happened to have a right sample. So a pool is split. The first `class_size(n)` of its n samples
give the class, and accuracies in this class come from the others.

The estimand is the accuracy of fresh samples on the problems that a profile of m samples puts into
a class, with m the size of the class part. It is that of a live run, which shares no sample with
the pool; so the class of a live row is that of the class part too. A small m mixes classes: of the
problems that few samples call medium, some are hard. More samples make the classes purer; they do
not make the accuracy less biased, because it has no bias for its own m.

An accuracy in a class is not that of one split. Samples of a problem are exchangeable, so it is the
mean over all splits of the pool whose class part gives this class (a Rao-Blackwell estimate:
Blackwell, "Conditional expectation and unbiased sequential estimation", Annals of Mathematical
Statistics 18, 1947). This mean needs no enumeration of splits. A draw of k samples with t right
ones leaves c - t right ones among n - k samples, so the number of right samples in the class part
is hypergeometric, and the class depends on this number alone. Bayes' rule then weights a draw by

    odds(t, k) = P(class | t right samples among the k) / P(class).

Every vote is the mean of its result over draws, times these odds. pass@k, `max` and majority are
counted exactly; weighted votes are counted or drawn (`profiling.pools.votes`).

A problem has one class, that of the first samples, and not two classes with weights. Then each
problem counts once, intervals and pairs need no weights, and every row of a problem is in the same
class. The mean over problems is unbiased, because P(class) is the chance of being counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import gammaln

from profiling.arrays import Bools, Floats, Ints
from profiling.pass_rate import MIN_SAMPLES, Difficulty, PassRate

_LARGEST = 256  # no larger budget is replayed in a class
_NEGLIGIBLE = 1e-18  # relative probability of numbers of right samples that are left out
_CERTAIN = 1e-12  # a class whose complement is less probable is certain


def class_size(n: int) -> int:
    """Return the size of the class part of n samples; the largest replayed budget is the rest.

    Budgets are powers of four. The largest one is replayed that leaves at least `MIN_SAMPLES`
    samples for the class, and at least half as many as it has itself: of 16 samples 12 give the
    class and 4 are replayed, of 24 it is 8 and 16, of 64 it is 48 and 16.

    Args:
        n: number of samples, at least `MIN_SAMPLES`.
    """
    budget = 0
    larger = 1
    while larger <= _LARGEST and n - larger >= max(MIN_SAMPLES, larger / 2):
        budget, larger = larger, 4 * larger
    return n - budget


def samples_for(budget: int) -> int:
    """Return the least number of samples of which `class_size` leaves a budget to be replayed.

    Args:
        budget: a power of four.
    """
    return budget + max(MIN_SAMPLES, math.ceil(budget / 2))


@dataclass(frozen=True)
class ClassPart:
    """The class part of a pool, and what it says about draws from the other samples.

    Attributes:
        correct: whether each sample of the pool is right, shape `(n,)`.
        size: number of samples in the class part, m.
        level: class of the problem.
    """

    correct: Bools
    size: int
    level: Difficulty

    @classmethod
    def of(cls, correct: Bools) -> ClassPart | None:
        """Return the class part of a pool; None if it has fewer than `MIN_SAMPLES` samples."""
        if len(correct) < MIN_SAMPLES:
            return None
        size = class_size(len(correct))
        return cls(correct, size, PassRate(int(correct[:size].sum()), size).difficulty)

    @property
    def largest(self) -> int:
        """Number of samples outside of the class part; no larger draw is possible."""
        return len(self.correct) - self.size

    @property
    def certain(self) -> bool:
        """Whether every split gives this class, so that it says nothing about the draws."""
        return self._table.chance > 1 - _CERTAIN

    @property
    def chance(self) -> float:
        """Probability that the class part of a random split gives this class."""
        return self._table.chance

    @property
    def odds(self) -> Floats:
        """Weight of a draw of k samples with t right ones, shape `(largest + 1, largest + 1)`.

        Rows are t, columns are k; impossible pairs have the weight 0. The mean over all draws of
        one k is 1.
        """
        return self._table.odds

    def pass_rate(self) -> float:
        """Return the expected share of right samples outside of the class part; NaN without any."""
        if not self.largest:
            return math.nan
        if self.certain:
            return float(self.correct.mean())
        return float(1 - self.without(self.correct, np.array([1]))[0])

    def without(self, missing: Bools, ks: Ints) -> Floats:
        """Return P(a draw has no sample of some), given the class, shape `(ks,)`.

        Args:
            missing: whether each sample must not be drawn, shape `(n,)`.
            ks: sizes of the draws, from 1 to `largest`; shape `(ks,)`.
        """
        right = int((self.correct & ~missing).sum())
        wrong = int((~self.correct & ~missing).sum())
        t, k = np.arange(self.largest + 1)[:, None], ks[None]
        log = log_choose(right, t) + log_choose(wrong, k - t)
        log -= log_choose(len(self.correct), k)
        return np.asarray(np.minimum((np.exp(log) * self.odds[:, ks]).sum(axis=0), 1.0))

    def arrange(self, orders: Ints, rng: np.random.Generator) -> Ints:
        """Return random orders given the class: the samples of the class part come last.

        Args:
            orders: random orders of all samples, shape `(orders, n)`.
            rng: generator of the class parts and of the orders.
        """
        counts, chances = self._table.counts, self._table.chances
        drawn = rng.choice(counts, size=len(orders), p=chances)[:, None]
        right = self.correct[orders]
        c = int(self.correct.sum())
        last_right = np.cumsum(right, axis=1) > c - drawn
        last_wrong = np.cumsum(~right, axis=1) > len(self.correct) - c - (self.size - drawn)
        in_class = np.where(right, last_right, last_wrong)
        # The right and wrong samples that remain need a new order: they are the first of each kind.
        places = (rng.random(orders.shape) + in_class).argsort(axis=1)
        return np.take_along_axis(orders, places, axis=1)

    @cached_property
    def _table(self) -> _Table:
        return _table(len(self.correct), int(self.correct.sum()), self.size, self.level)


@dataclass(frozen=True, slots=True)
class _Table:
    """Numbers of right samples in the class part that give a class, and what follows from them.

    Attributes:
        counts: the numbers, shape `(counts,)`.
        chances: probability of each, given the class; shape `(counts,)`.
        chance: probability of the class.
        odds: see `ClassPart.odds`.
    """

    counts: Ints
    chances: Floats
    chance: float
    odds: Floats


@lru_cache(maxsize=512)
def _table(n: int, c: int, m: int, level: Difficulty) -> _Table:
    possible = range(max(0, c - (n - m)), min(m, c) + 1)
    counts = np.array([x for x in possible if _classes(m)[x] is level], dtype=np.int64)
    joint = np.exp(_log_split(n, c, m, counts))
    likely = joint > _NEGLIGIBLE * joint.max()
    counts, joint = counts[likely], joint[likely]
    chance = float(joint.sum())
    t, k, x = np.ogrid[: n - m + 1, : n - m + 1, : len(counts)]
    log = _log_split(n - k, c - t, m, counts[x])
    odds = np.where(t <= k, np.exp(log), 0.0).sum(axis=2) / chance
    odds.flags.writeable = False
    return _Table(counts, joint / chance, chance, odds)


@lru_cache(maxsize=64)
def _classes(m: int) -> tuple[Difficulty, ...]:
    """Return the class of 0, 1, ..., m right samples of m."""
    return tuple(PassRate(x, m).difficulty for x in range(m + 1))


def _log_split(n: Ints | int, c: Ints | int, m: int, x: Ints) -> Floats:
    """Return log P(x of m samples are right), if they are drawn from n with c right ones."""
    log = log_choose(c, x) + log_choose(n - np.asarray(c), m - x)
    return np.asarray(log - log_choose(n, np.asarray(m)))


def log_choose(n: Ints | int, k: Ints) -> Floats:
    """Return the logarithm of C(n, k); minus infinity unless 0 <= k <= n."""
    possible = (np.asarray(n) >= 0) & (k >= 0) & (k <= n)
    n, k = np.where(possible, n, 0), np.where(possible, k, 0)
    log = _log_factorials(int(n.max(initial=0)))
    return np.where(possible, log[n] - log[k] - log[n - k], -np.inf)


@lru_cache(maxsize=512)
def _log_factorials(n: int) -> Floats:
    return np.asarray(gammaln(np.arange(n + 1) + 1.0))
