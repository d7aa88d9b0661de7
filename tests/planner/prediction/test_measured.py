"""Estimates of measured cells: what is not measured is not read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.strategy import BestOfN, Greedy, Majority, key
from planner.evidence.cells import cells
from planner.prediction.features import describe
from planner.prediction.measured import measured, predicted
from planner.prediction.outcome_model import OutcomeModel
from tests.helpers.evidence_frames import frame_of, row, simulated_frame

FRAME = simulated_frame({"easy": {Greedy(): 0.7, Majority(4): 0.9, BestOfN(4): 0.6}}, 40)


def test_every_difficulty_is_predicted_by_its_own_problems() -> None:
    found = predicted(FRAME, "policy", "prm")
    assert set(found["difficulty"]) == {"easy", "all"}
    assert found["predicted"].between(0.4, 1.0).all()
    assert predicted(FRAME, "other", None).empty


def test_few_outcomes_are_shrunk_toward_what_other_policies_taught() -> None:
    few = simulated_frame({"easy": {Greedy(): 0.7, Majority(4): 0.7, BestOfN(4): 0.7}}, 6)
    table = describe(cells(few), few)
    table = table[table["difficulty"] == "easy"].reset_index(drop=True)
    # Of the other policy's strategies, greedy is by far the best.
    taught = table.assign(
        policy="other", rows=400.0, successes=np.where(table["name"] == "greedy", 380.0, 120.0)
    )
    taught["problems"] = 400
    model = OutcomeModel(strength=1.0).fit(taught, taught["successes"] / 400, taught["rows"])
    model.learn_from_others(taught)
    greedy = (table["name"] == "greedy").to_numpy()
    plain, learnt = measured(table, few).mean, measured(table, few, model).mean
    assert learnt[greedy] > plain[greedy] and (learnt[~greedy] < plain[~greedy]).all()
    assert learnt.mean() == pytest.approx(plain.mean(), abs=0.03)


def test_all_problems_together_count_by_the_whole_pool() -> None:
    """In a difficulty the accuracy is that of samples that did not give it."""
    whole = FRAME.assign(all_accuracy=0.5)
    by_level = predicted(whole, "policy", "prm").set_index(["difficulty", "strategy"])["predicted"]
    assert by_level["all"].to_numpy() == pytest.approx(0.5, abs=0.05)
    assert by_level["easy", key(Majority(4))] > 0.8


def test_feedback_is_not_read_for_all_problems() -> None:
    marked = frame_of([
        row(Greedy(), f"marked {i}", 0.0, source="feedback") for i in range(100)
    ])  # fmt: skip
    table = describe(cells(FRAME), FRAME)
    table = table[table["difficulty"] == "all"].reset_index(drop=True)
    one, other = measured(table, FRAME), measured(table, pd.concat([FRAME, marked]))
    assert other.mean == pytest.approx(one.mean)


def test_outcomes_of_a_cell_without_problems_are_not_read() -> None:
    table = describe(cells(FRAME), FRAME)
    table = table[table["difficulty"] == "easy"].reset_index(drop=True)
    hidden = table["name"] == "greedy"
    table.loc[hidden, "problems"] = 0
    turned = FRAME.assign(accuracy=FRAME["accuracy"].where(FRAME["name"] != "greedy", 0.0))
    one, other = measured(table, FRAME), measured(table, turned)
    assert one.mean == pytest.approx(other.mean)
    assert one.own[hidden] == [0.0]
