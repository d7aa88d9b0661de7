"""Efficiency gain: curves with known crossings, the paper's own definition, bounds at the ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.estimate import StrategyEstimate
from planner.choice.majority_equivalent import (
    Efficiency,
    Gain,
    efficiency,
    majority_notes,
    reached_at,
)
from planner.costs.cost import Cost
from planner.notes import Note, NoteCode
from planner.prediction.beta import summarise
from tests.helpers.evidence_frames import frame_of, row

NO_ROWS = frame_of([])


def cell(
    strategy: Strategy, accuracy: float, flops: float, weight: float = 1e7
) -> StrategyEstimate:
    a, b = weight * accuracy, weight * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    cost = Cost(flops, 0.0, 0.0, flops=flops)
    return StrategyEstimate(strategy, accuracy, (low, high), (a, b), cost, 10, "measured")


MAJORITY = [
    cell(Majority(4), 0.40, 4.0),
    cell(Majority(16), 0.50, 16.0),
    cell(Majority(64), 0.60, 64.0),
]


def gains(choice: StrategyEstimate, others: list[StrategyEstimate]) -> dict[str, Efficiency]:
    return efficiency(choice, [*MAJORITY, choice, *others], NO_ROWS)


# Where a curve reaches an accuracy


@pytest.mark.parametrize(
    ("target", "budget", "side"),
    [
        (0.45, 2.5, 0),
        (0.40, 1.0, 0),
        (0.39, 1.0, -1),
        (0.50, 4.0, 0),
        (0.60, 64.0, 0),
        (0.55, 40.0, 0),
        (0.61, 64.0, 1),
    ],
)
def test_a_curve_is_read_between_its_points(target: float, budget: float, side: int) -> None:
    """It falls at 16: what 4 reaches, 16 reaches, and from there it rises to 64."""
    budgets, accuracy = np.array([64.0, 1.0, 4.0, 16.0]), np.array([[0.6, 0.4, 0.5, 0.3]])
    reached, where = reached_at(budgets, accuracy, np.array([target]))
    assert (reached[0], where[0]) == (pytest.approx(budget), side)


def test_of_equal_budgets_the_most_accurate_counts() -> None:
    accuracy = np.array([[0.4, 0.2, 0.6]])
    reached, where = reached_at(np.array([1.0, 4.0, 4.0]), accuracy, np.array([0.5]))
    assert (reached[0], where[0]) == (pytest.approx(2.5), 0)


curves = st.lists(st.tuples(st.integers(1, 256), st.floats(0, 1)), min_size=1, max_size=8)


@given(curve=curves, target=st.floats(0, 1))
def test_reached_budgets_are_those_of_numpy_on_a_strictly_rising_curve(
    curve: list[tuple[int, float]], target: float
) -> None:
    budgets = np.array([float(n) for n, _ in curve])
    accuracy = np.array([[a for _, a in curve]])
    reached, side = reached_at(budgets, accuracy, np.array([target]))
    grid = np.unique(budgets)
    best = [max(a for n, a in curve if n <= budget) for budget in grid]
    assert grid[0] <= reached[0] <= grid[-1]
    assert (side[0] == 1) == (target > best[-1])
    assert (side[0] == -1) == (target < best[0])
    if side[0] == 0 and np.all(np.diff(best) > 1e-9):
        assert reached[0] == pytest.approx(np.interp(target, best, grid), abs=1e-6)


# Gains


def test_the_budget_of_majority_over_that_of_the_choice_that_equals_it() -> None:
    found = gains(cell(BestOfN(4), 0.55, 8.0), [])
    assert set(found) == {"generations", "flops"}
    assert found["generations"].of_choice.gain == pytest.approx(40 / 4)
    assert found["flops"].of_choice.gain == pytest.approx(40 / 8)
    for one in found.values():
        low, high = one.of_choice.interval
        assert one.of_choice.relation == "="
        assert low <= one.of_choice.gain <= high
        assert high - low < 0.1


def test_the_gain_where_majority_is_best_is_the_papers() -> None:
    """Majority is best at 64 with 0.60; the others, from (4, .55) to (16, .65), are there at 10."""
    others = [cell(BestOfN(16), 0.65, 32.0)]
    found = gains(cell(BestOfN(4), 0.55, 8.0), others)
    assert found["generations"].at_majority_best.gain == pytest.approx(64 / 10)
    assert found["flops"].at_majority_best.gain == pytest.approx(64 / 20)
    assert found["flops"].at_majority_best.relation == "="


def test_a_gain_below_one_is_told() -> None:
    others = [cell(BestOfN(64), 0.65, 640.0)]
    found = gains(cell(BestOfN(4), 0.55, 40.0), others)
    assert found["flops"].at_majority_best.gain == pytest.approx(64 / 340)


@pytest.mark.parametrize(
    ("accuracy", "of_choice", "at_best"),
    [(0.7, (16.0, ">"), (16.0, ">")), (0.3, (1.0, "<"), (16.0, "<"))],
    ids=["never as accurate", "always more accurate"],
)
def test_beyond_what_was_measured_the_gain_is_a_bound(
    accuracy: float, of_choice: tuple[float, str], at_best: tuple[float, str]
) -> None:
    one = gains(cell(BestOfN(4), accuracy, 8.0), [])["generations"]
    assert (one.of_choice.gain, one.of_choice.relation) == of_choice
    assert (one.at_majority_best.gain, one.at_majority_best.relation) == at_best
    low, high = one.of_choice.interval
    assert (low, high) == ((16.0, math.inf) if accuracy == 0.7 else (0.0, 1.0))
    assert of_choice[1] == ">" if accuracy == 0.7 else "<"


def test_little_evidence_makes_wide_intervals() -> None:
    known = gains(cell(BestOfN(4), 0.55, 8.0), [])["flops"].of_choice.interval
    choice = cell(BestOfN(4), 0.55, 8.0, weight=20)
    guessed = gains(choice, [])["flops"].of_choice.interval
    assert guessed[0] < known[0]
    assert guessed[1] == math.inf


def test_problems_are_resampled_where_all_strategies_share_them() -> None:
    """Majority and the choice are right on the same problems: the gain has no spread at all."""
    strategies = {Majority(4): 0, Majority(16): 5, BestOfN(4): 5}
    rows = [row(s, str(i), i < 20 + more) for s, more in strategies.items() for i in range(40)]
    found = [cell(s, (20 + more) / 40, 10.0 * s.n) for s, more in strategies.items()]
    one = efficiency(found[2], found, frame_of(rows))["generations"].of_choice
    assert (one.gain, one.relation) == (pytest.approx(4.0), "=")
    assert one.interval == (pytest.approx(4.0), pytest.approx(4.0))
    again = efficiency(found[2], found, frame_of(rows))
    assert again["generations"].of_choice == one


def test_the_accuracy_of_majority_is_the_predicted_one() -> None:
    """A table beside the note shows predictions; measured means, .25 here, are other numbers."""
    strategies = [Majority(4), Majority(16), BestOfN(4)]
    rows = [row(s, str(i), i % 4 == 0) for s in strategies for i in range(40)]
    found = [
        cell(s, accuracy, 1.0) for s, accuracy in zip(strategies, (0.4, 0.45, 0.5), strict=True)
    ]
    one = efficiency(found[2], found, frame_of(rows))["generations"]
    assert (one.best_accuracy, one.best_budget) == (pytest.approx(0.45), 16.0)


def test_without_majority_or_where_it_is_chosen_there_is_no_gain() -> None:
    assert efficiency(MAJORITY[0], MAJORITY, NO_ROWS) == {}
    alone = cell(Greedy(), 0.5, 1.0)
    assert efficiency(alone, [alone], NO_ROWS) == {}


def test_a_gain_is_told_with_what_it_rests_on_all_units_together() -> None:
    found = gains(cell(BestOfN(4), 0.7, 8.0), [])
    gained = (("generations", 16.0, 16.0, math.inf), ("flops", 8.0, 8.0, math.inf))
    assert majority_notes(found) == [
        Note.of(NoteCode.MAJORITY_EQUIVALENT, relation=">", gains=gained),
        Note.of(
            NoteCode.MAJORITY_AT_BEST, relation=">", gains=gained,
            accuracy=found["flops"].best_accuracy, generations=64.0, others_generations=4.0,
        ),
    ]  # fmt: skip
    record = found["flops"].to_dict()
    assert record["of_choice"]["relation"] == ">"
    assert record["at_majority_best"]["gain"] == pytest.approx(8.0)
    assert record["majority_best"] == {
        "accuracy": pytest.approx(0.6), "budget": 64.0, "others_budget": 8.0,
    }  # fmt: skip


def test_what_majority_reaches_is_told_with_both_budgets() -> None:
    found = gains(cell(BestOfN(4), 0.55, 8.0), [cell(BestOfN(16), 0.65, 32.0)])
    [equal, best] = majority_notes(found)
    assert (equal.code, equal.text("relation")) == (NoteCode.MAJORITY_EQUIVALENT, "=")
    assert equal.items("gains")[0][:2] == ("generations", pytest.approx(10.0))
    assert equal.items("gains")[-1][0] == "flops"
    assert (best.code, best.text("relation")) == (NoteCode.MAJORITY_AT_BEST, "=")
    assert best.number("accuracy") == pytest.approx(0.6)
    assert best.number("generations") == 64.0
    assert best.number("others_generations") == pytest.approx(10.0)
    assert best.items("gains")[0][1] == pytest.approx(6.4)


def noted(of_choice: Gain, at_majority_best: Gain) -> list[Note]:
    beside = Efficiency(of_choice, at_majority_best, 0.5, 64.0, 16.0)
    return majority_notes({"generations": beside})


def test_a_bound_that_leaves_open_which_takes_more_is_not_said() -> None:
    some = (0.1, 10.0)
    open_, equal = Gain(0.25, ">", some), Gain(0.25, "=", some)
    upper = Gain(4.0, "<", some)
    assert noted(open_, upper) == [] == majority_notes({})
    gained = (("generations", 0.25, 0.1, 10.0),)
    assert noted(equal, open_) == [
        Note.of(NoteCode.MAJORITY_EQUIVALENT, relation="=", gains=gained)
    ]  # fmt: skip
    [best] = noted(open_, equal)
    assert (best.code, best.text("relation")) == (NoteCode.MAJORITY_AT_BEST, "=")
    assert (best.items("gains"), best.number("others_generations")) == (gained, 16.0)


def test_a_bound_whose_interval_says_more_keeps_it() -> None:
    [note] = noted(Gain(4.0, ">", (2.5, math.inf)), Gain(1.0, ">", (1.0, math.inf)))
    assert note.items("gains") == (("generations", 4.0, 2.5, math.inf),)
