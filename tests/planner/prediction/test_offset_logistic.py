"""A regression that starts from a known answer: it keeps it without evidence, and corrects it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from planner.prediction.offset_logistic import OffsetLogistic, interactions

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(400, 3))


def test_with_no_freedom_the_offset_alone_speaks_but_for_its_mean() -> None:
    outcomes = expit(INPUTS[:, 1] + 0.7)
    fitted = OffsetLogistic(offset=1, C=1e-12).fit(INPUTS, outcomes)
    assert fitted.intercept_ == pytest.approx(0.7, abs=1e-3)
    assert fitted.predict_proba(INPUTS)[:, 1] == pytest.approx(outcomes, abs=1e-3)


def test_a_correction_in_an_interaction_is_learnt() -> None:
    truth = expit(INPUTS[:, 0] + 0.5 * INPUTS[:, 1] * INPUTS[:, 2] - 0.3)
    fitted = OffsetLogistic(offset=0, C=1e6).fit(INPUTS, truth)
    assert fitted.predict_proba(INPUTS)[:, 1] == pytest.approx(truth, abs=1e-4)


def test_with_a_flat_offset_it_is_a_ridge_logistic_regression() -> None:
    inputs = np.column_stack([np.zeros(400), INPUTS[:, 1:]])
    outcomes = (RNG.random(400) < expit(INPUTS[:, 1] - INPUTS[:, 2])).astype(float)
    own = OffsetLogistic(offset=0, C=0.3).fit(inputs, outcomes).predict_proba(inputs)
    known = LogisticRegression(C=0.3, tol=1e-10, max_iter=1000)
    z = interactions().fit_transform(inputs)
    assert own == pytest.approx(known.fit(z, outcomes).predict_proba(z), abs=1e-4)


def test_weights_count_as_repeated_rows() -> None:
    outcomes = (RNG.random(400) < expit(INPUTS[:, 0])).astype(float)
    times = RNG.integers(1, 4, 400)
    weighted = OffsetLogistic(C=0.1).fit(INPUTS, outcomes, times.astype(float))
    scaled = weighted.inputs_.transform(INPUTS)
    repeated = OffsetLogistic(C=0.1)
    repeated.fit(np.repeat(INPUTS, times, axis=0), np.repeat(outcomes, times))
    # Standardising sees rows, not weights; so the two have other units, and near equal answers.
    assert scaled.shape == (400, 6)
    one, other = (model.predict_proba(INPUTS)[:, 1] for model in (weighted, repeated))
    assert one == pytest.approx(other, abs=0.02)


def test_columns_that_never_vary_are_left_out() -> None:
    inputs = np.column_stack([INPUTS, np.ones(400)])
    # Three inputs, their three products with each other, and three with the constant.
    assert interactions().fit_transform(inputs).shape == (400, 9)
