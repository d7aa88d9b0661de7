"""Divisions against brute force and linear programming; intervals against simulation."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

from executor.errors import InputError
from executor.strategy import Majority
from planner.costs.cost import Cost
from planner.workloads.allocation import (
    Division,
    Option,
    Part,
    QueryClass,
    difference,
    divide,
    equal_division,
    hull,
)


def option(n: int, accuracy: float, price: float, half: float = 0.1) -> Option:
    return Option(
        Majority(n), accuracy, (accuracy - half, accuracy + half), Cost(price, 0.0, 0.0), price
    )


prices, accuracies = st.integers(1, 12).map(float), st.integers(0, 20).map(lambda n: n / 20)
options = st.lists(st.tuples(accuracies, prices), min_size=1, max_size=4).map(
    lambda found: tuple(option(n + 1, *one) for n, one in enumerate(found))
)


def classes_of(largest: int) -> st.SearchStrategy[dict[str, QueryClass]]:
    one = st.builds(QueryClass, st.integers(1, largest).map(float), options)
    return st.dictionaries(st.sampled_from(["easy", "medium", "hard"]), one, min_size=1, max_size=2)


def cheapest(classes: Mapping[str, QueryClass]) -> float:
    return sum(one.queries * min(o.price for o in one.options) for one in classes.values())


def brute_force(classes: Mapping[str, QueryClass], budget: float) -> float:
    """The most expected right answers of any assignment of whole queries."""
    each = [
        list(itertools.combinations_with_replacement(one.options, int(one.queries)))
        for one in classes.values()
    ]
    return max(
        sum(o.accuracy for group in picked for o in group)
        for picked in itertools.product(*each)
        if sum(o.price for group in picked for o in group) <= budget + 1e-9
    )


def linear_program(classes: Mapping[str, QueryClass], budget: float) -> float:
    """The relaxed optimum by a general solver, over all options, not only those on hulls."""
    every = [(level, o) for level, one in classes.items() for o in one.options]
    sums = [[float(level == wanted) for level, _ in every] for wanted in classes]
    found = linprog(
        [-o.accuracy for _, o in every],
        A_ub=[[o.price for _, o in every]],
        b_ub=[budget],
        A_eq=sums,
        b_eq=[one.queries for one in classes.values()],
    )
    return -float(found.fun)


def check(division: Division, classes: Mapping[str, QueryClass], budget: float) -> None:
    """It keeps to the budget and gives every query one of its class's options."""
    assert division.spent <= budget * (1 + 1e-6)
    for level, one in classes.items():
        parts = [part for part in division.parts if part.level == level]
        assert sum(part.queries for part in parts) == pytest.approx(one.queries)
        assert all(part.option in one.options and part.queries > 0 for part in parts)


@given(classes=classes_of(30), slack=st.floats(0, 200))
def test_the_relaxed_division_is_the_optimum_of_the_linear_program(
    classes: dict[str, QueryClass], slack: float
) -> None:
    budget = cheapest(classes) + slack
    division = divide(classes, budget)
    check(division, classes, budget)
    assert division.correct == pytest.approx(linear_program(classes, budget), abs=1e-6)
    # One marginal class at most is split, between two options.
    assert len(division.parts) <= len(classes) + 1


@given(classes=classes_of(3), slack=st.integers(0, 30))
def test_whole_queries_fall_short_of_brute_force_by_less_than_one_step(
    classes: dict[str, QueryClass], slack: int
) -> None:
    budget = cheapest(classes) + slack
    division = divide(classes, budget, whole=True)
    check(division, classes, budget)
    assert all(part.queries.is_integer() for part in division.parts)
    best = brute_force(classes, budget)
    steps = [
        dear.accuracy - cheap.accuracy
        for one in classes.values()
        for cheap, dear in itertools.pairwise(hull(one.options))
    ]
    assert division.correct <= best + 1e-9 <= divide(classes, budget).correct + 2e-6
    assert best - division.correct < max(steps, default=0.0) + 1e-6


@given(classes=classes_of(3), slack=st.floats(0, 30), more=st.floats(0, 30))
def test_a_larger_budget_is_never_worse_and_never_than_equal_division(
    classes: dict[str, QueryClass], slack: float, more: float
) -> None:
    budget = cheapest(classes) + slack
    division = divide(classes, budget)
    assert divide(classes, budget + more).correct >= division.correct - 1e-6
    equal = equal_division(classes, budget)
    assume(equal is not None)
    assert equal is not None
    check(equal, classes, budget)
    assert division.correct >= equal.correct - 1e-6


