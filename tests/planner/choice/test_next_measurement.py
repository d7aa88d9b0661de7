"""The value of measuring more: against enumeration, in closed form, and where it must be 0."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom

from executor.errors import InputError
from executor.strategy import BestOfN, Dvts, Greedy, Majority, key
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.next_measurement import (
    DRAWS,
    NextMeasurement,
    drawn_together,
    measurement_note,
    next_measurement,
)
from planner.choice.recommend import choose
from planner.costs.cost import Cost
from planner.notes import Note, NoteCode
from planner.prediction.beta import summarise

NO_LIMIT = Constraint()
STRATEGIES = (Greedy(), Majority(4), BestOfN(16), Dvts(64))
PRIOR = 4.0
# Chances and means over draws; four standard errors of a number in [0, 1].
FOUR_ERRORS = 4 * 0.5 / sqrt(DRAWS)


def cell(
    number: int, beta: tuple[float, float], price: float, problems: int = 10
) -> StrategyEstimate:
    mean, low, high = (float(x) for x in summarise(*map(np.array, beta)))
    cost = Cost(10 * price, 1.0, 0.0, flops=price)
    return StrategyEstimate(
        STRATEGIES[number], mean, (low, high), beta, cost, problems, "measured", prior_weight=PRIOR
    )


def of(
    table: Sequence[Sequence[float]], *prices: float, mean: float = 0.5
) -> list[StrategyEstimate]:
    """Strategies, a column each, on problems, a row each; a prior of 4 problems at `mean`."""
    outcomes = np.array(table, dtype=float)
    right, seen = outcomes.sum(axis=0), len(outcomes)
    return [
        cell(i, (PRIOR * mean + r, PRIOR * (1 - mean) + seen - r), price, seen)
        for i, (r, price) in enumerate(zip(right, prices or [1.0] * len(right), strict=True))
    ]


def rows_of(table: Sequence[Sequence[float]]) -> pd.DataFrame:
    return pd.DataFrame(
        {"problem": str(p), "strategy": key(STRATEGIES[i]), "accuracy": accuracy}
        for p, outcomes in enumerate(table)
        for i, accuracy in enumerate(outcomes)
    )


def measured(
    found: list[StrategyEstimate],
    table: Sequence[Sequence[float]] = (),
    constraint: Constraint = NO_LIMIT,
    problems: int = 5,
) -> NextMeasurement:
    made = choose("all", found, constraint)
    rows = rows_of(table) if table else rows_of([[0.0]]).iloc[:0]
    return next_measurement(made, found, constraint, rows, problems)


def urn(
    table: Sequence[Sequence[float]], constraint: Constraint, problems: int, mean: float
) -> tuple[float, float, float]:
    """Chance, gain and saving by drawing from an urn in every order: a ball a problem seen, and
    four balls of problems that are right for all strategies with the prior's mean."""
    found = of(table, *range(1, len(table[0]) + 1), mean=mean)
    width = len(table[0])
    balls = [(tuple(row), 1.0) for row in table]
    balls += [((1.0,) * width, PRIOR * mean), ((0.0,) * width, PRIOR * (1 - mean))]
    made = choose("all", found, constraint)
    # In the order of today's answer: of equal ones the first is chosen.
    ranked = [found.index(one) for one in (made.choice, *made.alternatives)]
    today = max(one.predicted_accuracy for one in found)
    chance = gain = saving = 0.0
    for order in itertools.product(range(len(balls)), repeat=problems):
        weight, drawn = 1.0, Counter[int]()
        for at, ball in enumerate(order):
            total = sum(w for _, w in balls) + at
            weight *= (balls[ball][1] + drawn[ball]) / total
            drawn[ball] += 1
        more = [*table, *(balls[ball][0] for ball in order)]
        then = of(more, *range(1, width + 1), mean=mean)
        picked = choose("all", [then[i] for i in ranked], constraint).choice
        chance += weight * (picked.strategy != made.choice.strategy)
        gain += weight * (max(one.predicted_accuracy for one in then) - today)
        saving += weight * (made.choice.price("flops") - picked.price("flops"))
    return chance, gain, saving


@pytest.mark.parametrize(
    "table",
    [
        [(1, 0), (0, 1), (0, 1)],
        [(1, 0, 1), (0, 1, 0), (1, 1, 0), (0, 0, 1)],
        [(0.7, 0.2), (0.1, 0.9), (1.0, 0.0), (0.3, 0.4)],
    ],
    ids=["two", "three", "shares"],
)
@pytest.mark.parametrize(
    "constraint", [NO_LIMIT, Constraint(target_accuracy=0.45, confidence=0.5)], ids=["best", "sure"]
)
def test_values_are_those_of_drawing_whole_problems_from_an_urn(
    table: list[tuple[float, ...]], constraint: Constraint
) -> None:
    found = of(table, *range(1, len(table[0]) + 1), mean=0.45)
    one = measured(found, table, constraint, problems=3)
    chance, gain, saving = urn(table, constraint, 3, 0.45)
    assert one.together
    assert one.chance == pytest.approx(chance, abs=FOUR_ERRORS)
    assert one.gain == pytest.approx(gain, abs=0.2 * FOUR_ERRORS)
    assert one.saving == pytest.approx(saving, abs=2 * FOUR_ERRORS)


