"""Cells of evidence: what rows of one policy, PRM, difficulty and strategy come to."""

from __future__ import annotations

import pandas as pd
import pytest

from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    ShortMOfK,
    Strategy,
    key,
)
from planner.evidence.cells import cells, kinds, level_pass_rates, strategy_of
from tests.helpers.evidence_frames import frame_of, row, simulated_frame


def test_a_cell_counts_problems_once_and_names_all_its_sources() -> None:
    frame = frame_of(
        [row(Majority(4), "a", 1.0), row(Majority(4), "a", 0.5, source="replayed"),
         row(Majority(4), "b", 0.0)]
    )  # fmt: skip
    for cell in cells(frame).to_dict("records"):
        assert (cell["problems"], cell["rows"], cell["successes"]) == (2, 3, 1.5)
        assert cell["sources"] == "measured+replayed"


@pytest.mark.parametrize("level", ["all", "easy", "hard"])
def test_cells_of_one_difficulty_are_those_of_every_one(level: str) -> None:
    chances = {Greedy(): 0.5, BestOfN(4): 0.7}
    frame = simulated_frame({"easy": chances, "hard": chances, "unknown": chances}, 8)
    every = cells(frame)
    every = every[every["difficulty"] == level].reset_index(drop=True)
    pd.testing.assert_frame_equal(cells(frame, level), every, check_exact=True)


def test_kinds_of_evidence_are_counted_by_policy_only_if_there_are_several() -> None:
    one = [row(Greedy(), "a", 1.0), row(Greedy(), "b", 0.0)]
    assert kinds(frame_of(one)) == [
        {"source": "measured", "name": "greedy", "prm": "", "rows": 2, "problems": 2}
    ]
    both = kinds(frame_of([*one, row(Greedy(), "a", 1.0, policy="other")]))
    assert [(kind["policy"], kind["rows"]) for kind in both] == [("other", 1), ("policy", 2)]
    assert kinds(frame_of([])) == []


STRATEGIES: list[Strategy] = [
    Greedy(), Majority(7), BestOfN(4, Score.MIN), BeamSearch(6, 3), Dvts(8, 2, Score.PROD),
    AdaptiveMajority(8), AdaptiveMajority(8, 0.6),
    ParticleFilter(4), ParticleFilter(4, 0.5, Score.MEAN), ShortMOfK(8), ShortMOfK(8, 1),
    Aggregate(16), Aggregate(6, 2, 1),
]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_a_cell_knows_its_strategy(strategy: Strategy) -> None:
    for cell in cells(frame_of([row(strategy, "a", 1.0)])).to_dict("records"):
        assert strategy_of(cell) == strategy


def test_pass_rates_of_a_level_are_means_over_problems_not_rows() -> None:
    rows_of_one = [row(Majority(n), "a", 1.0, pass_at_1=0.9) for n in (1, 4, 16)]
    frame = frame_of([*rows_of_one, row(Majority(1), "b", 0.0, pass_at_1=0.5)])
    rates = level_pass_rates(frame)
    assert rates["policy", "easy"] == pytest.approx(0.7)
    assert rates["policy", "all"] == pytest.approx(0.7)
