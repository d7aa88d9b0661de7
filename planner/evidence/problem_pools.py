"""All pools of one policy's samples of a problem: they give it one class.

A policy may be profiled with several PRMs, and these pools differ in size or in samples. If each
gave a class of its own, the problem would count in two classes of one policy. The largest pool
decides: its class part has the most samples, so its class is the least noisy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from executor.problem import problem_uid
from executor.store.store import StoredOutcome
from planner.evidence.pools import Rated, Replayed, replayed, replayed_beside
from profiling.pools.replay import Pool, seed_of
from profiling.profiles.profiler import CONFIDENCE

_SEED = "seed"  # the setting of the samples' base seed; imported runs lack it


@dataclass(frozen=True, slots=True)
class StoredPool:
    """The samples of a problem in one run.

    Attributes:
        stored: the outcome, without its samples.
        pool: the samples.
    """

    stored: StoredOutcome
    pool: Pool

    @property
    def replayable(self) -> bool:
        """Whether votes may be replayed; if the size depends on the samples, they are biased."""
        return CONFIDENCE not in self.stored.run.settings

    def shares(self, other: StoredPool) -> bool:
        """Whether both may begin with the same samples: sample i has the base seed plus i."""
        mine, its = (one.stored.run.settings.get(_SEED) for one in (self, other))
        return bool(mine == its)

    def equals(self, other: StoredPool) -> bool:
        """Whether both are the same samples, scored by several PRMs."""
        return self.shares(other) and np.array_equal(self.pool.correct, other.pool.correct)


class ProblemPools:
    """The pools of one policy and problem. Of equally large ones the first counts."""

    def __init__(self) -> None:
        self._largest: dict[tuple[str, bool], StoredPool] = {}  # by PRM, and whether replayable

    def add(self, stored: StoredOutcome, pool: Pool) -> None:
        """Add the pool of a run."""
        # The texts of all samples need far more memory than what is replayed.
        outcome = replace(stored.outcome, samples=())
        one = StoredPool(replace(stored, outcome=outcome), pool)
        at = (stored.run.prm or "", one.replayable)
        if at not in self._largest or len(pool) > len(self._largest[at].pool):
            self._largest[at] = one

    def rated(self) -> Rated:
        """Return what the deciding pool says of the problem."""
        one = self._deciding()
        return Rated.of(one.pool, replayable=one.replayable)

    def counted(self) -> dict[str, StoredPool]:
        """Return the pool that is replayed for each PRM; the key of votes without one is empty."""
        pools = {prm: one for (prm, replayable), one in self._largest.items() if replayable}
        if not pools:
            return {}
        return pools | {"": max(pools.values(), key=lambda one: len(one.pool))}

    def replayed(self, one: StoredPool, *, scored: bool) -> Iterator[Replayed]:
        """Return the replay of one of the pools, in the class of the problem.

        Args:
            one: the pool.
            scored: whether votes with scores are wanted.
        """
        pool = one.pool if scored else replace(one.pool, scores={})
        seed, deciding = seed_of(problem_uid(one.stored.outcome.problem)), self._deciding()
        if one.equals(deciding):
            return replayed(pool, seed)
        return replayed_beside(pool, seed, self.rated(), shared=one.shares(deciding))

    def _deciding(self) -> StoredPool:
        """Return the largest pool; one that stopped early decides only if there is no other.

        Which problems have a large pool of that kind depends on their samples.
        """
        return max(self._largest.values(), key=lambda one: (one.replayable, len(one.pool)))
