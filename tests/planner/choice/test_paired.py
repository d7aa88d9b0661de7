"""How two choices differ: by the problems both were run on, else by independent posteriors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from executor.strategy import BestOfN, Greedy, Majority, Strategy
from planner.choice.estimate import StrategyEstimate
from planner.choice.paired import ComparedBy, Contrast, measured
from planner.costs.cost import Cost
from planner.prediction.beta import deviation, probability_greater, summarise
from planner.prediction.paired_statistics import paired_interval
from tests.helpers.evidence_frames import frame_of, row


def cell(strategy: Strategy, accuracy: float, weight: float = 50) -> StrategyEstimate:
    a, b = weight * accuracy, weight * (1 - accuracy)
    _, low, high = (float(x) for x in summarise(np.array(a), np.array(b)))
    return StrategyEstimate(
        strategy, accuracy, (low, high), (a, b), Cost(1.0, 0.0, 0.0), 50, "measured"
    )


FIRST, OTHER = cell(BestOfN(4), 0.7), cell(Majority(4), 0.6)


def rows_of(*right: tuple[Strategy, set[int]], problems: int = 50) -> pd.DataFrame:
    return frame_of([row(s, str(i), i in solved) for s, solved in right for i in range(problems)])


def test_on_shared_problems_the_difference_is_paired() -> None:
    """Of 50 problems 35 and 30 are solved. Nested, only 5 tell the two apart; crossed, 35 do."""
    first = (BestOfN(4), set(range(35)))
    nested = measured(rows_of(first, (Majority(4), set(range(30)))))(OTHER, FIRST)
    crossed = measured(rows_of(first, (Majority(4), set(range(20, 50)))))(OTHER, FIRST)
    assert nested.paired == crossed.paired == 50
    assert nested.better < crossed.better
    assert nested.basis is ComparedBy.PROBLEMS and nested.paired == 50
    low, high = paired_interval(np.array([-1.0] * 5 + [0.0] * 45))
    error = (high - low) / 2 / norm.ppf(0.975)
    assert nested.error == pytest.approx(error)
    assert nested.better == pytest.approx(norm.cdf(-0.1 / error))
    reach = norm.ppf(0.95) * error
    assert nested.interval == pytest.approx((-0.1 - reach, -0.1 + reach))
    assert nested.told_apart and not crossed.told_apart


@pytest.mark.parametrize(
    "rows",
    [
        rows_of((BestOfN(4), {0, 1}), (Majority(4), {0}), problems=4),
        rows_of((BestOfN(4), {0, 1})),
        frame_of([]),
    ],
    ids=["a few", "of one alone", "none"],
)
def test_without_enough_shared_problems_posteriors_are_independent(rows: pd.DataFrame) -> None:
    contrast = measured(rows)(FIRST, OTHER)
    assert contrast.paired == 0
    assert contrast.better == pytest.approx(probability_greater(FIRST.beta, OTHER.beta))
    assert contrast.error == pytest.approx(np.hypot(deviation(*FIRST.beta), deviation(*OTHER.beta)))


def test_only_problems_of_both_are_compared_and_several_runs_of_one_are_one() -> None:
    rows = [row(Majority(4), "a", 1.0), row(BestOfN(4), "b", 1.0), row(Greedy(), "c", 1.0)]
    rows += [row(Majority(4), "c", 1.0), row(BestOfN(4), "c", 0.0), row(BestOfN(4), "c", 1.0)]
    rows += [row(s, f"shared-{i}", 1.0) for i in range(5) for s in (Majority(4), BestOfN(4))]
    contrast = measured(frame_of(rows))(FIRST, OTHER)
    low, high = paired_interval(np.array([-0.5] + [0.0] * 5), 0.9)
    assert contrast.paired == 6
    assert np.diff(contrast.interval) == pytest.approx(high - low)


@given(difference=st.floats(-1, 1), error=st.floats(1e-3, 1))
def test_an_interval_holds_its_difference_and_lies_where_accuracies_do(
    difference: float, error: float
) -> None:
    contrast = Contrast(difference, error, 0.5, 0, ComparedBy.POSTERIORS)
    low, high = contrast.interval
    assert -1 <= low <= difference <= high <= 1
    record = contrast.to_dict()
    assert (record["difference"], record["difference_interval"]) == (difference, [low, high])
