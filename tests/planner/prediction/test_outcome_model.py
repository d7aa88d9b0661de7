"""The outcome model: an estimator, and its posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn.base import clone

from executor.strategy import BestOfN, Greedy, Majority
from planner.evidence.cells import cells
from planner.prediction.beta import probability_above, summarise
from planner.prediction.features import describe
from planner.prediction.outcome_model import (
    FAMILIES,
    TAUGHT_FROM,
    Hyperparameters,
    OutcomeModel,
    variation,
)
from tests.helpers.evidence_frames import simulated_frame

CHANCES = {
    "easy": {Greedy(): 0.8, Majority(4): 0.9, BestOfN(4): 0.95},
    "hard": {Greedy(): 0.05, Majority(4): 0.1, BestOfN(4): 0.4},
}
FRAME = simulated_frame(CHANCES, 20)
ROWS = describe(cells(FRAME), FRAME)
ACCURACY = (ROWS["successes"] / ROWS["rows"]).to_numpy(float)

every_family = pytest.mark.parametrize("family", FAMILIES)


def fitted(family: str = "structural", **options: Any) -> OutcomeModel:
    return OutcomeModel(family, **options).fit(ROWS, ACCURACY, ROWS["rows"])


MODEL = fitted()


def evidence(right: float, problems: int, repeats: int = 1) -> pd.DataFrame:
    """One cell, with so many problems of which a share was right."""
    rows = problems * repeats
    return ROWS[:1].assign(successes=right * rows, squares=right * rows, problems=problems,
                           rows=rows)  # fmt: skip


@every_family
def test_a_clone_has_the_parameters_and_nothing_learnt(family: str) -> None:
    model = fitted(family, strength=0.3, leaves=5, prior_weight=7.0, random_state=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.get_params() == {
        "family": family, "strength": 0.3, "learning_rate": 0.1, "leaves": 5, "reward": True,
        "theory": True, "prior_weight": 7.0, "transfer_weight": 4.0, "random_state": 3,
    }  # fmt: skip
    assert not hasattr(copy, "classifier_")


def test_hyperparameters_are_the_parameters_and_have_their_defaults() -> None:
    defaults = OutcomeModel().get_params()
    assert defaults.pop("random_state") == 0
    assert OutcomeModel(**defaults).get_params() == OutcomeModel().get_params()
    assert {name: getattr(Hyperparameters(), name) for name in defaults} == defaults


@every_family
def test_a_refit_gives_the_same_and_leaves_its_input_alone(family: str) -> None:
    before = ROWS.copy()
    model = fitted(family)
    first = model.predict_proba(ROWS)
    for again in (model, clone(model)):
        assert np.array_equal(again.fit(ROWS, ACCURACY, ROWS["rows"]).predict_proba(ROWS), first)
    pd.testing.assert_frame_equal(ROWS, before)


@every_family
def test_predictions_are_probabilities_and_follow_the_evidence(family: str) -> None:
    model = fitted(family, strength=1.0)
    chances = model.predict_proba(ROWS)
    assert chances.shape == (len(ROWS), 2)
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(ROWS)))
    assert chances[:, 1].mean() == pytest.approx(ACCURACY.mean(), abs=0.02)
    easy, hard = (ROWS["difficulty"] == level for level in ("easy", "hard"))
    assert chances[easy, 1].min() > chances[hard, 1].max()


def test_a_fraction_counts_as_both_outcomes_with_their_weights() -> None:
    share = np.where(ROWS["difficulty"] == "hard", 0.25, 0.75)
    fractions = OutcomeModel(strength=0.4).fit(ROWS, share).predict_proba(ROWS)
    fourfold = pd.concat([ROWS] * 4, ignore_index=True)
    outcomes = np.concatenate([share >= part for part in (0.25, 0.5, 0.75, 1.0)]).astype(float)
    # Four times the rows weigh four times as much against the same regularisation.
    whole = OutcomeModel(strength=0.1).fit(fourfold, outcomes).predict_proba(ROWS)
    assert fractions == pytest.approx(whole, abs=1e-3)
    assert np.ptp(fractions[:, 1]) > 0.3


@every_family
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_evidence_of_one_outcome_only_is_fitted_and_predicted(family: str, outcome: float) -> None:
    model = OutcomeModel(family).fit(ROWS, np.full(len(ROWS), outcome))
    assert model.predict_proba(ROWS)[:, 1] == pytest.approx(np.full(len(ROWS), outcome), abs=0.01)


@every_family
def test_what_others_predict_of_a_policy_rests_on_none_of_its_outcomes(family: str) -> None:
    of_others = ROWS.assign(policy="other", problems=TAUGHT_FROM)
    other = ROWS[:1].assign(policy="third", successes=0.0)
    turned = ROWS.assign(successes=ROWS["rows"] - ROWS["successes"])
    predictions = []
    for own in (ROWS, turned):
        both = pd.concat([own, of_others, other], ignore_index=True)
        model = fitted(family).learn_from_others(both)
        predictions.append(model.expected_by_others(ROWS))
    assert predictions[0] is not None
    assert np.array_equal(*predictions)
    best = ROWS["successes"].to_numpy() / ROWS["rows"].to_numpy()
    assert np.corrcoef(predictions[0], best)[0, 1] > 0.5  # "other" is like it


def test_of_a_new_policy_the_whole_model_predicts_and_of_the_only_one_none() -> None:
    model = fitted().learn_from_others(ROWS.assign(problems=TAUGHT_FROM))
    assert model.expected_by_others(ROWS) is None
    found = model.expected_by_others(ROWS.assign(policy="new"))
    assert found == pytest.approx(model.predict_proba(ROWS)[:, 1])


def test_few_problems_teach_nothing_about_other_policies() -> None:
    few = ROWS.assign(problems=TAUGHT_FROM - 1)
    both = pd.concat([few, few.assign(policy="other")], ignore_index=True)
    model = fitted().learn_from_others(both)
    assert model.expected_by_others(ROWS) is None
    assert model.expected_by_others(ROWS.assign(policy="new")) is None
    # Many problems of one policy teach about the other, and few of the other nothing about it.
    uneven = pd.concat([few, few.assign(policy="other", problems=TAUGHT_FROM)], ignore_index=True)
    accuracy = (uneven["successes"] / uneven["rows"]).to_numpy(float)
    model = OutcomeModel().fit(uneven, accuracy, uneven["rows"]).learn_from_others(uneven)
    assert model.expected_by_others(ROWS) is not None
    assert model.expected_by_others(ROWS.assign(policy="other")) is None


def test_without_evidence_of_its_own_a_cell_has_the_prior() -> None:
    model = fitted(prior_weight=12.0)
    cell = evidence(0.0, 0)
    a, b = model.posterior(cell)
    assert a + b == pytest.approx(12.0)
    assert a / (a + b) == pytest.approx(model.predict_proba(cell)[:, 1])


@settings(max_examples=30)
@given(share=st.floats(0, 1), few=st.integers(1, 50), more=st.integers(2, 20))
def test_more_evidence_of_its_own_brings_a_cell_nearer_to_its_own_mean(
    share: float, few: int, more: int
) -> None:
    gaps, weights = [], []
    for problems in (few, few * more):
        a, b = MODEL.posterior(evidence(share, problems))
        gaps.append(abs(float(a[0] / (a[0] + b[0])) - share))
        weights.append(float(a[0] + b[0]))
    assert gaps[1] <= gaps[0] + 1e-12
    assert weights == pytest.approx([MODEL.prior_weight + few, MODEL.prior_weight + few * more])


def test_more_evidence_narrows_the_interval() -> None:
    widths = []
    for problems in (0, 10, 100, 1000):
        _, low, high = summarise(*MODEL.posterior(evidence(0.5, problems)))
        widths.append(float(high[0] - low[0]))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.06 < widths[0]


def test_a_prm_that_nothing_was_measured_with_has_a_wider_interval() -> None:
    model = fitted(prior_weight=20.0, transfer_weight=5.0)
    known = ROWS[ROWS["name"] == "best_of_n"][:1].assign(
        successes=0.0, squares=0.0, problems=0, rows=0
    )
    widths = []
    for new in ({}, {"prm": "other"}, {"policy": "other"}):
        a, b = model.posterior(known.assign(**new))
        _, low, high = summarise(a, b)
        widths.append(float(high[0] - low[0]))
        assert a + b == pytest.approx(5.0 if new else 20.0)
        assert model.prior_weights(known.assign(**new)).tolist() == [5.0 if new else 20.0]
    assert widths[0] < widths[1] == widths[2]


def test_expectations_say_more_than_outcomes_that_are_right_or_wrong() -> None:
    cell = evidence(0.5, 40)
    alike = cell.assign(squares=40 * (0.5**2 + 0.1**2))  # all near one half
    plain, narrow = (summarise(*MODEL.posterior(one)) for one in (cell, alike))
    assert narrow[2] - narrow[1] < 0.6 * (plain[2] - plain[1])


@given(right=st.integers(0, 30), wrong=st.integers(0, 30), mean=st.floats(0.01, 0.99))
def test_outcomes_of_0_and_1_vary_as_such(right: int, wrong: int, mean: float) -> None:
    cell = pd.DataFrame({"successes": [right], "squares": [right], "rows": [right + wrong]})
    assert variation(cell, np.array([mean])) == pytest.approx(1.0)


def test_variation_is_the_share_of_the_variance_that_outcomes_would_have() -> None:
    values = np.random.default_rng(0).beta(4, 6, 10_000)  # variance 0.24 / 11
    cell = pd.DataFrame(
        {"successes": [values.sum()], "squares": [(values**2).sum()], "rows": [len(values)]}
    )
    assert variation(cell, np.array([0.4]))[0] == pytest.approx(1 / 11, rel=0.05)
    few = pd.DataFrame({"successes": [0.8], "squares": [0.32], "rows": [2]})
    assert 0.5 < variation(few, np.array([0.4]))[0] < 1  # two that agree may do so by chance


def test_boosting_never_falls_where_theory_says_so() -> None:
    model = fitted("boosting")
    cell = ROWS[ROWS["name"] == "best_of_n"][:1]
    for name in ("prm_auc_within", "prm_gap", "expected_best_of_n", "expected_coverage"):
        rising = pd.concat([cell.assign(**{name: x}) for x in np.linspace(0.02, 0.98, 30)])
        assert (np.diff(model.predict_proba(rising)[:, 1]) >= -1e-12).all()


@pytest.mark.parametrize("family", ["logistic", "boosting"])
@pytest.mark.parametrize(
    ("left_out", "column"), [("reward", "prm_gap"), ("theory", "expected_best_of_n")]
)
def test_a_model_without_a_group_does_not_look_at_it(
    family: str, left_out: str, column: str
) -> None:
    model = fitted(family, **{left_out: False})
    moved = ROWS.assign(**{column: 0.5})
    assert np.array_equal(model.predict_proba(moved), model.predict_proba(ROWS))


@pytest.mark.parametrize("weight", [1.0, 10.0, 200.0])
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_ten_problems_of_one_outcome_are_no_certainty(weight: float, outcome: float) -> None:
    model = OutcomeModel(prior_weight=weight).fit(ROWS, np.full(len(ROWS), outcome))
    mean, low, high = (float(x[0]) for x in summarise(*model.posterior(evidence(outcome, 10))))
    assert low <= mean <= high
    assert high - low > 1e-3


def test_repeated_runs_of_a_problem_are_not_several_problems() -> None:
    once, often = (MODEL.posterior(evidence(0.7, 10, repeats)) for repeats in (1, 5))
    assert np.array(often) == pytest.approx(np.array(once))


@given(
    a=st.floats(0.05, 500), b=st.floats(0.05, 500), level=st.floats(0.5, 0.99),
    target=st.floats(0.01, 1),
)  # fmt: skip
def test_summaries_are_those_of_the_beta_distribution(
    a: float, b: float, level: float, target: float
) -> None:
    mean, low, high = summarise(np.array([a]), np.array([b]), level)
    posterior = beta(a, b)
    assert mean[0] == pytest.approx(posterior.mean())
    assert (low[0], high[0]) == pytest.approx(posterior.interval(level), abs=1e-9)
    above = float(probability_above(np.array(a), np.array(b), target))
    assert above == pytest.approx(posterior.sf(target), abs=1e-9)
