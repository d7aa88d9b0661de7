"""Coverage of predictive intervals: right where predictions are, wrong where they are too sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planner.prediction.coverage import covered

CELLS = 4000
PLAIN = np.ones(CELLS)  # outcomes vary as right-or-wrong ones do
A, B = np.full(CELLS, 12.0), np.full(CELLS, 5.0)


def outcomes(decided: bool, problems: int, seed: int = 0) -> pd.DataFrame:
    """Held-out outcomes of cells whose accuracies are drawn from Beta(A, B)."""
    rng = np.random.default_rng(seed)
    accuracy = rng.beta(A, B)[:, None]
    if decided:
        values = (rng.random((CELLS, problems)) < accuracy).astype(float)
    else:  # expectations that scatter about the accuracy, with a tenth of the variance
        values = rng.beta(9 * accuracy, 9 * (1 - accuracy), (CELLS, problems))
    return pd.DataFrame(
        {"successes": values.sum(1), "squares": (values**2).sum(1), "rows": problems}
    )


@pytest.mark.parametrize("decided", [True, False], ids=["right or wrong", "expectations"])
@pytest.mark.parametrize("problems", [1, 7, 60])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_true_predictions_cover_what_they_say(decided: bool, problems: int, level: float) -> None:
    varied = PLAIN if decided else PLAIN / 10
    share = covered(A, B, varied, outcomes(decided, problems), level)
    assert ((share >= 0) & (share <= 1)).all()
    assert share.mean() == pytest.approx(level, abs=0.03)


def test_too_sure_a_posterior_covers_less_and_too_unsure_a_one_more() -> None:
    held_out = outcomes(True, 60)
    exact, sure, unsure = (
        covered(A * factor, B * factor, PLAIN, held_out).mean() for factor in (1, 20, 0.1)
    )
    assert sure < exact - 0.2
    assert unsure > exact + 0.02


def test_few_held_out_problems_cannot_tell_an_interval_without_width() -> None:
    """This is why the metric does not judge recommendations."""
    few, many = (
        covered(A * 1e6, B * 1e6, PLAIN, outcomes(True, problems)).mean() for problems in (5, 500)
    )
    assert few > 0.8
    assert many < 0.35


def test_a_wrong_mean_is_not_covered() -> None:
    assert covered(B, A, PLAIN, outcomes(True, 60)).mean() < 0.4


def test_certainty_that_comes_true_is_covered() -> None:
    """A mean of exactly 1 is no surprise to a prediction of nearly 1."""
    sure = pd.DataFrame({"successes": [20.0], "squares": [20.0], "rows": [20]})
    assert covered(np.array([500.0]), np.array([0.2]), np.ones(1), sure)[0] > 0.85
