"""Which reasoning model, and how many responses, for a budget of FLOPs or of tokens?

The figures of `data/published/reasoning.csv`: seven policies of 32B to 671B on AIME24, AIME25 and
GPQA-Diamond, each with a majority vote of 1, 2, 4 and 8 responses, whose tokens are known. Each
benchmark is left out in turn: the model of published figures (`planner.published.model`) is fitted
to the other two and predicts it, and the choice is the cheapest within half a point of the highest
prediction that keeps to the budget, as in `apportion recommend`. Tokens need no reference answers,
so those of the left-out benchmark are taken as known. Regret is the accuracy of the best choice in
hindsight minus that of the choice made, as a mean over budgets.

Two other rules are set beside it: the choice that is best on the other two benchmarks at the same
budget, and the largest policy that keeps to it, with as many responses as do.

Intervals are 95 %, for other problems of the kind: the errors of a policy's figures on a benchmark
are drawn from their own intervals, alike for all of its budgets, independent between policies. The
best in hindsight is in part the luckiest, so regret is overstated rather than understated.

Figure: mean regret of the three rules, in points.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, finish
from reasoning_figures import BENCHMARKS, FIGURES, Figures

sys.path.insert(0, str(ROOT))
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from executor.strategy import Majority
from planner.catalog import Catalog, load_catalog
from planner.choice.rules import most_accurate
from planner.costs.cost import forward_flops
from planner.published import candidates, figures
from planner.published.model import PublishedModel, beta_of_logit, usable
from profiling.arrays import Floats
from profiling.pass_rate import LEVEL

UNITS = ("flops", "tokens")
STEPS = 13  # budgets of a benchmark, evenly spaced in the logarithm from the least to the largest
DRAWS = 2000
TOKEN_BUDGETS = (5_000, 10_000, 20_000, 40_000, 80_000, 160_000)


@dataclass(frozen=True)
class Options:
    """The choices on one benchmark: policies and numbers of responses; arrays `(choices,)`.

    Attributes:
        benchmark: name of the benchmark.
        policies, budgets: policy and number of responses of each choice.
        accuracy: accuracies, in [0, 1].
        error: standard errors of their logits.
        interval: 95 % intervals, shape `(choices, 2)`.
        cost: cost of each choice by unit.
        size: number of all parameters of each choice's policy.
        problems: number of problems.
    """

    benchmark: str
    policies: tuple[str, ...]
    budgets: tuple[int, ...]
    accuracy: Floats
    error: Floats
    interval: Floats
    cost: Mapping[str, Floats]
    size: Floats
    problems: int

    def limits(self, unit: str) -> Floats:
        """Budgets of cost to choose under."""
        cost = self.cost[unit]
        return np.geomspace(cost.min(), cost.max(), STEPS) * (1 + 1e-9)

    def name(self, choice: int) -> str:
        """`QwQ-32B, N = 4`."""
        return f"{self.policies[choice]}, N = {self.budgets[choice]}"


def options_of(benchmark: str, catalog: Catalog) -> Options:
    """The choices on a benchmark, of the policies whose figures predictions use."""
    rows = [
        row
        for policy, on in Figures(FIGURES).used()
        if on == benchmark
        for row in Figures(FIGURES).where(
            policy=policy, benchmark=on, difficulty="all", strategy="majority"
        )
    ]
    accuracy, low, high = (
        np.clip([float(row[name]) / 100 for row in rows], 1e-3, 1 - 1e-3)
        for name in ("value", "low", "high")
    )
    tokens = np.array([float(row["tokens"]) for row in rows])
    policies = tuple(row["policy"] for row in rows)
    entries = [catalog.policies[policy] for policy in policies]
    forwarded = np.array([float(entry.forwarded) for entry in entries])
    return Options(
        benchmark,
        policies,
        tuple(int(row["n"]) for row in rows),
        accuracy,
        (logit(high) - logit(low)) / (2 * NormalDist().inv_cdf(0.5 + LEVEL / 2)),
        np.column_stack([low, high]),
        {"tokens": tokens, "flops": np.array([forward_flops(size, count) for size, count in
                                              zip(forwarded, tokens, strict=True)])},
        np.array([float(entry.parameters) for entry in entries]),
        int(rows[0]["problems"]),
    )  # fmt: skip


@cache
def every() -> tuple[Options, ...]:
    """The choices on all benchmarks, in one order of policies and numbers of responses."""
    catalog = load_catalog()
    made = tuple(options_of(benchmark, catalog) for benchmark in BENCHMARKS)
    assert len({(one.policies, one.budgets) for one in made}) == 1
    return made


@cache
def predicted(benchmark: str) -> Floats:
    """Accuracies on a benchmark, predicted without any figure of it, shape `(choices,)`."""
    catalog = load_catalog()
    cells = figures.cells()
    apart = cells["study"].isin(figures.SET_APART) & (cells["benchmark"] != benchmark)
    one = next(one for one in every() if one.benchmark == benchmark)
    asked = pd.DataFrame(
        [
            candidates.cell(Majority(n), policy, None, benchmark)
            for policy, n in zip(one.policies, one.budgets, strict=True)
        ]
    )
    with threadpool_limits(limits=1):
        fitted = PublishedModel.load(catalog).fit(usable(cells[apart], catalog))
        means, covariance = fitted.predict(asked)
    a, b = beta_of_logit(means, np.diag(covariance))
    return np.asarray(a / (a + b))


def by_figures(one: Options, unit: str, limit: float) -> int:
    """What the figures of the other benchmarks choose."""
    return _best(predicted(one.benchmark), one, unit, limit)


def best_elsewhere(one: Options, unit: str, limit: float) -> int:
    """What is most accurate on the other benchmarks."""
    others = [other.accuracy for other in every() if other.benchmark != one.benchmark]
    return _best(np.mean(others, axis=0), one, unit, limit)


def largest(one: Options, unit: str, limit: float) -> int:
    """The largest policy that keeps to the limit, with most responses."""
    allowed = one.cost[unit] <= limit
    return int(np.lexsort((one.budgets, one.size, allowed))[-1])


def _best(accuracy: Floats, one: Options, unit: str, limit: float) -> int:
    allowed = one.cost[unit] <= limit
    return int(most_accurate(np.where(allowed, accuracy, -np.inf)[None, :], one.cost[unit])[0])


RULES = {
    "the model of figures": by_figures,
    "the best on the other benchmarks": best_elsewhere,
    "the largest policy": largest,
}


@dataclass(frozen=True)
class Regret:
    """Mean regret of a rule over budgets, in points, with its 95 % interval."""

    points: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.points:.1f} [{self.low:.1f}, {self.high:.1f}]"


def regret(rule: str, unit: str, options: Sequence[Options]) -> Regret:
    """Mean over budgets of cost, then over benchmarks."""
    means, draws = [], []
    for number, one in enumerate(options):
        rng = np.random.default_rng(number)
        names = list(dict.fromkeys(one.policies))
        policy = np.array([names.index(name) for name in one.policies])
        noise = rng.standard_normal((DRAWS, len(names)))[:, policy] * one.error
        drawn = expit(logit(one.accuracy) + noise)
        best = [_best_in_hindsight(one, unit, limit) for limit in one.limits(unit)]
        made = [RULES[rule](one, unit, limit) for limit in one.limits(unit)]
        means.append(float(np.mean(one.accuracy[best] - one.accuracy[made])))
        draws.append((drawn[:, best] - drawn[:, made]).mean(axis=1))
    low, high = np.quantile(np.mean(draws, axis=0), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Regret(100 * float(np.mean(means)), 100 * float(low), 100 * float(high))


def _best_in_hindsight(one: Options, unit: str, limit: float) -> int:
    return int(np.argmax(np.where(one.cost[unit] <= limit, one.accuracy, -np.inf)))


def regrets() -> list[dict[str, Any]]:
    """Regret by unit, rule and benchmark, and over all benchmarks."""
    groups = [(one.benchmark, (one,)) for one in every()] + [("all three", every())]
    return [
        {
            "unit": unit,
            "rule": rule,
            "benchmark": name,
            "problems": sum(one.problems for one in options),
            "budgets": STEPS * len(options),
            "regret": vars(regret(rule, unit, options)),
        }
        for unit in UNITS
        for rule in RULES
        for name, options in groups
    ]


def at_token_budgets() -> list[dict[str, Any]]:
    """What the figures choose at each budget of tokens, and what is best in hindsight."""
    made = []
    for one in every():
        for limit in TOKEN_BUDGETS:
            if one.cost["tokens"].min() > limit:
                continue
            chosen = by_figures(one, "tokens", limit)
            best = _best_in_hindsight(one, "tokens", limit)
            made.append(
                {
                    "benchmark": one.benchmark,
                    "tokens": limit,
                    "choice": one.name(chosen),
                    "accuracy": float(one.accuracy[chosen]),
                    "interval": one.interval[chosen].tolist(),
                    "its_tokens": float(one.cost["tokens"][chosen]),
                    "best": one.name(best),
                    "best_accuracy": float(one.accuracy[best]),
                    "best_interval": one.interval[best].tolist(),
                    "problems": one.problems,
                }
            )
    return made


def main() -> None:
    """Choose, and count the regret."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = regrets()
    line = "; ".join(
        f"by {unit}: " + ", ".join(
            f"{one['rule']} {Regret(**one['regret'])}"
            for one in found if one["unit"] == unit and one["benchmark"] == "all three"
        )
        for unit in UNITS
    )  # fmt: skip
    document = {"interval": LEVEL, "regrets": found, "at_token_budgets": at_token_budgets()}
    finish(document, f"mean regret in points, {line}", as_json=arguments.json)


if __name__ == "__main__":
    main()
