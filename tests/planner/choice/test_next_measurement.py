"""The value of measuring more: against enumeration and in closed form; no choice is certain."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom
from scipy.stats import t as student

from executor.errors import InputError
from executor.strategy import BestOfN, Dvts, Greedy, Majority, key
from planner.choice.constraint import Constraint
from planner.choice.estimate import Shrunk, StrategyEstimate
from planner.choice.next_measurement import (
    DRAWS,
    NextMeasurement,
    beta_binomial,
    later_estimates,
    measurement_note,
    next_measurement,
)
from planner.choice.recommend import choose
from planner.choice.rules import INDIFFERENCE
from planner.costs.cost import Cost
from planner.notes import Note, NoteCode
from planner.prediction.beta import summarise
from planner.prediction.joint import joint

NO_LIMIT = Constraint()
STRATEGIES = (Greedy(), Majority(4), BestOfN(16), Dvts(64))
PRIOR = 4.0
# Chances and means over draws; four standard errors of a number in [0, 1].
FOUR_ERRORS = 4 * 0.5 / sqrt(DRAWS)


def cell(
    number: int,
    beta: tuple[float, float],
    price: float,
    problems: int = 10,
    prior: float = 0.5,
) -> StrategyEstimate:
    mean, low, high = (float(x) for x in summarise(*map(np.array, beta)))
    cost = Cost(10 * price, 1.0, 0.0, flops=price)
    shrunk = Shrunk(prior, problems / (problems + PRIOR))
    return StrategyEstimate(
        STRATEGIES[number], mean, (low, high), beta, cost, problems, "measured", shrunk=shrunk
    )


def of(
    table: Sequence[Sequence[float]], *prices: float, mean: float = 0.5
) -> list[StrategyEstimate]:
    """Strategies, a column each, on problems, a row each; a prior of 4 problems at `mean`."""
    outcomes = np.array(table, dtype=float)
    right, seen = outcomes.sum(axis=0), len(outcomes)
    return [
        cell(i, (PRIOR * mean + r, PRIOR * (1 - mean) + seen - r), price, seen, mean)
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


def two(seen: Sequence[tuple[float, float]], problems: int) -> tuple[float, float]:
    """Chance and gain in closed form, of the second of two strategies of one price.

    The later choice is the more accurate one, so it changes if the drawn difference makes up for
    the present one, which the prior shrank. The difference is Student's t, with half a problem of
    either disagreement, as large as the differences seen.
    """
    table = np.array(seen, dtype=float)
    n, m = len(table), problems
    apart = table[:, 1] - table[:, 0]
    size = ((apart**2).sum() + 1) / (np.abs(apart).sum() + 1)
    squares = ((apart - apart.mean()) ** 2).sum() + size
    scale = sqrt(squares / (n - 1) * (1 / n + 1 / m))
    drawn = student(n - 1, loc=apart.mean(), scale=scale)
    least = -apart.sum() * n / (n + PRIOR) / m
    chance = float(drawn.sf(least))
    grid = np.linspace(least, 1.0, 20_001)
    after = (n * apart.mean() + m * grid) / (n + m)
    return chance, float(np.trapezoid(after * drawn.pdf(grid), grid) + drawn.sf(1.0) * after[-1])


@pytest.mark.parametrize("problems", [5, 50])
@pytest.mark.parametrize(
    "table",
    [
        [(1, 0), (1, 0), (0, 1), (1, 1), (0, 0), (1, 1)] * 3,
        [(0.7, 0.2), (0.1, 0.4), (1.0, 0.9), (0.3, 0.4)] * 5,
        [(1, 1), (0, 0)] * 10 + [(1, 0)],
    ],
    ids=["outcomes", "shares", "one disagreement"],
)
def test_chance_and_gain_of_two_strategies_have_a_closed_form(
    table: list[tuple[float, float]], problems: int
) -> None:
    one = measured(of(table, 1.0, 1.0), table, problems=problems)
    chance, gain = two(table, problems)
    assert one.together
    assert one.chance == pytest.approx(chance, abs=FOUR_ERRORS)
    assert one.gain == pytest.approx(gain, abs=0.2 * FOUR_ERRORS)


def test_of_one_strategy_that_is_right_or_wrong_outcomes_are_beta_binomial() -> None:
    a, b = PRIOR * 0.3 + 3, PRIOR * 0.7 + 1
    right = beta_binomial(np.array([a]), np.array([b]), 6, 20_000, np.random.default_rng(0))
    shares = np.bincount(right[:, 0].astype(int), minlength=7) / len(right)
    assert shares == pytest.approx(betabinom.pmf(range(7), 6, a, b), abs=0.015)


def test_a_target_is_reached_by_what_the_choice_then_solves() -> None:
    """One strategy stays the choice whatever it solves; the cheaper one becomes it if it is sure.

    The dear one is right on all problems, so only the cheap one's outcomes decide.
    """
    table = [(1.0, 1.0)] * 28 + [(0.0, 1.0)] * 2
    found = of(table, 1.0, 5.0, mean=0.9)
    target = Constraint(target_accuracy=0.85, confidence=0.9)
    made = choose("all", found, target)
    assert made.choice is found[1]
    one = measured(found, table, target, problems=40)
    assert 0.2 < one.chance < 0.95
    assert one.saving == pytest.approx(4.0 * one.chance, abs=0.01)
    unreachable = measured(found, table, Constraint(target_accuracy=0.999), problems=5)
    assert unreachable.chance < 0.5


def test_strategies_that_always_answered_alike_may_part_and_little_is_gained() -> None:
    """Nothing seen tells them apart, and nothing says that they never differ."""
    table = [(float(x), float(x)) for x in (1, 0, 1, 1, 0, 0.5, 0.3)] * 4
    one = measured(of(table, 1.0, 1.0), table, problems=20)
    assert one.chance == pytest.approx(0.5, abs=FOUR_ERRORS)  # of equal means either may lead
    dearer = measured(of(table, 1.0, 2.0), table, problems=20)
    assert 0 < dearer.chance < one.chance
    assert 0 <= dearer.gain < 0.02
    apart = measured(of(table, 1.0, 1.0), problems=20)  # no rows to say that they go together
    assert not apart.together
    assert apart.gain > one.gain


def test_a_lead_that_no_draw_makes_up_for_is_still_not_certain() -> None:
    table = [(1.0, 0.0)] * 60 + [(1.0, 1.0)] * 60
    one = measured(of(table, 1.0, 1.0), table, problems=2)
    assert 0 < one.chance < 0.001
    note = measurement_note(one, choose("all", of(table, 1.0, 1.0), NO_LIMIT))
    assert note.code is NoteCode.MEASUREMENT_MAY_CHANGE


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
    one = next_measurement(made, surer, NO_LIMIT, rows_of(table), 10)
    assert one.together
    # Problems this much alike leave little to learn of which is better.
    assert one.chance < 0.05


def test_without_another_strategy_a_measurement_is_worth_nothing() -> None:
    table = [(1.0,), (0.0,)]
    alone = measured(of(table), table)
    assert (alone.chance, alone.gain, alone.saving) == (0.0, 0.0, 0.0)
    note = measurement_note(alone, choose("all", of(table), NO_LIMIT))
    assert note == Note.of(NoteCode.MEASUREMENT_CHANGES_NOTHING, problems=5)


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 3), min_size=2, max_size=10))
def test_it_loses_no_more_than_the_rule_accepts(table: list[tuple[float, ...]]) -> None:
    """About half a point, for a cheaper choice."""
    one = measured(of(table, 1.0, 2.0, 3.0), table)
    assert one.gain >= -2 * INDIFFERENCE
    assert 0 < one.chance < 1


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


def test_strategies_that_nobody_would_choose_do_not_change_the_chance() -> None:
    """Two rivals that disagreed once, and thirty others that solve next to nothing."""
    rivals = np.array([(1, 1), (0, 0)] * 20 + [(1, 0)], dtype=float)
    others = (np.random.default_rng(0).random((len(rivals), 30)) < 0.02).astype(float)
    strategies = [Majority(n) for n in range(1, 33)]
    found = [replace(of(column[:, None])[0], strategy=strategy)
             for column, strategy in zip(np.hstack([rivals, others]).T, strategies, strict=True)
             ]  # fmt: skip
    rows = pd.DataFrame(
        {"problem": str(p), "strategy": key(strategy), "accuracy": accuracy}
        for p, outcomes in enumerate(np.hstack([rivals, others]))
        for strategy, accuracy in zip(strategies, outcomes, strict=True)
    )
    two, all_together = (
        next_measurement(choose("all", some, NO_LIMIT), some, NO_LIMIT, rows, 50).chance
        for some in (found[:2], found)
    )
    assert two > 0.1
    assert all_together == pytest.approx(two, abs=FOUR_ERRORS)


@pytest.mark.parametrize(("seen", "problems"), [(30, 30), (60, 240)])
def test_later_estimates_are_about_those_that_the_joint_estimate_then_makes(
    seen: int, problems: int
) -> None:
    rng = np.random.default_rng(seen)
    expected = np.array([0.3, 0.45, 0.5, 0.6])
    chances = np.array([0.35, 0.4, 0.6, 0.55])
    outcomes = (rng.random((seen + problems, 1)) < chances).astype(float)
    now, then = joint(expected, outcomes[:seen]), joint(expected, outcomes)
    [found] = later_estimates(
        now.centre, now.own, outcomes[:seen].mean(axis=0),
        outcomes[seen:].mean(axis=0)[None, :], seen, problems,
    )  # fmt: skip
    assert found == pytest.approx(then.mean, abs=0.02)
    assert np.abs(then.mean - now.mean).max() > 0.04  # it has moved
