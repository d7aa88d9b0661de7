"""The rule of choice: how often it is sure of what is not so."""

from __future__ import annotations

import numpy as np
import pytest

from planner.choice.rules import cheapest_sure, most_accurate, sure_enough
from planner.prediction.beta import probability_above


def test_one_strategy_alone_must_be_as_sure_as_is_asked() -> None:
    assert sure_enough(0.95, 1) == pytest.approx(0.95)
    assert sure_enough(0.9, 20) == pytest.approx(0.995)


def test_among_many_that_are_no_better_than_the_target_hardly_one_is_called_sure() -> None:
    """Twenty strategies at a target of .60 itself, 80 problems each, again and again."""
    rng = np.random.default_rng(0)
    repetitions = 4000
    right = rng.binomial(80, 0.6, size=(repetitions, 20)).astype(float)
    surest = probability_above(1 + right, 81 - right, 0.6).max(axis=1)
    error = np.sqrt(0.05 * 0.95 / repetitions)
    assert np.mean(surest >= sure_enough(0.95, 20)) <= 0.05 + 3 * error
    assert np.mean(surest >= 0.95) > 0.3  # what each being 95 % sure comes to


def test_the_rule_asks_it_of_each() -> None:
    means, prices = np.array([[0.7, 0.8]]), np.array([1.0, 2.0])
    chances = np.array([[0.96, 0.98]])
    assert cheapest_sure(means, chances, prices, 0.95).tolist() == [1]
    assert cheapest_sure(means[:, :1], chances[:, :1], prices[:1], 0.95).tolist() == [0]


def test_prices_that_differ_by_rounding_alone_are_equal() -> None:
    means = np.array([[0.601, 0.602]])
    dearer = np.nextafter(1.0, 2.0)
    assert most_accurate(means, np.array([1.0, dearer])).tolist() == [1]
    assert most_accurate(means, np.array([1.0, 1.0 + 1e-6])).tolist() == [0]
