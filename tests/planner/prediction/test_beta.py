"""Beta posteriors: what is predicted of more problems, and which of two is greater."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, norm

from planner.prediction.beta import predictive, probability_greater

parameters = st.floats(0.1, 300)
betas = st.tuples(parameters, parameters)


@given(a=parameters, b=parameters, trials=st.integers(1, 100))
def test_what_is_predicted_of_more_problems_is_beta_binomial(
    a: float, b: float, trials: int
) -> None:
    right = np.arange(trials + 1)
    assert predictive(a, b, trials) == pytest.approx(betabinom.pmf(right, trials, a, b), abs=1e-9)


@given(one=betas, other=betas)
def test_one_of_two_is_greater(one: tuple[float, float], other: tuple[float, float]) -> None:
    both = probability_greater(one, other) + probability_greater(other, one)
    assert both == pytest.approx(1.0, abs=1e-12)
    assert probability_greater(one, one) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("a", [0.5, 1.0, 7.0])
def test_the_chance_to_be_greater_in_closed_form(a: float) -> None:
    """P(X > Y) for X ~ Beta(a, 1) and Y uniform is E[X] = a / (a + 1)."""
    assert probability_greater((a, 1.0), (1.0, 1.0)) == pytest.approx(a / (a + 1), abs=1e-5)


def test_the_chance_to_be_greater_is_normal_where_much_is_known() -> None:
    one, other = (5_200.0, 4_800.0), (5_000.0, 5_000.0)
    distance = 0.02 / np.sqrt((0.52 * 0.48 + 0.25) / 10_000)
    assert probability_greater(one, other) == pytest.approx(norm.cdf(distance), abs=1e-4)
