"""The strategies that are predicted from published figures, with the cells that predict them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr

from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Dvts, Greedy, Majority, Strategy, key, to_dict
from planner.choice.estimate import PREDICTED, StrategyEstimate
from planner.choice.paired import ComparedBy, Contrast
from planner.costs.cost import Rates
from planner.evidence.layout import BUDGETS
from planner.prediction.beta import summarise
from planner.published import figures
from profiling.arrays import Floats

# Its authors chose a strategy anew for each budget, with a PRM that they do not name. Its figures
# are shown; it is never proposed.
CHOSEN_BY_OTHERS = "compute_optimal"


def touching(cells: pd.DataFrame, policy: str, prm: str | None, benchmark: str) -> pd.DataFrame:
    """Return the policy's figures on the benchmark with this PRM, without one, or with an unnamed
    one."""
    here = cells[(cells["policy"] == policy) & (cells["benchmark"] == benchmark)]
    return here[here["prm"].isin(["", prm]) | (here["name"] == CHOSEN_BY_OTHERS)]


def strategies(own: pd.DataFrame, *, scored: bool, greedy: bool) -> list[Strategy]:
    """Return the strategies to predict: the published ones, and the usual ones at `BUDGETS`.

    Without `greedy`, N = 1 is one sample.
    """
    found: list[Strategy] = [Greedy(), *(Majority(n) for n in BUDGETS)]
    if scored:
        for n in BUDGETS[1:]:
            found += [BestOfN(n), BestOfN(n, vote=Vote.WEIGHTED), BeamSearch(n), Dvts(n)]
    published = [figures.strategy_of(cell) for cell in own.to_dict("records")]
    found += [strategy for strategy in published if strategy is not None]
    return [one for one in dict.fromkeys(found) if greedy or not isinstance(one, Greedy)]


def choices(
    strategies: list[Strategy],
    known: set[str],
    posterior: tuple[Floats, Floats],
    benchmark: str,
    rates: Rates,
    tokens: float,
) -> list[StrategyEstimate]:
    """Return strategies with their predictions.

    `known` has the keys of the strategies with figures; `tokens` are those of one response.
    """
    a, b = posterior
    means, lows, highs = summarise(a, b)
    problems = figures.benchmarks()[benchmark]
    found = []
    for i, strategy in enumerate(strategies):
        drawn = strategy.n * tokens
        # No study prints the tokens that a PRM reads; see `planner.published.answer._tokens`.
        is_known = key(strategy) in known
        found.append(
            StrategyEstimate(
                strategy,
                float(means[i]),
                (float(lows[i]), float(highs[i])),
                (float(a[i]), float(b[i])),
                rates.price(drawn, 0.0, drawn if strategy.needs_prm else 0.0),
                problems if is_known else 0,
                "published" if is_known else PREDICTED,
            )
        )
    return found


def cell(strategy: Strategy, policy: str, prm: str | None, benchmark: str) -> dict[str, Any]:
    """Return the cell of a new run: its study is none of the published ones."""
    options = to_dict(strategy)
    return {
        "study": "",
        "policy": policy,
        "prm": prm or "" if strategy.needs_prm else "",
        "name": strategy.name,
        "n": strategy.n,
        "width": options.get("width", 0),
        "score": str(options.get("score", "")),
        "vote": str(options.get("vote", "")),
        "benchmark": benchmark,
    }


def contrast(
    means: Floats,
    covariance: Floats,
    at: tuple[int, int],
    one: StrategyEstimate,
    other: StrategyEstimate,
) -> Contrast:
    """Contrast two strategies by their joint prediction; their covariance is taken into account.

    The chance is exact for normal logits. The error of the difference is first order: that of each
    logit is multiplied by p (1 - p).

    Args:
        means, covariance: mean and covariance of the logits, shapes `(strategies,)` and
            `(strategies, strategies)`.
        at: places of the two among these.
        one, other: the two strategies.
    """
    between = covariance[np.ix_(at, at)]
    difference = np.array([1.0, -1.0])
    apart = math.sqrt(difference @ between @ difference)
    slopes = np.array([p * (1 - p) for p in (one.predicted_accuracy, other.predicted_accuracy)])
    slopes *= difference
    return Contrast(
        one.predicted_accuracy - other.predicted_accuracy,
        math.sqrt(slopes @ between @ slopes),
        float(ndtr((means[at[0]] - means[at[1]]) / apart)),
        0,
        ComparedBy.FIGURES,
    )


def rows(touching: pd.DataFrame) -> Iterable[dict[str, Any]]:
    columns = [
        "source", "study", "policy", "prm", "strategy", "benchmark", "accuracy", "problems",
        "runs", "reliability", "note",
    ]  # fmt: skip
    return [
        {str(name): value for name, value in row.items()}
        for row in touching[columns].to_dict("records")
    ]


def model_row(cells: pd.DataFrame) -> dict[str, Any]:
    return {
        "source": "model",
        "figures": len(cells),
        "studies": sorted(cells["study"].unique()),
        "policies": int(cells["policy"].nunique()),
        "prms": int(cells.loc[cells["prm"] != "", "prm"].nunique()),
    }
