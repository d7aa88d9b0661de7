"""Divisions by named difficulties: against a linear program, and where naming is right or mute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from executor.errors import InputError
from executor.strategy import Greedy, Majority, Strategy
from planner.costs.cost import Cost
from planner.workloads.allocation import Option, QueryClass, divide
from planner.workloads.misclassification import divide_by_assigned_difficulty

LEVELS = ("easy", "medium", "hard")
STRATEGIES: tuple[Strategy, ...] = (Greedy(), Majority(4), Majority(16))


def option(strategy: Strategy, accuracy: float, price: float) -> Option:
    interval = (max(accuracy - 0.1, 0.0), min(accuracy + 0.1, 1.0))
    return Option(strategy, accuracy, interval, Cost(price, 0.0, 0.0), price)


chance = st.floats(0.01, 1.0)
row = st.tuples(chance, chance, chance)
square = st.tuples(row, row, row)


@settings(max_examples=60)
@given(square, square, square, st.tuples(*[st.integers(1, 50)] * 3), st.floats(0.0, 1.2))
def test_it_is_the_best_of_all_ways_to_answer_by_name(
    accuracy: tuple[tuple[float, ...], ...], price: tuple[tuple[float, ...], ...],
    odds: tuple[tuple[float, ...], ...], queries: tuple[int, ...], part: float,
) -> None:  # fmt: skip
    """The same as a linear program over shares of those named so that get each strategy."""
    a, c, told = np.array(accuracy), 100 * np.array(price), np.array(odds)  # rows: true
    told /= told.sum(axis=1, keepdims=True)
    n = np.array(queries, dtype=float)
    known = {
        level: {s: option(s, a[t, i], c[t, i]) for i, s in enumerate(STRATEGIES)}
        for t, level in enumerate(LEVELS)
    }
    confusion = {
        true: dict(zip(LEVELS, told[t].tolist(), strict=True)) for t, true in enumerate(LEVELS)
    }
    counts = dict(zip(LEVELS, n.tolist(), strict=True))
    # By name and strategy: right answers and price if all that are named so get it.
    right, spent = np.einsum("t,tn,ts->ns", n, told, a), np.einsum("t,tn,ts->ns", n, told, c)
    budget = float(spent.min(axis=1).sum() + part * np.ptp(spent, axis=1).sum()) + 1e-6
    best = linprog(
        -right.ravel(), A_ub=spent.ravel()[None, :], b_ub=[budget],
        A_eq=np.kron(np.eye(3), np.ones(3)), b_eq=np.ones(3), bounds=(0, 1),
    )  # fmt: skip
    by_name, run = divide_by_assigned_difficulty(counts, known, confusion, budget)
    assert run.correct == pytest.approx(-best.fun, rel=1e-6)
    assert run.spent <= budget * (1 + 1e-8)
    assert (by_name.correct, by_name.spent) == (
        pytest.approx(run.correct), pytest.approx(run.spent),
    )  # fmt: skip
    ran: dict[str, float] = dict.fromkeys(LEVELS, 0.0)
    for one in run.parts:
        ran[one.level] += one.queries
    assert ran == pytest.approx(counts)


KNOWN = {
    "easy": {s: option(s, 0.9 + 0.01 * i, 10.0**i) for i, s in enumerate(STRATEGIES)},
    "hard": {s: option(s, 0.1 + 0.2 * i, 10.0**i) for i, s in enumerate(STRATEGIES)},
}
COUNTS = {"easy": 30.0, "hard": 10.0}
SURE = {"easy": {"easy": 1.0, "hard": 0.0}, "hard": {"easy": 0.0, "hard": 1.0}}
MUTE = {"easy": {"easy": 1.0, "hard": 0.0}, "hard": {"easy": 1.0, "hard": 0.0}}


def test_named_rightly_it_is_the_division_that_knows_the_difficulties() -> None:
    classes = {t: QueryClass(n, tuple(KNOWN[t].values())) for t, n in COUNTS.items()}
    plain = divide(classes, 400.0)
    by_name, run = divide_by_assigned_difficulty(COUNTS, KNOWN, SURE, 400.0)
    assert run.correct == by_name.correct == pytest.approx(plain.correct)
    assert by_name.interval() == pytest.approx(run.interval())


def test_who_calls_everything_easy_cannot_spend_more_on_the_hard() -> None:
    """By hand: 40 queries of 1 to begin with, and 10 more each of 4 gets right (.3 + .6) / 40."""
    _, run = divide_by_assigned_difficulty(COUNTS, KNOWN, MUTE, 40 + 9 * 20)
    assert run.correct == pytest.approx(30 * 0.9 + 10 * 0.1 + 20 * (30 * 0.01 + 10 * 0.2) / 40)
    told = {
        part.level for part in divide_by_assigned_difficulty(COUNTS, KNOWN, MUTE, 400.0)[0].parts
    }
    assert told == {"easy"}


def test_a_budget_that_does_not_reach_and_strategies_known_nowhere_are_refused() -> None:
    with pytest.raises(InputError, match="the cheapest strategies alone need 40"):
        divide_by_assigned_difficulty(COUNTS, KNOWN, SURE, 39.0)
    apart = {"easy": {Greedy(): KNOWN["easy"][Greedy()]},
             "hard": {Majority(4): KNOWN["hard"][Majority(4)]}}  # fmt: skip
    with pytest.raises(ValueError, match="on all queries that may be named easy"):
        divide_by_assigned_difficulty(COUNTS, apart, MUTE, 400.0)
