"""The laboratory's matrix as its page and its model cards read it from `data/measured`.

Accuracies stand beside 95 % intervals from resampling problems. Where a best strategy is chosen,
it is chosen on one half of the problems and judged on the other, both ways.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common import ROOT
from numpy.typing import NDArray

sys.path.insert(0, str(ROOT))
from executor.problem import problem_uid
from planner import evidence
from planner.costs import Rates
from profiling.laboratory.catalog import prms_of
from profiling.laboratory.task import read_problems
from profiling.pools import load_pools, rewards_of
from profiling.rewards import Estimate, RewardStatistics, reward_statistics

Floats = NDArray[np.float64]

MEASURED = ROOT / "data" / "measured"
PROBLEMS = ROOT / "data" / "problems" / "laboratory" / "profile.jsonl"
RESAMPLES = 2000
# Reward statistics resample whole problems; so many samples of each say as much as all 256.
REWARD_SAMPLES = 64


def estimate(values: Floats, level: float = 0.95) -> Estimate:
    """The mean of one number a problem, with an interval from resampling problems.

    Where all problems say the same, resampling sees no spread: there the rule of three bounds how
    often another problem may differ.
    """
    mean = float(values.mean())
    if np.ptp(values) == 0:
        unseen = -math.log(1 - level) / len(values)
        return Estimate(mean, mean - unseen, mean + unseen)
    rng = np.random.default_rng(0)
    picked = rng.integers(len(values), size=(RESAMPLES, len(values)))
    tail = (1 - level) / 2
    low, high = np.quantile(values[picked].mean(axis=1), [tail, 1 - tail])
    return Estimate(mean, float(low), float(high))


def accuracy_of(values: Floats) -> str:
    """An accuracy with its interval, which stays between 0 and 1."""
    e = estimate(values)
    return f"{e.value:.3f} [{max(0.0, e.low):.3f}, {min(1.0, e.high):.3f}]"


def signed(e: Estimate) -> str:
    """A difference with its interval."""
    return f"{e.value:+.3f} [{e.low:+.3f}, {e.high:+.3f}]"


def told(e: Estimate) -> str:
    """What an interval says of a difference."""
    return "above" if e.low > 0 else "below" if e.high < 0 else "not told apart from"


class Matrix:
    """What every strategy did on every problem, for one policy."""

    def __init__(self, policy: str) -> None:
        frame = evidence.bundled(policy)
        if frame.empty:
            sys.exit(f"no evidence of {policy} in {MEASURED}; bench/laboratory.py makes it")
        self.policy = policy
        self.frame = frame
        about = frame.drop_duplicates("problem").set_index("problem")
        self.difficulty = about["difficulty"]
        self.pass_at_1 = about["pass_at_1"]
        self.sizes = evidence.bundled_sizes()

    def problems(self, difficulty: str) -> list[str]:
        """Those of a difficulty, or all, in a fixed order."""
        chosen = (
            self.difficulty
            if difficulty == "all"
            else (self.difficulty[self.difficulty == difficulty])
        )
        return sorted(chosen.index)

    def accuracy(self, prm: str | None, problems: Sequence[str]) -> pd.DataFrame:
        """Shape `(problems, strategies)`: those that need no PRM, and those with `prm`."""
        rows = self.frame[self.frame["prm"].isin(["", prm or ""])]
        wide = rows.pivot_table(index="problem", columns="strategy", values="accuracy")
        return wide.loc[list(problems)].dropna(axis="columns")

    def flops(self, prm: str | None, problems: Sequence[str]) -> pd.Series:
        """Mean FLOPs a problem of every strategy that needs no PRM, and of those with `prm`."""
        rows = self.frame[
            self.frame["prm"].isin(["", prm or ""]) & self.frame["problem"].isin(list(problems))
        ]
        rates = Rates(self.sizes[self.policy], self.sizes.get(prm or ""))
        tokens = ["generated_tokens", "prompt_tokens", "prm_tokens"]
        means = rows.groupby("strategy")[tokens].mean()
        return means.apply(lambda mean: rates.price(*map(float, mean)).flops, axis="columns")


def pass_at_1_by_level(matrix: Matrix) -> pd.Series:
    """Mean pass@1 of each level of the hardness dial."""
    levels = {problem_uid(p): int(p.meta["level"]) for p in read_problems(PROBLEMS)}
    return matrix.pass_at_1.groupby(pd.Series(levels).loc[matrix.pass_at_1.index]).mean()


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
        return list(map(str, (s.auc, s.auc_within, s.calibration_error, s.brier)))


def qualities(policy: str) -> Iterator[Quality]:
    """Reward statistics of each PRM of a policy, last step, by problem."""
    samples, _ = load_pools(MEASURED / "pools", policy)
    samples = samples[samples["sample"] < REWARD_SAMPLES]
    for kind, prm in prms_of(policy).items():
        given = rewards_of(samples, prm)
        scored = given.map(len) > 0
        last = given[scored].map(lambda steps: steps[-1]).to_numpy(float)
        problem = pd.factorize(samples["problem"][scored])[0]
        correct = samples["correct"][scored].to_numpy(bool)
        yield Quality(policy, kind, prm, reward_statistics(last, correct, problem))


@dataclass(frozen=True)
class Choice:
    """Strategies chosen on one half of the problems and judged on the other, both ways.

    Attributes:
        judged: accuracy on every problem of the strategy that the other half chose.
        strategies: those chosen, one or two.
        flops: mean a problem.
    """

    judged: Floats
    strategies: tuple[str, ...]
    flops: float

    def names(self) -> str:
        """For a table."""
        return " / ".join(short(name) for name in self.strategies)


def choose(accuracy: pd.DataFrame, flops: pd.Series, slack: float = 0.0) -> Choice:
    """The cheapest strategy whose mean is within `slack` of the best, half by half.

    Halves are every other problem. With `slack` 0 it is the best, ties to the cheaper.
    """
    values, cost = accuracy.to_numpy(float), flops[accuracy.columns].to_numpy(float)
    judged, chosen = np.empty(len(values)), []
    for half in (0, 1):
        mine = np.arange(len(values)) % 2 == half
        means = values[~mine].mean(axis=0)
        good = means >= means.max() - slack - 1e-9
        best = int(np.flatnonzero(good)[cost[good].argmin()])
        judged[mine] = values[mine, best]
        chosen.append(best)
    return Choice(
        judged,
        tuple(dict.fromkeys(str(accuracy.columns[best]) for best in chosen)),
        float(cost[chosen].mean()),
    )


def short(strategy: str) -> str:
    """`best_of_n(n=16,score=last,vote=max)` as `best_of_n@16 last/max`."""
    name, _, options = strategy.rstrip(")").partition("(")
    told = dict(option.split("=") for option in options.split(",") if option)
    n = f"@{told['n']}" if "n" in told else ""
    how = "/".join(told[key] for key in ("score", "vote") if key in told)
    return f"{name}{n} {how}".strip()


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
