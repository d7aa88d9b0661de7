"""Splits: whole problems, policies and PRMs are left out, and nothing of them is seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from executor.errors import InputError
from executor.strategy import BestOfN, Greedy, Majority
from planner.evidence.cells import cells
from planner.prediction.features import describe
from planner.prediction.splits import CELL, FOLDS, Kind, Split, problem_folds, splits
from tests.helpers.evidence_frames import frame_of, row, simulated_frame

CHANCES = {
    "easy": {Greedy(): 0.7, Majority(4): 0.95, BestOfN(4): 0.6},
    "hard": {Greedy(): 0.05, Majority(4): 0.05, BestOfN(4): 0.5},
}
COUNTS = ["successes", "squares", "problems", "rows"]


def many(policies: int = 2, prms: int = 3) -> pd.DataFrame:
    """Evidence on several policies and PRMs, each with outcomes of its own."""
    frames = []
    for p in range(policies):
        for r in range(prms):
            one = simulated_frame(CHANCES, 6, seed=10 * p + r).assign(policy=f"policy-{p}")
            scored = one["prm"] != ""
            one.loc[scored, "prm"] = f"prm-{r}"
            frames.append(one if r == 0 else one[scored])
    return pd.concat(frames, ignore_index=True)


FRAME = many()
FOUND = splits(FRAME, 0)


def of(kind: Kind) -> list[Split]:
    return [split for split in FOUND if split.kind is kind]


def test_folds_hold_out_every_problem_once_and_whole() -> None:
    masks = list(problem_folds(FRAME["problem"], 0))
    assert len(masks) == FOLDS
    assert (np.sum(masks, axis=0) == 1).all()
    for mask in masks:
        assert not set(FRAME["problem"][mask]) & set(FRAME["problem"][~mask])


def test_too_few_problems_are_one_line() -> None:
    with pytest.raises(InputError, match="evidence on 3 problems; expected at least 5"):
        splits(simulated_frame({"easy": CHANCES["easy"]}, 3), 0)


def test_a_fold_is_the_cells_of_its_problems() -> None:
    for mask, split in zip(problem_folds(FRAME["problem"], 0), of(Kind.PROBLEMS), strict=True):
        seen, asked = FRAME[~mask], FRAME[mask]
        expected = describe(cells(seen), seen).set_index(CELL).sort_index()
        train = split.train.set_index(CELL).sort_index()
        for column in (*COUNTS, "pass_at_1", "expected_best_of_n", "expected_majority"):
            assert train[column].to_numpy() == pytest.approx(expected[column].to_numpy()), column
        left_out = cells(asked).set_index(CELL).sort_index()
        test = split.test.set_index(CELL).sort_index()
        assert test.index.equals(left_out.index)
        for ours, theirs in (("right", "successes"), ("right_squares", "squares"),
                             ("asked", "rows")):  # fmt: skip
            assert test[ours].to_numpy() == pytest.approx(left_out[theirs].to_numpy())
        both = train.reindex(test.index)[COUNTS].fillna(0)
        assert test[COUNTS].to_numpy(float) == pytest.approx(both.to_numpy(float))


def test_a_fold_does_not_see_the_outcomes_it_is_judged_by() -> None:
    for mask, split in zip(problem_folds(FRAME["problem"], 0), of(Kind.PROBLEMS), strict=True):
        turned = FRAME.assign(accuracy=FRAME["accuracy"].where(~mask, 1 - FRAME["accuracy"]))
        turned.loc[mask, ["pass_at_1", "rival", "prm_auc_within", "prm_gap"]] = 0.01
        again = next(s for s in splits(turned, 0) if len(s.test) == len(split.test)
                     and s.train["successes"].equals(split.train["successes"]))  # fmt: skip
        pd.testing.assert_frame_equal(again.train.drop(columns=["pass_at_1"]),
                                      split.train.drop(columns=["pass_at_1"]))  # fmt: skip
        known = split.test.columns.difference(["right", "right_squares"])
        pd.testing.assert_frame_equal(again.test[known], split.test[known])


@pytest.mark.parametrize(("kind", "count"), [(Kind.POLICY, 2), (Kind.PRM, 3)])
def test_what_is_left_out_is_left_out_once_and_whole(kind: Kind, count: int) -> None:
    found = of(kind)
    assert len(found) == count
    left_out = [set(split.test[kind.value]) for split in found]
    assert sorted(name for names in left_out for name in names) == sorted(
        set(FRAME[kind.value]) - {""}
    )
    whole = cells(FRAME)
    for split in found:
        assert not set(split.train[kind.value]) & set(split.test[kind.value])
        assert len(split.train) + len(split.test) == len(whole)
        assert (split.test[COUNTS] == 0).all(axis=None)
        assert split.test["asked"].sum() > 0


def test_many_are_left_out_in_groups() -> None:
    found = [split for split in splits(many(1, 8), 0) if split.kind is Kind.PRM]
    assert len(found) == FOLDS
    assert sum(split.test["prm"].nunique() for split in found) == 8


def test_one_policy_and_prm_are_not_left_out() -> None:
    assert {split.kind for split in splits(simulated_frame(CHANCES, 10), 0)} == {Kind.PROBLEMS}


def test_rows_of_unknown_difficulty_count_under_all_only() -> None:
    frame = frame_of(
        [row(Greedy(), f"p{i}", i % 2, difficulty="unknown" if i % 3 else "easy")
         for i in range(10)]
    )  # fmt: skip
    for split in splits(frame, 0):
        counts = split.train.groupby("difficulty")["rows"].sum()
        counts = counts.add(split.test.groupby("difficulty")["asked"].sum(), fill_value=0)
        assert counts.to_dict() == {"all": 10, "easy": 4}


def test_a_problem_that_was_run_twice_is_one_problem() -> None:
    frame = frame_of([row(Greedy(), f"p{i % 5}", 1.0, source=str(i)) for i in range(10)])
    for split in splits(frame, 0):
        assert (split.train["rows"] == 2 * split.train["problems"]).all()
