"""A mixed model of published accuracies; it predicts cells with figures and cells without.

The logit of an accuracy is a sum of random effects, one for each line of `EFFECTS`: effects of the
policy, the benchmark, the strategy and the PRM, and of the gain of each from more samples. Each
study has its own effects on levels and on gains, because two studies do not share a grader and a
prompt. A prediction is for a new study, whose effects are not known, so its interval includes the
differences between studies.

All effects are normal and the logits nearly so. The posterior is therefore that of Gaussian
regression with a sum of kernels (Henderson's best linear unbiased prediction; Rasmussen and
Williams, Gaussian Processes for Machine Learning, Sec. 2.2 and 2.7): one Cholesky factorisation.
`planner.published.spreads` chose the size of each effect; `data/published/model.json` holds it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array
from scipy.special import expit

from executor.files import data_folder
from executor.strategy import STRATEGIES
from planner.catalog import Catalog, family_of_its_own
from planner.published.figures import SHOWN_ONLY, benchmarks
from profiling.arrays import Floats

MODEL_FILE = "model.json"
# Ratio of the standard deviation of a figure's noise to the binomial one. It is below 1, because
# runs share their problems.
NOISE = "noise"
# Budget of a figure without one: authors print the best majority over all budgets so.
_LARGEST_BUDGET = 256
_TYPICAL_LOG10_PARAMETERS = 9.7  # sizes are counted in decades from here
_SPREAD_OF_SIZES = 0.6  # decades, of the policies in the catalog
_TYPICAL_F1, _SPREAD_OF_F1 = 40.0, 20.0  # percent, of the PRMs in the catalog
_METHODS = ("greedy", "majority", "best_of_n", "beam_search", "dvts", "compute_optimal")

_POLICY_BENCHMARK = ("policy", "benchmark")
_BLOCK = ("study", "policy", "benchmark")


@dataclass(frozen=True, slots=True)
class Effect:
    """A random effect: normal, one for each group, times a feature.

    Attributes:
        groups: columns whose values name the group; empty: all cells share the effect.
        slope: feature that the effect multiplies; None: 1.
        fixed: standard deviation set by hand, and wide; None: it is learnt.
    """

    groups: tuple[str, ...] = ()
    slope: str | None = None
    fixed: float | None = None


EFFECTS: Mapping[str, Effect] = {
    # Difficulty of the benchmark, ability of the policy.
    "level": Effect(fixed=2.0),
    "size": Effect(slope="size", fixed=1.0),
    "size_unknown": Effect(("policy",), "size_unknown", fixed=_SPREAD_OF_SIZES),
    # Beyond the sizes with figures the trend may bend, as widely as the prior slope of `size`.
    "size_beyond": Effect(slope="size_beyond", fixed=1.0),
    "benchmark": Effect(("benchmark",)),
    "family": Effect(("family",)),
    "policy": Effect(("policy",)),
    "policy_benchmark": Effect(_POLICY_BENCHMARK),
    # Gain of a strategy, and its growth with the budget.
    "method": Effect(("name",)),
    "vote": Effect(("kind",)),
    "method_size": Effect(("name",), "size"),
    "growth": Effect(slope="growth"),
    "growth_vote": Effect(("kind",), "doublings"),
    "growth_size": Effect(slope="growth_size"),
    "growth_benchmark": Effect(("benchmark",), "growth"),
    "growth_policy_benchmark": Effect(_POLICY_BENCHMARK, "growth"),
    # Additional gain from the PRM.
    "prm_quality": Effect(slope="prm_quality"),
    "prm_unrated": Effect(("prm",), "prm_unrated"),
    "prm_on_policy": Effect(slope="prm_on_policy"),
    "prm": Effect(("prm",), "prm_growth"),
    "prm_benchmark": Effect(("prm", "benchmark"), "prm_growth"),
    "prm_policy": Effect(("prm", "policy"), "prm_growth"),
    "prm_score": Effect(("prm", "score"), "prm_growth"),
    # Remainder of the cell, which all studies share.
    "cell": Effect(("policy", "prm", "kind", "score", "n", "benchmark")),
    # Effects of the study: its grader, its prompt.
    "study": Effect(("study",)),
    "study_benchmark": Effect(("study", "benchmark")),
    "study_policy_benchmark": Effect(_BLOCK),
    "study_growth": Effect(_BLOCK, "growth"),
    "study_growth_vote": Effect((*_BLOCK, "kind"), "growth"),
}
FIXED = {name: effect.fixed for name, effect in EFFECTS.items() if effect.fixed is not None}
LEARNT = tuple(name for name in EFFECTS if name not in FIXED)


def usable(cells: pd.DataFrame, catalog: Catalog) -> pd.DataFrame:
    """Return the published cells that the model uses.

    Their policies are in the catalog, the model has their strategies, and their reliability is none
    of `SHOWN_ONLY`.
    """
    known = [policy for policy in cells["policy"].unique() if catalog.policy(policy) is not None]
    kept = cells["policy"].isin(known) & cells["name"].isin(_METHODS)
    return cells[kept & ~cells["reliability"].isin(SHOWN_ONLY)].reset_index(drop=True)


def features(
    cells: pd.DataFrame, catalog: Catalog, sizes: tuple[int, int] | None = None
) -> pd.DataFrame:
    """Return groups and slopes of cells, in the columns that `EFFECTS` names.

    Args:
        cells: columns `study, policy, prm, name, n, width, score, vote, benchmark`; an empty study
            name stands for a new study.
        catalog: sizes, families and PRMs.
        sizes: numbers of parameters of the smallest and the largest policy with figures; None:
            those of these cells.
    """
    table = cells[["study", "policy", "prm", "name", "score", "benchmark"]].copy()
    # The compute-optimal strategy chooses within its budget, so its gain does not scale with it.
    scaled = (table["name"] != "compute_optimal").to_numpy(float)
    budget = np.where(cells["n"] > 0, cells["n"], _LARGEST_BUDGET).astype(float)
    table["n"] = budget
    # One beam with all branches is another search than several.
    one = (cells["width"] == cells["n"]) & (cells["width"] > 0)
    table["kind"] = cells["name"] + "/" + cells["vote"].where(~one, "one beam")
    policies = {name: catalog.policy(name) for name in table["policy"].unique()}
    decades, families = {}, {}
    for name, policy in policies.items():
        families[name] = family_of_its_own(name) if policy is None else policy.family
        if policy is not None:
            decades[name] = _decades(policy.parameters)
    table["family"] = table["policy"].map(families)
    size = table["policy"].map(decades).to_numpy(float)
    table["size"] = np.nan_to_num(size)
    table["size_unknown"] = np.isnan(size).astype(float)
    low, high = (np.nanmin(size), np.nanmax(size)) if sizes is None else map(_decades, sizes)
    beyond = np.maximum(low - size, 0.0) + np.maximum(size - high, 0.0)
    table["size_beyond"] = np.nan_to_num(beyond)
    # Gains saturate: with four times the samples, the remaining gain is halved.
    table["growth"] = scaled * (1 - 1 / np.sqrt(budget))
    table["doublings"] = scaled * np.log2(budget) / math.log2(_LARGEST_BUDGET)
    table["growth_size"] = table["growth"] * table["size"]
    scoring = [name in STRATEGIES and STRATEGIES[name].needs_prm for name in table["name"]]
    table["prm_growth"] = table["growth"] * np.array(scoring, dtype=float)
    prms = {name: catalog.prm(name) for name in table["prm"].unique()}
    rated = {
        name: (prm.process_bench_f1 - _TYPICAL_F1) / _SPREAD_OF_F1
        for name, prm in prms.items()
        if prm is not None and prm.process_bench_f1 is not None
    }
    f1 = table["prm"].map(rated).to_numpy(float)
    on_policy = [
        (prm := prms[name]) is not None and family in prm.trained_on
        for name, family in zip(table["prm"], table["family"], strict=True)
    ]
    table["prm_quality"] = table["prm_growth"] * np.nan_to_num(f1)
    table["prm_unrated"] = table["prm_growth"] * np.isnan(f1)
    table["prm_on_policy"] = table["prm_growth"] * np.array(on_policy, dtype=float)
    return table


def _decades(parameters: int) -> float:
    return math.log10(parameters) - _TYPICAL_LOG10_PARAMETERS


def covariance(one: pd.DataFrame, other: pd.DataFrame, spreads: Mapping[str, float]) -> Floats:
    """Return the covariance of the logits of two tables of features.

    Args:
        one, other: results of `features`.
        spreads: standard deviations of the effects to include.

    Returns:
        Shape `(len(one), len(other))`.
    """
    columns = dict.fromkeys(chain(*(EFFECTS[name].groups for name in spreads)))
    codes = {column: pd.concat([one[column], other[column]]).factorize()[0] for column in columns}
    # One column for every group of every effect: cells covary through the columns they share.
    # Few entries of a row are not zero, so a sparse product takes a quarter of the time of sums
    # over groups.
    groups, slopes, first = [], [], 0
    for name, spread in spreads.items():
        effect = EFFECTS[name]
        joined = np.zeros(len(one) + len(other), dtype=np.int64)
        for column in effect.groups:
            joined = joined * (codes[column].max() + 1) + codes[column]
        distinct, group = np.unique(joined, return_inverse=True)
        groups.append(first + group)
        slopes.append(spread * np.concatenate([_slope(one, effect), _slope(other, effect)]))
        first += len(distinct)
    cells = len(one) + len(other)
    ends = np.arange(cells + 1) * len(groups)
    design = csr_array(
        (np.stack(slopes, axis=1).ravel(), np.stack(groups, axis=1).ravel(), ends),
        shape=(cells, first),
    )
    total: Floats = design[: len(one)] @ design[len(one) :].toarray().T
    return total


def _slope(table: pd.DataFrame, effect: Effect) -> Floats:
    if effect.slope is None:
        return np.ones(len(table))
    return table[effect.slope].to_numpy(float)


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of the regression, shapes `(cells,)`: logits, and their binomial variance."""

    logit: Floats
    binomial: Floats

    @classmethod
    def of(cls, cells: pd.DataFrame) -> Targets:
        """Return empirical logits: half a problem is added to either side, so all are finite."""
        problems = cells["problems"].to_numpy(float)
        share = (cells["accuracy"].to_numpy(float) * problems + 0.5) / (problems + 1)
        return cls(np.log(share / (1 - share)), 1 / (problems * share * (1 - share)))


