"""Strategies are compared on the same problems, and not on a few because one was run on a few."""

from __future__ import annotations

from executor.strategy import BeamSearch, BestOfN, Majority, key
from planner.evidence.comparable import comparable, for_pair, of_all_only, shared_problems
from planner.notes import Note, NoteCode
from tests.helpers.evidence_frames import frame_of, row


def test_strategies_are_compared_on_the_problems_all_of_them_were_run_on() -> None:
    many = [row(Majority(4), f"p{i}", 0.0) for i in range(20)]
    few = [row(BeamSearch(4), f"p{i}", 1.0) for i in range(8)]
    usable = for_pair(frame_of(many + few), "policy", "prm")
    assert shared_problems(usable) == {f"p{i}" for i in range(8)}
    assert usable.groupby("strategy")["problem"].nunique().tolist() == [8, 8]


def test_what_was_run_on_few_problems_does_not_make_all_others_rest_on_them() -> None:
    many = [row(Majority(n), f"p{i}", 0.0) for n in (1, 4) for i in range(200)]
    few = [row(Majority(16), f"p{i}", 1.0) for i in range(5)]
    some = [row(Majority(16), f"p{i}", 1.0) for i in range(40)]
    found = comparable(frame_of([*many, *few]), "policy", None)
    assert found.left_out == {key(Majority(16)): 5}
    assert found.rows["problem"].nunique() == 200
    assert list(found.notes()) == [
        Note.of(NoteCode.RUN_ON_TOO_FEW, strategies=((key(Majority(16)), 5),), problems=200)
    ]
    found = comparable(frame_of([*many, *some]), "policy", None)
    assert not found.left_out
    assert found.rows["problem"].nunique() == 40
    assert list(found.notes()) == [Note.of(NoteCode.COMPARED_ON_SHARED, shared=40, problems=200)]


def test_a_prm_that_scored_next_to_nothing_does_not_take_away_what_needs_none() -> None:
    many = [row(Majority(4), f"p{i}", 0.0) for i in range(100)]
    few = [row(BestOfN(4), f"p{i}", 1.0) for i in range(5)]
    found = comparable(frame_of([*many, *few]), "policy", "prm")
    assert set(found.rows["strategy"]) == {key(Majority(4))}
    assert found.left_out == {key(BestOfN(4)): 5}
    assert found.rows["problem"].nunique() == 100


def pool_rows(problem: str, classed: tuple[int, ...], other: tuple[int, ...]) -> list[dict]:
    return [row(Majority(n), problem, 0.5, difficulty=level, source="replayed")
            for level, budgets in (("easy", classed), ("unknown", other))
            for n in budgets]  # fmt: skip


def test_budgets_without_a_difficulty_are_named_with_the_samples_they_need() -> None:
    frame = frame_of([*pool_rows("a", (1, 4), (16, 64)), *pool_rows("b", (1, 4), (16, 64))])
    [note] = of_all_only(frame)
    assert (note.items("budgets"), note.whole("samples")) == ((16, 64), 96)
    [note] = of_all_only(frame, budget=16)
    assert (note.items("budgets"), note.whole("samples")) == ((16,), 24)
    assert list(of_all_only(frame, budget=4)) == []


def test_pools_without_a_class_and_live_runs_are_not_named() -> None:
    small = frame_of([*pool_rows("a", (1,), ()), *pool_rows("small", (), (1, 4))])
    assert list(of_all_only(small)) == []
    live = frame_of([row(Majority(16), "a", 1.0, difficulty="unknown")])
    assert list(of_all_only(live)) == []
