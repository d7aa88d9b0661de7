"""The Pareto front against its definition, point by point."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.choice.pareto import pareto_front

Point = tuple[float, float]

# Few different values: ties in cost, in accuracy and in both.
points = st.lists(st.tuples(st.sampled_from([1, 2, 4, 8]), st.sampled_from([0.1, 0.5, 0.6, 0.9])))


def dominates(one: Point, other: Point) -> bool:
    return one != other and one[0] <= other[0] and one[1] >= other[1]


def front_of(given: list[Point]) -> list[Point]:
    cost, accuracy = [c for c, _ in given], [a for _, a in given]
    return [given[i] for i in pareto_front(cost, accuracy)]


@given(points)
def test_the_front_is_what_nothing_dominates(given: list[Point]) -> None:
    undominated = {p for p in given if not any(dominates(q, p) for q in given)}
    assert front_of(given) == sorted(undominated)


@given(points, st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(given: list[Point], random: Random) -> None:
    assert front_of(random.sample(given, len(given))) == front_of(given)


@given(points.filter(bool))
def test_the_front_leads_from_the_cheapest_to_the_most_accurate(given: list[Point]) -> None:
    front = front_of(given)
    assert front[0][0] == min(cost for cost, _ in given)
    assert front[-1][1] == max(accuracy for _, accuracy in given)
    assert np.all(np.diff(front, axis=0) > 0)


def test_of_equal_points_the_first_stands_for_all() -> None:
    assert pareto_front([2.0, 1.0, 1.0], [0.5, 0.5, 0.5]).tolist() == [1]


def test_an_infinite_cost_must_buy_something_too() -> None:
    assert pareto_front([1.0, math.inf], [0.5, 0.5]).tolist() == [0]
    assert pareto_front([1.0, math.inf], [0.5, 0.6]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("cost", "accuracy"),
    [([1.0, math.nan], [0.1, 0.2]), ([1.0], [math.nan]), ([1.0], [0.1, 0.2]), ([[1.0]], [[0.1]])],
)
def test_points_that_cannot_be_compared_are_refused(cost: object, accuracy: object) -> None:
    with pytest.raises(ValueError, match=r"not known|must be as many"):
        pareto_front(cost, accuracy)  # type: ignore[arg-type]