class PublishedModel:
    """The mixed model of published accuracies.

    Args:
        spreads: standard deviation of every learnt effect, and `NOISE`.
        catalog: sizes, families and PRMs.

    Attributes:
        features_: features of the cells that the model was fitted to.
        sizes_: numbers of parameters of the smallest and the largest policy in these cells.
    """

    def __init__(self, spreads: Mapping[str, float], catalog: Catalog) -> None:
        self.spreads = spreads
        self.catalog = catalog

    @classmethod
    def load(cls, catalog: Catalog) -> PublishedModel:
        """Return an unfitted model with the spreads of `data/published/model.json`."""
        path = data_folder() / "published" / MODEL_FILE
        return cls(json.loads(path.read_text(encoding="utf-8")), catalog)

    def fit(self, cells: pd.DataFrame) -> PublishedModel:
        """Fit the model to published cells: the `usable` ones of
        `planner.published.figures.cells`."""
        self.features_ = features(cells, self.catalog)
        known = (self.catalog.policy(name) for name in cells["policy"].unique())
        sizes = [policy.parameters for policy in known if policy is not None]
        self.sizes_ = min(sizes), max(sizes)
        targets = Targets.of(cells)
        between = covariance(self.features_, self.features_, self._effects())
        noise = self.spreads[NOISE] ** 2 * targets.binomial
        self._factor = np.linalg.cholesky(between + np.diag(noise))
        self._solved = solve_triangular(self._factor, targets.logit, lower=True)
        return self

    def predict(self, cells: pd.DataFrame) -> tuple[Floats, Floats]:
        """Return mean and covariance of the logits of the accuracies of new runs.

        Args:
            cells: table with the columns that `features` reads.

        Returns:
            Shapes `(cells,)` and `(cells, cells)`; the covariance includes the noise of a benchmark
            of its number of problems.
        """
        asked = features(cells, self.catalog, self.sizes_)
        between = covariance(self.features_, asked, self._effects())
        solved = solve_triangular(self._factor, between, lower=True)
        mean = solved.T @ self._solved
        share = expit(mean)
        problems = cells["benchmark"].map(benchmarks()).to_numpy(float)
        noise = self.spreads[NOISE] ** 2 / (problems * share * (1 - share))
        before = covariance(asked, asked, self._effects())
        return mean, before - solved.T @ solved + np.diag(noise)

    def _effects(self) -> dict[str, float]:
        return FIXED | {name: self.spreads[name] for name in LEARNT}


_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)


def beta_of_logit(mean: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Return the parameters of the Beta with the first two moments of expit(X), X normal.

    The moments are computed by Gauss-Hermite quadrature.

    Args:
        mean, variance: mean and variance of X, shape `(cells,)`.

    Returns:
        Parameters a and b, shape `(cells,)` each.
    """
    values = expit(mean[:, None] + np.sqrt(variance)[:, None] * _NODES)
    weights = _WEIGHTS / _WEIGHTS.sum()
    first = values @ weights
    second = (values - first[:, None]) ** 2 @ weights
    total = first * (1 - first) / second - 1
    return first * total, (1 - first) * total