@given(options)
def test_a_hull_is_above_every_option_and_concave(found: tuple[Option, ...]) -> None:
    kept = hull(found)
    x, y = [o.price for o in kept], [o.accuracy for o in kept]
    assert x == sorted(set(x)) and y == sorted(set(y))
    slopes = np.diff(y) / np.diff(x)
    assert (np.diff(slopes) < 0).all()
    for one in found:
        assert one.price >= x[0] - 1e-12
        assert np.interp(one.price, x, y) >= one.accuracy - 1e-9


def test_a_division_by_hand() -> None:
    """Ten easy queries gain nothing from more; ten hard ones gain .4 for 9 each."""
    easy = QueryClass(10.0, (option(1, 0.9, 1.0), option(16, 0.92, 16.0)))
    hard = QueryClass(10.0, (option(1, 0.1, 1.0), option(4, 0.2, 6.0), option(16, 0.5, 10.0)))
    whole = divide({"easy": easy, "hard": hard}, 20 + 4 * 9 + 5.0, whole=True)
    counts = {(p.level, p.option.strategy): p.queries for p in whole.parts}
    # n=4 lies below the hull: 5 more do not buy it for a query either.
    assert counts == {
        ("easy", Majority(1)): 10,
        ("hard", Majority(1)): 6,
        ("hard", Majority(16)): 4,
    }
    assert whole.correct == pytest.approx(9 + 0.6 + 2)
    split = divide({"easy": easy, "hard": hard}, 20 + 4.5 * 9)
    assert split.correct == pytest.approx(9 + 0.55 + 2.25)
    equal = equal_division({"easy": easy, "hard": hard}, 120.0)
    assert equal is not None
    assert [p.option.strategy for p in equal.parts] == [Majority(1), Majority(4)]
    assert equal_division({"easy": easy, "hard": hard}, 19.0) is None


def test_a_budget_that_does_not_reach_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^5: the cheapest strategies alone need 20$"):
        divide({"easy": QueryClass(10.0, (option(1, 0.5, 2.0),))}, 5.0)


# Intervals


def test_the_interval_of_one_part_is_its_options() -> None:
    low, high = Division((Part("easy", option(1, 0.5, 1.0), 200.0),)).interval()
    assert (low, high) == (pytest.approx(80), pytest.approx(120))


def test_what_two_divisions_share_does_not_blur_their_difference() -> None:
    shared, cheap, dear = option(1, 0.9, 1.0, 0.3), option(1, 0.2, 1.0), option(4, 0.3, 4.0)
    one = Division((Part("easy", shared, 50), Part("hard", dear, 10)))
    other = Division((Part("easy", shared, 50), Part("hard", cheap, 10)))
    value, (low, high) = difference(one, other)
    assert value == pytest.approx(1.0)
    assert (value - low, high - value) == (pytest.approx(2**0.5), pytest.approx(2**0.5))
    assert difference(one, one) == (0.0, (0.0, 0.0))


def test_independent_difficulties_add_by_squares_and_one_difficulty_adds_up() -> None:
    easy, hard = Part("easy", option(1, 0.5, 1, 0.3), 10), Part("hard", option(1, 0.5, 1, 0.4), 10)
    low, high = Division((easy, hard)).interval()
    assert (low, high) == (pytest.approx(10 - 5), pytest.approx(10 + 5))
    both = Division((easy, Part("easy", option(4, 0.5, 4, 0.4), 10)))
    assert both.interval()[1] == pytest.approx(10 + 7)


def test_intervals_cover_where_accuracies_are_measured() -> None:
    """Beta posteriors of two difficulties: the sum lies in its interval nine times in ten."""
    from planner.prediction.beta import summarise

    rng = np.random.default_rng(0)
    covered, trials = 0, 600
    for _ in range(trials):
        truths, parts = rng.beta(1, 1, 2), []
        for level, truth in zip(("easy", "hard"), truths, strict=True):
            right = rng.binomial(40, truth)
            mean, low, high = summarise(np.array(right + 1.0), np.array(41.0 - right))
            interval = (float(low), float(high))
            option = Option(Majority(1), float(mean), interval, Cost(1.0, 0.0, 0.0), 1.0)
            parts.append(Part(level, option, 30.0))
        low_sum, high_sum = Division(tuple(parts)).interval()
        covered += low_sum <= 30 * truths.sum() <= high_sum
    assert 0.87 <= covered / trials <= 0.93
