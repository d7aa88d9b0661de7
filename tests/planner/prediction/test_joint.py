"""The joint estimate of strategies that share problems."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from planner.prediction import joint as module
from planner.prediction.joint import Joint, joint

EXPECTED = np.array([0.3, 0.5, 0.6, 0.7])


def estimate(outcomes: np.ndarray) -> Joint:
    return joint(EXPECTED[: outcomes.shape[1]], outcomes)


def live(chances: np.ndarray, problems: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((problems, len(chances))) < chances).astype(float)


def test_one_strategy_has_the_mean_of_its_problems() -> None:
    outcomes = live(np.array([0.4]), 50)
    found = estimate(outcomes)
    assert found.mean == pytest.approx(outcomes.mean(axis=0))


def test_many_problems_outweigh_the_formulas() -> None:
    chances = np.array([0.7, 0.6, 0.5, 0.3])  # the formulas say the opposite
    outcomes = live(chances, 20_000)
    assert estimate(outcomes).mean == pytest.approx(outcomes.mean(axis=0), abs=0.01)


def test_the_level_is_that_of_the_problems_and_few_leave_the_contrasts_to_the_formulas() -> None:
    outcomes = live(np.full(4, 0.5), 3)
    found = estimate(outcomes)
    assert found.mean.mean() == pytest.approx(outcomes.mean(), abs=0.02)
    assert (np.diff(found.mean) > 0).all()


@given(
    problems=st.integers(1, 30), seed=st.integers(0, 10_000),
    chances=st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4),
)  # fmt: skip
def test_no_interval_is_narrower_than_that_of_the_problems(
    problems: int, seed: int, chances: list[float]
) -> None:
    outcomes = live(np.array(chances), problems, seed)
    found = estimate(outcomes)
    squares = ((outcomes - outcomes.mean(axis=0)) ** 2).sum(axis=0)
    assert (found.variance >= squares / (problems + module._WORTH) / problems).all()
    a, b = found.beta()
    assert (a / (a + b)) == pytest.approx(found.mean)
    assert (found.mean > 0).all() and (found.mean < 1).all()


@pytest.mark.parametrize("outcome", [0.0, 1.0])
@pytest.mark.parametrize("problems", [1, 5, 300])
def test_outcomes_that_are_all_equal_have_an_interval(outcome: float, problems: int) -> None:
    a, b = estimate(np.full((problems, 4), outcome)).beta()
    low, high = beta.ppf(0.05, a, b), beta.ppf(0.95, a, b)
    assert (high - low > 0.1 / (problems + 10)).all()


def test_a_strategy_without_outcomes_is_less_certain_than_its_neighbours() -> None:
    outcomes = live(np.array([0.3, 0.5, 0.6, 0.7]), 200)
    whole = estimate(outcomes)
    outcomes[:, 3] = np.nan
    found = estimate(outcomes)
    assert found.mean[3] > found.mean[2]
    assert found.own[3] == 0
    assert found.variance[3] > whole.variance[3]
    assert found.mean[:3] == pytest.approx(whole.mean[:3], abs=0.02)


def test_a_strategy_run_on_fewer_problems_is_shrunk_more() -> None:
    outcomes = live(np.full(4, 0.5), 200)
    few = outcomes.copy()
    few[20:, 3] = np.nan
    assert estimate(few).own[3] < estimate(outcomes).own[3]


def test_the_best_of_equal_strategies_is_overstated_less_than_by_its_own_mean() -> None:
    expected = np.full(12, 0.5)
    rng = np.random.default_rng(1)
    over = {"measured": 0.0, "estimate": 0.0}
    for _ in range(200):
        outcomes = (rng.random((12, 12)) < 0.5).astype(float)
        over["measured"] += (outcomes.mean(axis=0).max() - 0.5) / 200
        found = joint(expected, outcomes).mean
        over["estimate"] += (found.max() - 0.5) / 200
    assert over["measured"] > 0.2
    assert over["estimate"] < 0.1


def test_an_estimate_lies_between_its_outcomes_and_the_formula() -> None:
    """The weight of the outcomes is T / (T + R), with T and R by hand for outcomes of 0 and 1."""
    outcomes = live(np.array([0.2, 0.5, 0.5, 0.8]), 40)
    found, means = estimate(outcomes), outcomes.mean(axis=0)
    centre = module._levelled(EXPECTED, means, np.full(4, 40.0))
    assert centre.mean() == pytest.approx(means.mean())
    plain = centre * (1 - centre)
    prior = module.DEVIATION**2 * plain + 0.3**2 * (centre - centre.mean()) ** 2
    variance = (40 * means * (1 - means) + 12 * plain) / (39 + 12)
    weight = prior / (prior + variance / 40)
    assert found.own == pytest.approx(weight)
    assert found.mean == pytest.approx(centre + weight * (means - centre))


def test_replayed_expectations_say_more_than_outcomes_of_0_and_1() -> None:
    rng = np.random.default_rng(0)
    outcomes = live(np.full(4, 0.5), 30)
    outcomes[:, 3] = rng.uniform(0.4, 0.6, 30)
    found = estimate(outcomes)
    assert found.own[3] > found.own[2]
    assert found.variance[3] < found.variance[2] / 2


def test_a_precise_estimate_is_not_moved_by_imprecise_ones() -> None:
    """Strategies that vary much must not lend their luck to one that hardly varies."""
    rng = np.random.default_rng(0)
    outcomes = live(np.full(4, 0.3), 200)
    outcomes[:, 0] = rng.uniform(0.0, 0.05, 200)
    assert estimate(outcomes).mean[0] == pytest.approx(outcomes[:, 0].mean(), abs=0.005)
