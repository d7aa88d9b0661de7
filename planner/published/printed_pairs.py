"""Pairs of policies that a study compares in print: a strategy of one, one answer of another.

Table 3 of arXiv 2502.06703 sets small policies with the best of several strategies, chosen in
hindsight, beside the greedy answers of others; its Table 4 has FLOPs of some. The study prints
neither the PRM nor, mostly, the budget, so no such strategy can be proposed; its figures can be
compared.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import pandas as pd

from executor.files import data_folder
from planner.prediction.beta import LEVEL
from planner.published import figures
from planner.published.candidates import CHOSEN_BY_OTHERS


@dataclass(frozen=True, slots=True)
class PrintedPair:
    """Two figures of one study on one benchmark.

    Attributes:
        small: policy with the best of several strategies.
        large: policy with one greedy answer.
        benchmark: name of the benchmark.
        accuracies: of the two.
        problems: number of problems of the benchmark.
        flops: printed inference FLOPs of the two, of a benchmark that is not printed; None if they
            are not printed of both.
        budget: printed budget of the small policy; None if it is not printed.
        source: of the two figures.
    """

    small: str
    large: str
    benchmark: str
    accuracies: tuple[float, float]
    problems: int
    flops: tuple[float, float] | None
    budget: int | None
    source: str

    @property
    def difference(self) -> float:
        """The small policy's accuracy minus the large one's."""
        return self.accuracies[0] - self.accuracies[1]

    @property
    def interval(self) -> tuple[float, float]:
        """The unpaired 90 % interval of the difference.

        By Agresti and Caffo (2000): a right and a wrong answer are added to each of the two.
        Figures are of whole benchmarks, so the problems cannot be paired; paired ones would give a
        narrower interval.
        """
        n = self.problems + 2
        shares = [(accuracy * self.problems + 1) / n for accuracy in self.accuracies]
        error = math.sqrt(sum(share * (1 - share) / n for share in shares))
        centre, reach = shares[0] - shares[1], NormalDist().inv_cdf(0.5 + LEVEL / 2) * error
        return centre - reach, centre + reach

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "policy": self.small,
            "strategy": CHOSEN_BY_OTHERS,
            "n": self.budget,
            "larger": {"policy": self.large, "strategy": figures.GREEDY},
            "benchmark": self.benchmark,
            "accuracies": list(self.accuracies),
            "difference": self.difference,
            "difference_interval": list(self.interval),
            "paired_problems": 0,
            "problems": self.problems,
            "inference_flops": None if self.flops is None else list(self.flops),
            "source": self.source,
        }


def printed_pairs(
    benchmark: str, policies: Collection[str] | None = None
) -> tuple[PrintedPair, ...]:
    """Return the pairs of a benchmark that a study prints in one table, in its order.

    Args:
        benchmark: name of the benchmark.
        policies: names of policies; only pairs of two of them count. None: all.
    """
    table = figures.rows()
    table = table[(table["benchmark"] == benchmark) & (table["metric"] == "accuracy")]
    chosen = table[(table["name"] == CHOSEN_BY_OTHERS)]
    greedy = table[table["name"] == figures.GREEDY]
    flops = _flops()
    return tuple(
        PrintedPair(
            small=str(one["policy"]),
            large=str(other["policy"]),
            benchmark=benchmark,
            accuracies=(float(one["accuracy"]), float(other["accuracy"])),
            problems=figures.benchmarks()[benchmark],
            flops=_both(flops, (one["study"], one["policy"], CHOSEN_BY_OTHERS),
                        (other["study"], other["policy"], figures.GREEDY)),
            budget=int(one["n"]) or None,
            source=str(one["source"]),
        )
        for one in chosen.to_dict("records")
        for other in greedy.to_dict("records")
        if (one["study"], one["source"]) == (other["study"], other["source"])
        and one["policy"] != other["policy"]
        and (policies is None or {one["policy"], other["policy"]} <= set(policies))
    )  # fmt: skip


def _both(
    flops: dict[tuple[str, str, str], float], one: tuple[str, str, str], other: tuple[str, str, str]
) -> tuple[float, float] | None:
    return (flops[one], flops[other]) if one in flops and other in flops else None


@cache
def _flops() -> dict[tuple[str, str, str], float]:
    """Return printed inference FLOPs by study, policy and strategy."""
    table = pd.read_csv(data_folder() / "published" / "facts.csv", keep_default_na=False)
    table = table[table["item"] == "inference_flops"]
    keys = zip(table["study"], table["policy"], table["strategy"], strict=True)
    return dict(zip(keys, table["value"].astype(float), strict=True))
