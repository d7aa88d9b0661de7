"""Structural features: best-of-N under a binormal PRM, and the matrix the model learns from."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from planner.features import NAMES, best_of_n_accuracy, binormal_signal, features

probability = st.floats(0.01, 0.99)
budget = st.integers(1, 256)
signal = st.floats(-3.2, 3.2)


def best_of_n(rate: float, distance: float, n: int) -> float:
    arguments = (np.array([value], dtype=float) for value in (rate, distance, n))
    return float(best_of_n_accuracy(*arguments)[0])


def cells(**columns: object) -> pd.DataFrame:
    plain = {
        "difficulty": "easy", "name": "best_of_n", "n": 4, "score": "last", "vote": "max",
        "pass_at_1": 0.3, "prm_auc": 0.8,
    }  # fmt: skip
    return pd.DataFrame([plain | columns])


def column(frame: pd.DataFrame, name: str) -> float:
    return float(features(frame)[0, NAMES.index(name)])


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("distance", [-1.0, 0.5, 2.0])
@pytest.mark.parametrize("n", [2, 16])
def test_best_of_n_is_what_simulated_scores_give(rate: float, distance: float, n: int) -> None:
    rng = np.random.default_rng(0)
    draws = 20_000
    right = rng.random((draws, n)) < rate
    scores = rng.standard_normal((draws, n)) + distance * right
    simulated = right[np.arange(draws), scores.argmax(axis=1)].mean()
    expected = best_of_n(rate, distance, n)
    error = 4 * math.sqrt(max(expected * (1 - expected), 1e-4) / draws)
    assert simulated == pytest.approx(expected, abs=error)


@given(rate=probability, n=budget)
def test_scores_that_say_nothing_leave_pass_at_1(rate: float, n: int) -> None:
    assert best_of_n(rate, 0.0, n) == pytest.approx(rate, abs=1e-3)


@given(rate=probability, distance=signal)
def test_one_sample_is_right_with_pass_at_1(rate: float, distance: float) -> None:
    assert best_of_n(rate, distance, 1) == pytest.approx(rate, abs=1e-9)


@given(distance=signal, n=budget)
def test_a_policy_that_is_always_right_stays_so(distance: float, n: int) -> None:
    assert best_of_n(1.0, distance, n) == pytest.approx(1.0, abs=1e-3)


@given(rate=probability, distance=signal, n=budget)
def test_a_good_prm_helps_a_bad_one_hurts_and_none_beats_coverage(
    rate: float, distance: float, n: int
) -> None:
    accuracy = best_of_n(rate, distance, n)
    assert (accuracy - rate) * distance >= -1e-2 * abs(distance)
    assert rate**n - 1e-3 <= accuracy <= 1 - (1 - rate) ** n + 1e-3


@given(auc=probability)
def test_the_signal_is_the_inverse_of_the_binormal_auc(auc: float) -> None:
    distance = float(binormal_signal(np.array([auc]))[0])
    assert norm.cdf(distance / math.sqrt(2)) == pytest.approx(auc, abs=1e-12)


def test_a_perfect_or_inverted_prm_has_a_finite_signal() -> None:
    low, half, high = binormal_signal(np.array([0.0, 0.5, 1.0]))
    assert half == pytest.approx(0.0, abs=1e-12)
    assert low == pytest.approx(-high)
    assert 3 < high < 4


@given(
    rates=st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), min_size=1, max_size=5),
    auc=st.one_of(st.floats(0, 1), st.just(math.nan)),
    n=budget,
)
def test_every_feature_of_every_cell_is_finite(rates: list[float], auc: float, n: int) -> None:
    frame = pd.concat([cells(pass_at_1=rate, prm_auc=auc, n=n) for rate in rates])
    matrix = features(frame)
    assert matrix.shape == (len(rates), len(NAMES))
    assert np.isfinite(matrix).all()


def test_what_is_not_known_counts_as_even_odds_and_a_useless_prm() -> None:
    unknown, even = cells(pass_at_1=math.nan, prm_auc=math.nan), cells(pass_at_1=0.5, prm_auc=0.5)
    assert features(unknown).tolist() == features(even).tolist()
    assert column(unknown, "logit_pass_at_1") == column(unknown, "prm_signal") == 0.0


def test_structure_features_by_hand() -> None:
    frame = cells()
    assert column(frame, "log2_n") == 2.0
    assert column(frame, "logit_pass_at_1") == pytest.approx(math.log(0.3 / 0.7))
    assert column(frame, "expected_coverage") == pytest.approx(1 - 0.7**4)
    assert 0.3 < column(frame, "expected_best_of_n") < 1 - 0.7**4


def test_a_strategy_without_scores_knows_nothing_of_the_prm() -> None:
    plain = cells(name="majority", score="", vote="", prm_auc=0.95)
    assert column(plain, "prm_signal") == 0.0
    assert column(plain, "expected_best_of_n") == pytest.approx(0.3, abs=1e-6)


def test_one_column_of_each_kind_is_set() -> None:
    [row] = features(cells(difficulty="hard", name="dvts", vote="weighted", score="prod"))
    assert len(set(NAMES)) == len(NAMES) == len(row)
    kinds = ("difficulty_", "strategy_", "vote_", "score_")
    set_names = [name for name, value in zip(NAMES, row, strict=True)
                 if value and name.startswith(kinds)]  # fmt: skip
    assert set_names == ["difficulty_hard", "strategy_dvts", "vote_weighted", "score_prod"]