def test_of_one_strategy_that_is_right_or_wrong_outcomes_are_beta_binomial() -> None:
    table = np.array([[1.0], [0.0], [1.0], [1.0]])
    a, b = PRIOR * 0.3 + 3, PRIOR * 0.7 + 1
    rng = np.random.default_rng(0)
    right = drawn_together(table, np.array([a / (a + b)]), np.array([PRIOR]), 6, 20_000, rng)
    shares = np.bincount(right[:, 0].astype(int), minlength=7) / len(right)
    assert shares == pytest.approx(betabinom.pmf(range(7), 6, a, b), abs=0.015)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(*[st.floats(0, 1)] * 3), min_size=1, max_size=12),
    st.tuples(*[st.floats(0.05, 0.95)] * 3), st.tuples(*[st.floats(0.5, 20)] * 3),
)  # fmt: skip
def test_what_is_drawn_is_expected_to_be_what_is_believed(
    table: list[tuple[float, ...]], prior: tuple[float, ...], weights: tuple[float, ...]
) -> None:
    """Whatever each strategy's own prior and its weight: or drawing would itself be evidence."""
    seen, w = np.array(table), np.array(weights)
    means = (w * prior + seen.sum(axis=0)) / (w + len(seen))
    right = drawn_together(seen, means, w, 4, 4000, np.random.default_rng(0))
    assert right.mean(axis=0) / 4 == pytest.approx(means, abs=4 * 0.5 / sqrt(4000))


def test_strategies_that_always_answer_alike_cannot_be_told_apart() -> None:
    table = [(float(x), float(x)) for x in (1, 0, 1, 1, 0, 0.5, 0.3)]
    one = measured(of(table, 1.0, 1.0), table, problems=20)
    assert (one.chance, one.gain, one.saving) == (0.0, 0.0, 0.0)
    apart = measured(of(table, 1.0, 1.0), problems=20)  # no rows to say that they go together
    assert not apart.together
    assert apart.chance > 0.2 and apart.gain > 0.01


def test_the_less_strategies_go_together_the_more_there_is_to_learn() -> None:
    alike = [(1, 1)] * 9 + [(0, 0)] * 9 + [(1, 0), (0, 1)]
    against = [(1, 0)] * 10 + [(0, 1)] * 10
    gains = [measured(of(t, 1.0, 1.0), t, problems=10).gain for t in (alike, against)]
    assert 0 < gains[0] < 0.4 * gains[1]


def test_without_shared_problems_strategies_are_independent() -> None:
    """Two Beta-binomials, enumerated."""
    found = [cell(0, (6.0, 4.0), 1.0), cell(1, (7.0, 5.0), 2.0)]
    one = measured(found, problems=8)
    gain = 0.0
    for k, j in itertools.product(range(9), repeat=2):
        weight = betabinom.pmf(k, 8, 6, 4) * betabinom.pmf(j, 8, 7, 5)
        gain += weight * (max((6 + k) / 18, (7 + j) / 20) - 0.6)
    assert not one.together
    assert one.gain == pytest.approx(gain, abs=0.2 * FOUR_ERRORS)


def test_outcomes_that_count_more_move_beliefs_more() -> None:
    """A posterior in which 10 problems weigh as 40: so do those that come."""
    table = [(1.0, 0.4), (0.8, 0.5)] * 5
    plain = of(table, 1.0, 1.0)
    surer = [
        replace(one, beta=(PRIOR / 2 + 4 * r, PRIOR / 2 + 4 * (10 - r)))
        for one, r in zip(plain, (9.0, 4.5), strict=True)
    ]
    made = choose("all", surer, NO_LIMIT)
    one = next_measurement(made, surer, NO_LIMIT, rows_of(table), 10, draws=50)
    assert one.together
    # Problems this much alike leave nothing to learn of which is better.
    assert (one.chance, one.gain) == (0.0, 0.0)


def test_where_nothing_can_change_a_measurement_is_worth_nothing() -> None:
    table = [(1.0,), (0.0,)]
    alone = measured(of(table), table)
    assert (alone.chance, alone.gain, alone.saving) == (0.0, 0.0, 0.0)
    note = measurement_note(alone, choose("all", of(table), NO_LIMIT))
    assert note == Note.of(NoteCode.MEASUREMENT_CHANGES_NOTHING, problems=5)


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 3), min_size=2, max_size=10))
def test_it_is_never_worth_less_than_nothing(table: list[tuple[float, ...]]) -> None:
    one = measured(of(table, 1.0, 2.0, 3.0), table)
    assert one.gain >= 0
    assert 0 <= one.chance <= 1


def test_equal_questions_get_equal_answers() -> None:
    table = [(1, 0), (0, 1), (0, 1)]
    assert measured(of(table), table) == measured(of(table), table)


def test_what_would_change_the_answer_is_a_note() -> None:
    table = [(1, 0)] * 4 + [(0, 1)] * 5
    found = of(table, 1.0, 2.0)
    made = choose("all", found, NO_LIMIT)
    one = measured(found, table, problems=8)
    note = measurement_note(one, made)
    assert note == Note.of(
        NoteCode.MEASUREMENT_MAY_CHANGE, problems=8, samples=0, live=("greedy", "majority"),
        chance=one.chance, together=True, gain=one.gain,
        saving=one.saving / made.choice.price("flops"), unit="flops", tokens=240.0,
    )  # fmt: skip
    assert not measurement_note(replace(one, together=False), made).flag("together")


def test_tokens_that_nobody_counted_are_not_known() -> None:
    table = [(1, 0)] * 4 + [(0, 1)] * 5
    cost = Cost(float("nan"), float("nan"), float("nan"))
    found = [replace(one, cost=cost) for one in of(table, 1.0, 2.0)]
    one = measured(found, table, problems=8)
    assert one.cost["generated_tokens"] is None
    assert measurement_note(one, choose("all", found, NO_LIMIT))["tokens"] is None


def test_fewer_than_one_problem_is_one_line() -> None:
    with pytest.raises(InputError, match="next-problems is 0; expected"):
        measured(of([(1.0,)]), problems=0)
