"""The model over studies: equal to its definition, calibrated on what it has not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import norm

from planner.catalog import Catalog, PolicyEntry, load_catalog
from planner.prediction.beta import summarise
from planner.published import figures
from planner.published.model import (
    EFFECTS,
    FIXED,
    LEARNT,
    NOISE,
    PublishedModel,
    Targets,
    beta_of_logit,
    covariance,
    features,
    usable,
)
from planner.published.spreads import NAMES, Objective, tune


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog()


@pytest.fixture(scope="module")
def cells(catalog: Catalog) -> pd.DataFrame:
    """Those of the studies that are not set apart; the spreads are tuned to them."""
    return usable(figures.general(figures.cells()), catalog)


@pytest.fixture(scope="module")
def some(cells: pd.DataFrame) -> pd.DataFrame:
    """A few figures of every study."""
    return cells.groupby("study").head(12).reset_index(drop=True)


@pytest.fixture(scope="module")
def model(cells: pd.DataFrame, catalog: Catalog) -> PublishedModel:
    return PublishedModel.load(catalog).fit(cells)


def asked(policy: str, prm: str, **of: Any) -> dict[str, Any]:
    plain = {
        "study": "", "policy": policy, "prm": prm, "name": "best_of_n", "n": 64, "width": 0,
        "score": "last", "vote": "max", "benchmark": "MATH-500",
    }  # fmt: skip
    return plain | of


def interval(model: PublishedModel, row: dict[str, Any]) -> tuple[float, float, float]:
    means, spread = model.predict(pd.DataFrame([row]))
    found = summarise(*beta_of_logit(means, np.diag(spread)))
    return float(found[0][0]), float(found[1][0]), float(found[2][0])


def test_beyond_the_sizes_of_the_figures_less_is_known_the_farther_out(
    cells: pd.DataFrame,
) -> None:
    """A policy of a million parameters is not told from one of half a billion by a straight line.

    Its family is the smallest policy's, so that nothing but the size is unknown of it.
    """
    smallest = load_catalog().policies["Qwen2.5-0.5B-Instruct"]
    sizes = {f"of {size}": size for size in (smallest.parameters, 50_000_000, 800_000)}
    catalog = load_catalog()
    catalog = Catalog(
        {
            **catalog.policies,
            **{n: PolicyEntry(n, size, smallest.family) for n, size in sizes.items()},
        },
        catalog.prms,
    )
    model = PublishedModel.load(catalog).fit(cells)
    assert model.sizes_[0] == smallest.parameters
    means, spread = model.predict(pd.DataFrame([asked(name, "") for name in sizes]))
    within, near, far = np.sqrt(np.diag(spread))
    assert within < near < far
    # A decade beyond them, the trend may be any that one may expect before seeing figures.
    decades = np.log10(smallest.parameters / 800_000)
    assert far**2 - within**2 > (FIXED["size_beyond"] * decades) ** 2
    _, low, high = summarise(*beta_of_logit(means, np.diag(spread)))
    assert high[2] - low[2] > high[0] - low[0]


def test_within_the_sizes_of_the_figures_nothing_is_beyond(
    cells: pd.DataFrame, catalog: Catalog
) -> None:
    assert (features(cells, catalog)["size_beyond"] == 0).all()


def design(one: pd.DataFrame, other: pd.DataFrame, spreads: dict[str, float]) -> Any:
    """Design matrices of all random effects, a column a group; scaled by their spreads."""
    columns = []
    for name, spread in spreads.items():
        effect = EFFECTS[name]
        both = pd.concat([one, other], ignore_index=True)
        slope = np.ones(len(both)) if effect.slope is None else both[effect.slope].to_numpy(float)
        labels = ["|".join(str(row[c]) for c in effect.groups) for _, row in both.iterrows()]
        for label in sorted(set(labels)):
            columns.append(spread * slope * (np.array(labels) == label))
    whole = np.column_stack(columns)
    return whole[: len(one)], whole[len(one) :]


def test_the_covariance_is_that_of_the_random_effects(some: pd.DataFrame, catalog: Catalog) -> None:
    table = features(some, catalog)
    rng = np.random.default_rng(0)
    spreads = {name: float(rng.uniform(0.1, 1)) for name in EFFECTS}
    one, other = table[:25], table[20:45]
    left, right = design(one, other, spreads)
    assert covariance(one, other, spreads) == pytest.approx(left @ right.T)


def test_predictions_are_the_posterior_of_the_random_effects(
    some: pd.DataFrame, catalog: Catalog
) -> None:
    """Bayesian linear regression on the effects themselves, a normal prior each."""
    model = PublishedModel.load(catalog).fit(some)
    new = pd.DataFrame(
        [asked("Llama-3.2-1B-Instruct", "Skywork-PRM-7B"), asked("nobody", "none", name="dvts")]
    )
    spreads = FIXED | {name: model.spreads[name] for name in LEARNT}
    known, unknown = design(features(some, catalog), features(new, catalog), spreads)
    targets = Targets.of(some)
    weights = 1 / (model.spreads[NOISE] ** 2 * targets.binomial)
    precision = np.eye(known.shape[1]) + known.T @ (weights[:, None] * known)
    effects = np.linalg.solve(precision, known.T @ (weights * targets.logit))
    mean, spread = model.predict(new)
    assert mean == pytest.approx(unknown @ effects)
    of_effects = unknown @ np.linalg.solve(precision, unknown.T)
    share = expit(mean)
    noise = model.spreads[NOISE] ** 2 / (500 * share * (1 - share))
    assert spread == pytest.approx(of_effects + np.diag(noise))


def test_what_studies_have_of_their_own_is_not_lent_to_another(
    some: pd.DataFrame, catalog: Catalog
) -> None:
    """The effects of a study nobody has seen have no covariance with any figure."""
    table = features(some, catalog)
    new = features(some.assign(study=""), catalog)
    own = {name: 1.0 for name, effect in EFFECTS.items() if "study" in effect.groups}
    assert len(own) == 5
    assert not covariance(table, new, own).any()
    assert covariance(table, table, own).any()


def test_the_gradient_is_that_of_the_objective(some: pd.DataFrame, catalog: Catalog) -> None:
    objective = Objective.of(some, catalog)
    at = np.random.default_rng(1).normal(-1.5, 0.5, size=len(NAMES))
    _, gradient = objective(at)
    for i in range(0, len(NAMES), 4):
        step = np.zeros(len(NAMES))
        step[i] = 1e-5
        difference = (objective(at + step)[0] - objective(at - step)[0]) / 2e-5
        assert gradient[i] == pytest.approx(difference, rel=1e-4, abs=1e-5)


def test_figures_that_are_shown_only_are_not_used(catalog: Catalog) -> None:
    everything = figures.cells()
    shown = everything[everything["reliability"] == "unanswered"]
    used = usable(everything, catalog)
    assert set(shown["policy"]) == {"Qwen3-235B-A22B-Instruct-2507"}
    assert not set(shown["policy"]) & set(used["policy"])
    assert "agarwal2025" in set(used["study"])


def test_tuning_gives_the_same_each_time(some: pd.DataFrame, catalog: Catalog) -> None:
    found = tune(some, catalog)
    assert tune(some, catalog) == found
    objective = Objective.of(some, catalog)
    best = objective(np.log([found[name] for name in NAMES]))[0]
    assert best < objective(np.full(len(NAMES), -1.5))[0]


def test_the_shipped_spreads_are_those_of_the_shipped_figures(
    cells: pd.DataFrame, model: PublishedModel, catalog: Catalog
) -> None:
    """They were tuned on just these figures: nothing is gained by any small step from there."""
    at = np.log([model.spreads[name] for name in NAMES])
    _, gradient = Objective.of(cells, catalog)(at)
    assert np.abs(gradient).max() < 0.5


def test_intervals_hold_most_figures(cells: pd.DataFrame, model: PublishedModel) -> None:
    """As runs of a study nobody has seen; the bench leaves them out besides."""
    means, spread = model.predict(cells.assign(study=""))
    _, low, high = summarise(*beta_of_logit(means, np.diag(spread)))
    inside = (low <= cells["accuracy"]) & (cells["accuracy"] <= high)
    assert inside.mean() > 0.95


@pytest.mark.parametrize("column", ["policy", "prm", "study"])
def test_intervals_hold_what_was_left_out(
    cells: pd.DataFrame, catalog: Catalog, column: str
) -> None:
    """Three of each kind; the bench leaves out all."""
    names = cells[cells[column] != ""][column].value_counts().index[:3]
    covered = []
    for name in names:
        out = cells[column] == name
        model = PublishedModel.load(catalog).fit(cells[~out].reset_index(drop=True))
        held = cells[out].reset_index(drop=True)
        means, spread = model.predict(held.assign(study=""))
        _, low, high = summarise(*beta_of_logit(means, np.diag(spread)))
        covered.append(((low <= held["accuracy"]) & (held["accuracy"] <= high)).mean())
    assert np.mean(covered) > 0.8


def test_what_is_not_known_widens_the_interval(model: PublishedModel) -> None:
    def width(policy: str, prm: str) -> float:
        _, low, high = interval(model, asked(policy, prm))
        return high - low

    pair = width("Llama-3.2-1B-Instruct", "RLHFlow-PRM-Deepseek-8B")
    other_prm = width("Llama-3.2-1B-Instruct", "unheard-of")
    in_catalog = width("Qwen2.5-Math-1.5B-Instruct", "unheard-of")
    unknown = width("unheard-of", "unheard-of")
    assert pair < other_prm < unknown
    assert pair < in_catalog < unknown


def test_larger_policies_better_prms_and_more_samples_are_expected_to_be_better(
    model: PublishedModel,
) -> None:
    def mean(*pair: str, **of: Any) -> float:
        return interval(model, asked(*pair, **of))[0]

    small, large = "Qwen2.5-0.5B-Instruct", "Qwen2.5-14B-Instruct"
    good, bad = "Qwen2.5-Math-PRM-72B", "RLHFlow-PRM-Mistral-8B"
    assert mean(small, good) < mean(large, good)
    assert mean(small, bad) < mean(small, good)
    assert mean(small, good, n=4) < mean(small, good, n=64)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 0.3), (-2.5, 0.05), (1.2, 1.5), (4.0, 0.2)])
def test_the_beta_has_the_moments_of_the_logistic_normal(mean: float, variance: float) -> None:
    def moment(power: int) -> float:
        density = norm(mean, variance**0.5).pdf
        reach = 12 * variance**0.5
        return float(quad(lambda x: expit(x) ** power * density(x), mean - reach, mean + reach)[0])

    a, b = (float(found[0]) for found in beta_of_logit(np.array([mean]), np.array([variance])))
    assert a / (a + b) == pytest.approx(moment(1), abs=1e-9)
    second = a * (a + 1) / ((a + b) * (a + b + 1))
    assert second == pytest.approx(moment(2), abs=1e-9)
