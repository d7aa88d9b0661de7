"""The laboratory's matrix in `data/measured`, as its page and its model cards read it.

Accuracies have 95 % intervals. A strategy is chosen on one half of the problems and judged on the
other, both ways.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from common import LABORATORY, MEASURED, ROOT

sys.path.insert(0, str(ROOT))
from executor.problem import problem_uid
from planner.costs.cost import Rates
from planner.evidence.bundled import bundled_rows, bundled_sizes
from planner.evidence.layout import UNKNOWN
from planner.prediction.paired_statistics import paired_interval
from profiling.arrays import Floats
from profiling.laboratory.catalog import prms_of
from profiling.laboratory.task import read_problems
from profiling.profiles.pool_files import load_pools, rewards_of
from profiling.scorers.rewards import RewardStatistics, reward_statistics

PROFILE = LABORATORY / "profile.jsonl"
MIN_PROBLEMS = 20  # a cell of fewer is left out: half of them choose, half judge
# Reward statistics resample whole problems; so many samples of each say as much as all 256.
REWARD_SAMPLES = 64


def accuracy_interval(values: Floats) -> tuple[float, float]:
    """95 % interval on the mean of accuracies, each in [0, 1].

    Agresti and Coull's: two problems that are right and two that are wrong are added.
    """
    n = len(values) + 4
    total, squares = float(values.sum()) + 2, float((values**2).sum()) + 2
    error = NormalDist().inv_cdf(0.975) * math.sqrt((squares - total**2 / n) / n**2)
    return max(0.0, total / n - error), min(1.0, total / n + error)


def accuracy_of(values: Floats) -> str:
    """A mean accuracy with its interval."""
    low, high = accuracy_interval(values)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences, with an interval that allows for `looks` of its kind."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, one: Floats, other: Floats, looks: int = 1) -> Difference:
        """`one` minus `other` on the same problems; 95 % of all `looks` together (Bonferroni)."""
        differences = one - other
        return cls(float(differences.mean()), *paired_interval(differences, 1 - 0.05 / looks))

    def __str__(self) -> str:
        return f"{self.value:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"

    @property
    def told(self) -> str:
        """What the interval says."""
        return "above" if self.low > 0 else "below" if self.high < 0 else "not told apart from"


class Matrix:
    """What every strategy did on every problem, for one policy."""

    def __init__(self, policy: str, frame: pd.DataFrame | None = None) -> None:
        """Read the bundled evidence of a policy, or take other rows of it."""
        frame = bundled_rows(policy) if frame is None else frame
        if frame.empty:
            sys.exit(f"no evidence of {policy} in {MEASURED}; bench/laboratory.py makes it")
        self.policy = policy
        self.frame = frame
        known = frame[frame["difficulty"] != UNKNOWN]
        about = known.drop_duplicates("problem").set_index("problem")
        self.difficulty = about["difficulty"]
        self.pass_at_1 = about["pass_at_1"]
        self.sizes = bundled_sizes()

    def problems(self, difficulty: str) -> list[str]:
        """Those of a difficulty, or all, in a fixed order."""
        chosen = (
            self.difficulty
            if difficulty == "all"
            else (self.difficulty[self.difficulty == difficulty])
        )
        return sorted(chosen.index)

    def accuracy(
        self, prm: str | None, problems: Sequence[str], *, in_class: bool = False
    ) -> pd.DataFrame:
        """Shape `(problems, strategies)`: those that need no PRM, and those with `prm`.

        Args:
            prm: the PRM.
            problems: the problems.
            in_class: whether figures by difficulty are wanted: votes are then replayed among the
                samples that did not give the difficulty, which has no budgets above their number.
        """
        rows = self.frame[
            self.frame["prm"].isin(["", prm or ""]) & self.frame["problem"].isin(list(problems))
        ]
        if in_class:
            rows = rows[rows["difficulty"] != UNKNOWN]
        values = "accuracy" if in_class else "all_accuracy"
        wide = rows.pivot_table(index="problem", columns="strategy", values=values)
        wide = wide.loc[list(problems)]
        if wide.isna().any(axis=None):
            sys.exit(f"{self.policy} with {prm}: not every strategy was run on every problem")
        return wide

    def flops(self, prm: str | None, problems: Sequence[str]) -> pd.Series:
        """Mean FLOPs a problem of every strategy that needs no PRM, and of those with `prm`."""
        if self.policy not in self.sizes or (prm and prm not in self.sizes):
            sys.exit(f"{self.policy} with {prm}: their sizes are not in {MEASURED}")
        rows = self.frame[
            self.frame["prm"].isin(["", prm or ""]) & self.frame["problem"].isin(list(problems))
        ]
        rates = Rates(self.sizes[self.policy], self.sizes.get(prm or ""))
        tokens = ["generated_tokens", "prompt_tokens", "prm_tokens"]
        means = rows.groupby("strategy")[tokens].mean()
        return means.apply(lambda mean: rates.price(*map(float, mean)).flops, axis="columns")


@dataclass(frozen=True)
class Choice:
    """What each half of some problems chooses for the other.

    Attributes:
        strategies: that of the even problems, chosen on the odd ones, and that of the odd ones.
        flops: mean a problem.
    """

    strategies: tuple[str, str]
    flops: float

    def judge(self, accuracy: pd.DataFrame) -> Floats:
        """Accuracy on each problem of the strategy that the other half chose."""
        even, odd = (accuracy[name].to_numpy(float) for name in self.strategies)
        return np.where(np.arange(len(accuracy)) % 2 == 0, even, odd)

    def names(self) -> str:
        """For a table: one name where the halves agree."""
        return " / ".join(short(name) for name in dict.fromkeys(self.strategies))


def choose(accuracy: pd.DataFrame, flops: pd.Series, slack: float = 0.0) -> Choice:
    """The cheapest strategy whose mean is within `slack` of the best, half by half.

    With `slack` 0 it is the best, ties to the cheaper.
    """
    values, cost = accuracy.to_numpy(float), flops[accuracy.columns].to_numpy(float)
    chosen = []
    for half in (0, 1):
        means = values[np.arange(len(values)) % 2 != half].mean(axis=0)
        good = means >= means.max() - slack - 1e-9
        chosen.append(int(np.flatnonzero(good)[cost[good].argmin()]))
    even, odd = (str(accuracy.columns[best]) for best in chosen)
    return Choice((even, odd), float(cost[chosen].mean()))


def of_budget(accuracy: pd.DataFrame, n: int) -> pd.DataFrame:
    """The strategies of one budget."""
    return accuracy[[name for name in accuracy if f"n={n})" in name or f"n={n}," in name]]


def short(strategy: str) -> str:
    """`best_of_n(n=16,score=last,vote=max)` as `best_of_n@16 last/max`."""
    name, _, options = strategy.rstrip(")").partition("(")
    told = dict(option.split("=") for option in options.split(",") if option)
    n = f"@{told['n']}" if "n" in told else ""
    how = "/".join(told[key] for key in ("score", "vote") if key in told)
    return f"{name}{n} {how}".strip()


@dataclass(frozen=True)
class Quality:
    """Reward statistics of one PRM on one policy's pool."""

    policy: str
    kind: str
    prm: str
    statistics: RewardStatistics

    def figures(self) -> list[str]:
        """AUC, AUC within a problem, calibration error, Brier score."""
        s = self.statistics
        return list(map(str, (s.auc, s.auc_within, f"{s.calibration_error:.3f}", s.brier)))


@functools.cache
def qualities(policy: str) -> list[Quality]:
    """Reward statistics of each PRM of a policy: last step, intervals by resampling problems."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    samples = samples[samples["sample"] < REWARD_SAMPLES]
    made = []
    for kind, prm in prms_of(policy).items():
        given = rewards_of(samples, prm)
        scored = given.map(len) > 0
        last = given[scored].map(lambda steps: steps[-1]).to_numpy(float)
        problem = pd.factorize(samples["problem"][scored])[0]
        correct = samples["correct"][scored].to_numpy(bool)
        made.append(Quality(policy, kind, prm, reward_statistics(last, correct, problem)))
    return made


def pass_at_1_by_level(matrix: Matrix) -> dict[int, str]:
    """Mean pass@1 of each level of the hardness dial, with its interval."""
    levels = {problem_uid(p): int(p.meta["level"]) for p in read_problems(PROFILE)}
    by_level = matrix.pass_at_1.groupby(pd.Series(levels).loc[matrix.pass_at_1.index])
    return {int(level): accuracy_of(values.to_numpy(float)) for level, values in by_level}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
