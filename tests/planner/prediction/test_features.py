"""Structural features: best-of-N under a binormal PRM, and the matrix the model learns from."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from executor.strategy import Aggregate, BestOfN, Greedy, Majority, ShortMOfK, Strategy
from planner.evidence.cells import cells as cells_of
from planner.prediction.features import (
    GROUPS,
    NAMES,
    RISING,
    best_of_n_accuracy,
    binormal_signal,
    describe,
    features,
    majority_accuracy,
)
from tests.helpers.evidence_frames import frame_of, row

probability = st.floats(0.01, 0.99)
budget = st.integers(1, 256)
signal = st.floats(-3.2, 3.2)


def best_of_n(rate: float, distance: float, n: int) -> float:
    arguments = (np.array([value], dtype=float) for value in (rate, distance, n))
    return float(best_of_n_accuracy(*arguments)[0])


def cells(**columns: object) -> pd.DataFrame:
    plain = {
        "difficulty": "easy", "name": "best_of_n", "n": 4, "width": 0, "score": "last",
        "vote": "max",
        "pass_at_1": 0.3, "prm_auc_within": 0.8, "prm_gap": 0.2, "expected_coverage": 0.7,
        "expected_majority": 0.4, "expected_best_of_n": 0.5,
    }  # fmt: skip
    return pd.DataFrame([plain | columns])


def odds(accuracy: float) -> float:
    return math.log(accuracy / (1 - accuracy))


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


def majority(rate: float, rival: float, n: int) -> float:
    return float(majority_accuracy(*(np.array([x], dtype=float) for x in (rate, rival, n)))[0])


@pytest.mark.parametrize(("rate", "rival"), [(0.3, 0.2), (0.15, 0.4), (0.6, 0.1)])
@pytest.mark.parametrize("n", [2, 4, 16, 64])
def test_a_majority_is_what_simulated_votes_give(rate: float, rival: float, n: int) -> None:
    rng = np.random.default_rng(0)
    right, wrong, others = rng.multinomial(n, [rate, rival, 1 - rate - rival], 20_000).T
    leaders = 1 + (right == wrong) + np.where(right == 1, others, 0)
    simulated = np.mean(np.where((right >= wrong) & (right > 0), 1 / leaders, 0))
    assert majority(rate, rival, n) == pytest.approx(simulated, abs=0.02)


@given(rate=probability, share=st.floats(0, 1), n=st.integers(17, 256))
def test_a_majority_of_one_is_pass_at_1_and_a_large_one_leans_to_the_leader(
    rate: float, share: float, n: int
) -> None:
    rival = share * (1 - rate)
    assert majority(rate, rival, 1) == pytest.approx(rate)
    assert (majority(rate, rival, n) - 0.5) * (rate - rival) >= 0


@given(n=budget)
def test_a_majority_of_no_answers_is_never_right(n: int) -> None:
    assert majority(0.0, 0.0, n) == 0.0


# What a frame says of its policies and PRMs

RATES = {"a": 0.9, "b": 0.5, "c": 0.2}


def frame(**columns: object) -> pd.DataFrame:
    strategies = (Greedy(), Majority(4), BestOfN(4), BestOfN(16))
    return frame_of(
        [
            row(strategy, problem, 1.0, difficulty="easy" if rate >= 0.5 else "medium",
                pass_at_1=rate, **{"rival": (1 - rate) / 2} | columns)
            for problem, rate in RATES.items()
            for strategy in strategies
        ]
    )  # fmt: skip


def described(evidence: pd.DataFrame, name: str = "best_of_n", n: int = 4, level: str = "all"):
    table = describe(cells_of(evidence), evidence)
    [found] = table[
        (table["name"] == name) & (table["n"] == n) & (table["difficulty"] == level)
    ].to_dict("records")
    return found


@pytest.mark.parametrize(("level", "problems"), [("all", "abc"), ("easy", "ab"), ("medium", "c")])
def test_theory_is_asked_of_every_problem_and_averaged(level: str, problems: str) -> None:
    cell = described(frame(), level=level)
    rates = [RATES[problem] for problem in problems]
    distance = math.sqrt(2) * norm.ppf(0.7)
    assert cell["pass_at_1"] == pytest.approx(np.mean(rates))
    assert cell["expected_coverage"] == pytest.approx(np.mean([1 - (1 - p) ** 4 for p in rates]))
    assert cell["expected_best_of_n"] == pytest.approx(
        np.mean([best_of_n(p, distance, 4) for p in rates])
    )
    assert cell["expected_majority"] == pytest.approx(
        np.mean([majority(p, (1 - p) / 2, 4) for p in rates])
    )


@pytest.mark.parametrize(
    ("strategy", "votes"),
    [(ShortMOfK(16), 3), (ShortMOfK(4, 1), 1), (Aggregate(16, 3, 2), 4), (Majority(16), 16)],
)
def test_theory_takes_the_responses_that_vote_for_samples(strategy: Strategy, votes: int) -> None:
    rows = [row(strategy, problem, 1.0, pass_at_1=rate, rival=(1 - rate) / 2)
            for problem, rate in RATES.items()]  # fmt: skip
    evidence = frame_of(rows)
    cell = described(evidence, strategy.name, strategy.n)
    of_votes = np.mean([majority(p, (1 - p) / 2, votes) for p in RATES.values()])
    assert cell["expected_majority"] == pytest.approx(of_votes)
    assert column(pd.DataFrame([cell]), "expected") == pytest.approx(odds(of_votes))
    assert column(pd.DataFrame([cell]), f"strategy_{strategy.name}") == 1


def test_a_prm_is_described_by_means_over_problems_not_rows() -> None:
    evidence = frame()
    evidence.loc[evidence["problem"] == "a", ["prm_auc_within", "prm_gap"]] = [0.1, -0.4]
    evidence.loc[evidence["problem"] == "b", ["prm_auc_within", "prm_gap"]] = np.nan
    once = pd.concat([evidence, evidence[(evidence["problem"] == "a") & (evidence["n"] == 16)]])
    for level in ("all", "medium"):  # of the policy, not of the cell
        cell = described(once, level=level)
        assert cell["prm_auc_within"] == pytest.approx((0.1 + 0.7) / 2)
        assert cell["prm_gap"] == pytest.approx((-0.4 + 0.2) / 2)


def test_outcomes_are_not_looked_at() -> None:
    evidence = frame()
    turned = evidence.assign(accuracy=1 - evidence["accuracy"])
    asked = cells_of(evidence)
    pd.testing.assert_frame_equal(describe(asked, evidence), describe(asked, turned))


def test_describing_keeps_rows_and_their_order() -> None:
    evidence = frame()
    asked = cells_of(evidence).sample(frac=1, random_state=0)
    found = describe(asked, evidence)
    assert found.index.equals(asked.index)
    pd.testing.assert_frame_equal(found[["strategy", "difficulty"]],
                                  asked[["strategy", "difficulty"]])  # fmt: skip
    assert describe(asked[:0], evidence).empty


@pytest.mark.parametrize("missing", [["rival"], ["prm_auc_within", "prm_gap"], ["pass_at_1"]])
def test_features_of_what_is_not_known_are_finite(missing: list[str]) -> None:
    evidence = frame()
    evidence[missing] = np.nan
    asked = cells_of(evidence)
    for known in (evidence, evidence.assign(difficulty="unknown"), evidence[:0]):
        matrix = features(describe(asked, known))
        assert matrix.shape == (len(asked), len(NAMES))
        assert np.isfinite(matrix).all()


def test_a_prm_that_nothing_is_known_of_counts_as_useless() -> None:
    evidence = frame(prm_auc_within=np.nan, prm_gap=np.nan)
    cell = described(evidence)
    assert cell["expected_best_of_n"] == pytest.approx(np.mean(list(RATES.values())), abs=1e-3)
    assert column(pd.DataFrame([cell]), "prm_signal") == 0.0


# The matrix


def test_features_by_hand() -> None:
    frame = cells()
    assert column(frame, "log2_n") == 2.0
    assert column(frame, "logit_pass_at_1") == pytest.approx(odds(0.3))
    assert column(frame, "expected_coverage") == pytest.approx(odds(0.7))
    assert column(frame, "prm_signal") == pytest.approx(math.sqrt(2) * norm.ppf(0.8))
    assert column(frame, "prm_gap") == 0.2
    assert column(frame, "log2_width") == column(cells(name="dvts", width=4), "log2_width") == 0.0
    assert column(cells(name="dvts", width=16), "log2_width") == 2.0


@pytest.mark.parametrize(
    ("name", "score", "expected"),
    [("greedy", "", 0.3), ("majority", "", 0.4), ("adaptive_majority", "", 0.4),
     ("best_of_n", "last", 0.5), ("beam_search", "last", 0.5), ("particle_filter", "min", 0.5)],
)  # fmt: skip
def test_each_strategy_starts_from_its_own_theory(name: str, score: str, expected: float) -> None:
    assert column(cells(name=name, score=score), "expected") == pytest.approx(odds(expected))


def test_a_strategy_without_scores_knows_nothing_of_the_prm() -> None:
    plain = cells(name="majority", score="", vote="", prm_auc_within=0.95, prm_gap=0.5)
    assert column(plain, "prm_signal") == column(plain, "prm_gap") == 0.0


def test_groups_and_rising_features_exist_and_the_budget_may_fall() -> None:
    assert {name for group in GROUPS.values() for name in group} <= set(NAMES)
    assert set(RISING) <= set(NAMES)
    assert "log2_n" not in RISING


def test_one_column_of_each_kind_is_set() -> None:
    [row] = features(cells(difficulty="hard", name="dvts", vote="weighted", score="prod"))
    assert len(set(NAMES)) == len(NAMES) == len(row)
    kinds = ("difficulty_", "strategy_", "vote_", "score_")
    set_names = [name for name, value in zip(NAMES, row, strict=True)
                 if value and name.startswith(kinds)]  # fmt: skip
    assert set_names == ["difficulty_hard", "strategy_dvts", "vote_weighted", "score_prod"]
