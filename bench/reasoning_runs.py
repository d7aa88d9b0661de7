"""The responses of arXiv 2512.02008 by policy and benchmark, and votes among them.

Its authors drew eight responses of eight models to each problem of AIME24, AIME25 and GPQA-Diamond.
Each response begins with another of eight fixed openings. So k responses are those of k different
openings that are drawn at random.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from common import ROOT
from scipy.special import chdtrc

sys.path.insert(0, str(ROOT))
from profiling.arrays import Bools, Floats, Ints
from profiling.pools.ballots import Ballots
from profiling.pools.class_part import ClassPart
from profiling.pools.first_finished import short_m_of_k, tokens_until
from profiling.pools.replay import pass_at_k
from profiling.pools.votes import majority

# The names of the runs, and those of `data/catalog.toml` and `data/published/benchmarks.csv`
POLICIES = {
    "Dapo-Qwen-32B": "DAPO-Qwen-32B",
    "Deepseek": "DeepSeek-V3",
    "GPT-OSS-120B": "gpt-oss-120b",
    "QwQ": "QwQ-32B",
    "Qwen3": "Qwen3-32B",
    "Qwen3-235B": "Qwen3-235B-A22B-Instruct-2507",
    "R1": "DeepSeek-R1",
    "R1DistilQwen": "DeepSeek-R1-Distill-Qwen-32B",
}
BENCHMARKS = {
    "aime2024": "AIME24",
    "aime2025-i": "AIME25",
    "aime2025-ii": "AIME25",
    "gpqa": "GPQA-Diamond",
}
NO_ANSWER = ("", "None", "NO_ANSWER")
SHORT = {"short_1_of_k": 1, "short_3_of_k": 3}
RULES = ("pass_at_n", "majority", *SHORT)


@dataclass(frozen=True)
class Cell:
    """The responses of a policy on a benchmark.

    Attributes:
        policy, benchmark: names in `data`.
        problems: names of the problems.
        answers: class of equal answers within the problem, -1 without one; shape `(problems, n)`.
        correct: whether each response is right, shape `(problems, n)`.
        tokens: length of each response, shape `(problems, n)`.
    """

    policy: str
    benchmark: str
    problems: tuple[str, ...]
    answers: Ints
    correct: Bools
    tokens: Ints

    @property
    def unanswered(self) -> float:
        """Share of the responses without an answer."""
        return float((self.answers < 0).mean())

    def openings_differ(self) -> float:
        """P-value of Cochran's Q: all openings have one chance to lead to a right answer.

        Cochran, "The comparison of percentages in matched samples", Biometrika 37 (1950).
        """
        n = self.correct.shape[1]
        by_opening, by_problem = self.correct.sum(axis=0), self.correct.sum(axis=1)
        total = int(by_problem.sum())
        apart = (n - 1) * (n * int((by_opening**2).sum()) - total**2)
        within = n * total - int((by_problem**2).sum())
        return float(chdtrc(n - 1, apart / within)) if within else 1.0


def read(path: Path) -> list[Cell]:
    """The cells of a file of responses, by policy and benchmark.

    MATH-500 is left out: one policy has it, with four responses that were cut at 4,000 tokens.
    """
    if not path.is_file():
        sys.exit(f"{path}: no such file; expected the responses of arXiv 2512.02008, see --runs")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table = table[table["benchmark"].isin(BENCHMARKS)]
    table["uid"] = table["benchmark"] + "/" + table["problem"]
    table["right"] = table["prediction"] == table["reference"]
    table["length"] = table["completion_tokens"].astype(int)
    table["answered"] = ~table["prediction"].isin(NO_ANSWER)
    table["opening"] = table["sample"].astype(int)
    named = [table["model"].map(POLICIES), table["benchmark"].map(BENCHMARKS)]
    cells = []
    for (policy, benchmark), own in table.groupby(named, sort=True):
        each = [one.sort_values("opening") for _, one in own.groupby("uid", sort=True)]
        answers = [
            np.where(one["answered"], pd.factorize(one["prediction"])[0], -1) for one in each
        ]
        cells.append(
            Cell(
                str(policy),
                str(benchmark),
                tuple(str(one["uid"].iloc[0]) for one in each),
                np.array(answers),
                np.array([one["right"] for one in each]),
                np.array([one["length"] for one in each]),
            )
        )
    return cells


def accuracies(
    answers: Ints, correct: Bools, tokens: Ints, most: int, part: ClassPart | None = None
) -> dict[str, Floats]:
    """Expected accuracy of each rule on a problem at k = 1 ... `most`; NaN if k is below m.

    Args:
        answers, correct, tokens: the problem's responses, shape `(n,)` each.
        most: largest k.
        part: class part of the responses; None: all are drawn from.
    """
    ks = np.arange(1, most + 1)
    ballots = Ballots.of(answers, correct)
    found = {
        "pass_at_n": pass_at_k(correct, ks, part),
        "majority": majority(ballots, ks, orders=2, random_state=0, part=part).accuracy,
    }
    for rule, m in SHORT.items():
        found[rule] = np.full(most, math.nan)
        found[rule][m - 1 :] = short_m_of_k(answers, correct, tokens, m, ks[m - 1 :], part)
    return found


@dataclass(frozen=True)
class Replayed:
    """A cell, replayed: accuracies by rule, problem and k, and their tokens.

    Attributes:
        cell: the responses.
        accuracy: shape `(problems, n)` for each rule.
        tokens: expected tokens in all, mean over problems; shape `(n,)` for each rule.
        latency: expected tokens one after the other, likewise.
    """

    cell: Cell
    accuracy: Mapping[str, Floats]
    tokens: Mapping[str, Floats]
    latency: Mapping[str, Floats]

    @classmethod
    def of(cls, cell: Cell) -> Replayed:
        """Replay every problem of a cell."""
        n = cell.tokens.shape[1]
        each = [
            accuracies(*one, most=n)
            for one in zip(cell.answers, cell.correct, cell.tokens, strict=True)
        ]
        longest = np.array(
            [[tokens_until(one, k, np.array([k]))[1][0] for k in range(1, n + 1)]
             for one in cell.tokens]
        ).mean(axis=0)  # fmt: skip
        tokens = dict.fromkeys(RULES, cell.tokens.mean() * np.arange(1, n + 1))
        latency = dict.fromkeys(RULES, longest)
        for rule, m in SHORT.items():
            ks = np.arange(m, n + 1)
            until = np.array([tokens_until(one, m, ks) for one in cell.tokens]).mean(axis=0)
            short = np.full((2, n), math.nan)
            short[:, m - 1 :] = until
            tokens[rule], latency[rule] = short
        accuracy = {rule: np.array([one[rule] for one in each]) for rule in RULES}
        return cls(cell, accuracy, tokens, latency)

    def gain(self, rule: str, k: int) -> Floats:
        """Accuracy of a rule at k less that of one response, shape `(problems,)`."""
        return np.asarray(self.accuracy[rule][:, k - 1] - self.accuracy["majority"][:, 0])

    def over_majority(self, rule: str, k: int) -> Floats:
        """Accuracy of a rule at k less that of majority at as many tokens, shape `(problems,)`.

        A vote of a whole number of responses seldom costs just as much. So every problem is voted
        on with the next lower number or the next higher one, by chance, so that the mean is equal.
        """
        one = self.tokens["majority"][0]
        votes = min(max(self.tokens[rule][k - 1] / one, 1.0), float(len(self.tokens[rule])))
        below = min(int(votes), len(self.tokens[rule]) - 1)
        share = votes - below
        curve = self.accuracy["majority"]
        vote = (1 - share) * curve[:, below - 1] + share * curve[:, below]
        return np.asarray(self.accuracy[rule][:, k - 1] - vote)
