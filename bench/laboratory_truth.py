"""The laboratory as a world: recorded problems whose recorded outcomes are the truth.

A folder holds what `data/measured` holds: evidence rows of each policy, and its pools. The recorded
problems are the population, so that the truth has no sampling error. `draw` samples problems with
replacement, and for each of them a subset of its pool. The expected accuracy of replay on a random
subset is that of the whole pool, so the recorded rows are the truth of replayed strategies; the
recorded outcome of a live search is its truth on that problem.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from worlds import (
    Cell,
    best_of_n_rows,
    budgets,
    class_names,
    normalised,
    of_budget,
    rows_of,
    separations,
)

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.strategy import BestOfN, Greedy, Majority, Score, from_key, key
from planner.evidence.layout import COLUMNS
from profiling.arrays import Ints
from profiling.laboratory.catalog import prms_of
from profiling.pass_rate import ALL, LEVELS
from profiling.pools.class_part import class_size
from profiling.pools.replay import MAJORITY, Pool, Rule, replay
from profiling.profiles.pool_files import load_pools, saved_pools
from profiling.scorers.separation import rival_share

_ORDERS = 64  # orders of a weighted vote on one drawn pool; their noise has the mean 0


class Laboratory:
    """One policy of the laboratory with its strong PRM.

    Args:
        folder: what `data/measured` is.
        policy: name of the policy.
    """

    def __init__(self, folder: Path, policy: str) -> None:
        self.name = f"laboratory:{policy}"
        self._policy, self._prm = policy, prms_of(policy)["strong"]
        self._folder = folder

    @cached_property
    def _wide(self) -> pd.DataFrame:
        """Recorded accuracies, shape `(problems, strategies)`."""
        rows = pd.read_parquet(self._folder / f"{self._policy}.parquet")
        rows = rows[rows["prm"].isin(["", self._prm])]
        return rows.pivot_table(index="problem", columns="strategy", values="accuracy").dropna()

    @cached_property
    def _pools(self) -> list[Pool]:
        """The whole pools, in the order of `_wide`."""
        samples, _ = load_pools(self._folder / "pools", self._policy)
        with MathGrader() as grader:
            pools = {one.problem: one.pool for one in saved_pools(samples, self._prm, grader)}
        return [pools[str(problem)] for problem in self._wide.index]

    def draw(self, problems: int, samples: int, rng: np.random.Generator) -> pd.DataFrame:
        """See `worlds.World`."""
        drawn = rng.integers(len(self._pools), size=problems)
        part = class_size(samples)
        classed = np.array([_right(self._pools[i], part, rng) for i in drawn])
        pools = [_part(self._pools[i], samples, rng) for i in drawn]
        plain = {
            "problem": np.array([f"{number:012x}" for number in range(problems)]),
            "policy": self._policy, "benchmark": "", "difficulty": class_names(part)[classed],
            "pass_at_1": np.array([pool.correct.mean() for pool in pools]),
            "rival": np.array([rival_share(pool) for pool in pools]),
        }  # fmt: skip
        ks, wide = budgets(samples), self._wide
        curves = [replay(pool, ks, orders=_ORDERS, random_state=i) for i, pool in enumerate(pools)]
        parts = [rows_of(plain, "", Greedy(), wide[key(Greedy())].to_numpy()[drawn], "measured")]
        for column, k in enumerate(ks.tolist()):
            voted = np.array([curve[MAJORITY].accuracy[column] for curve in curves])
            known = of_budget(plain, k, samples)
            parts.append(rows_of(known, "", Majority(k), voted, "replayed"))
        parts += best_of_n_rows(plain, self._prm, pools, ks, samples)
        for score in Score:
            apart = separations(pools, score)
            for column, k in enumerate(ks.tolist()):
                if k > 1:
                    rule, strategy = Rule(Vote.WEIGHTED, score), BestOfN(k, score, Vote.WEIGHTED)
                    voted = np.array([curve[rule].accuracy[column] for curve in curves])
                    known = of_budget(plain, k, samples)
                    parts.append(rows_of(known, self._prm, strategy, voted, "replayed", *apart))
        apart = separations(pools, Score.LAST)
        for name in wide.columns:
            search = from_key(str(name))
            if search.name in ("beam_search", "dvts"):
                live = wide[name].to_numpy()[drawn]
                parts.append(rows_of(plain, self._prm, search, live, "measured", *apart))
        return pd.concat(parts, ignore_index=True)[list(COLUMNS)].astype(COLUMNS)

    def truth(self, samples: int) -> Mapping[Cell, float]:
        """See `worlds.World`."""
        part = class_size(samples)
        counts = np.arange(part + 1)
        size = len(self._pools[0])
        right = np.array([int(pool.correct.sum()) for pool in self._pools])
        chances = stats.hypergeom.pmf(counts, size, right[:, None], part)
        shares = normalised({level: chances[:, class_names(part) == level].sum(axis=1)
                             for level in LEVELS if level != ALL})  # fmt: skip
        prms = {name: self._prm if from_key(str(name)).needs_prm else "" for name in self._wide}
        return {
            (self._policy, prms[name], level, str(name)): float(weight @ self._wide[name])
            for level, weight in shares.items()
            for name in self._wide
        }


class Together:
    """Several policies on the same problems, so that a model learns from one about another.

    Args:
        folder: what `data/measured` is.
        policies: names of the policies.
    """

    def __init__(self, folder: Path, policies: Sequence[str]) -> None:
        self.name = "together"
        self._members = [Laboratory(folder, policy) for policy in policies]

    def draw(self, problems: int, samples: int, rng: np.random.Generator) -> pd.DataFrame:
        """See `worlds.World`."""
        seed = int(rng.integers(2**63))
        parts = [one.draw(problems, samples, np.random.default_rng(seed)) for one in self._members]
        return pd.concat(parts, ignore_index=True)

    def truth(self, samples: int) -> Mapping[Cell, float]:
        """See `worlds.World`."""
        return {cell: value for one in self._members for cell, value in one.truth(samples).items()}


def _right(pool: Pool, samples: int, rng: np.random.Generator) -> int:
    """Return the number of right samples in a random subset."""
    right = int(pool.correct.sum())
    return int(rng.hypergeometric(right, len(pool) - right, samples))


def _part(pool: Pool, samples: int, rng: np.random.Generator) -> Pool:
    """Return a random subset of a pool."""
    at: Ints = rng.choice(len(pool), samples, replace=False)
    scores = {score: values[at] for score, values in pool.scores.items()}
    none = np.empty(0, dtype=np.int64)
    return Pool(pool.correct[at], pool.answer_class[at], scores, none, none, none)
