"""Summaries of runs, and the paired comparison of two."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.store import RunSpec, StoredOutcome
from planner.evaluation.run_summary import paired_difference, summarise_run
from profiling.pass_rate import PassRate

SPEC = RunSpec("run", "policy", None, {})


def stored(name: str, correct: bool | None, generated: int = 10) -> StoredOutcome:
    answer = None if correct is None else "1"
    ledger = Ledger(prompt=5, generated=generated, discarded=2, prm=3, probe=1)
    outcome = Outcome(Problem(name, name, answer), "1", correct, 0, (), ledger, seconds=2.0)
    return StoredOutcome(SPEC, outcome, {})


def run_of(results: Mapping[str, bool | None]) -> list[StoredOutcome]:
    return [stored(name, correct) for name, correct in results.items()]


def test_a_run_is_added_up() -> None:
    outcomes = [stored("a", True, 10), stored("b", False, 20), stored("c", True, 30)]
    summary = summarise_run("majority", iter(outcomes), {"solved": 3})
    assert (summary.problems, summary.graded, summary.correct) == (3, 3, 2)
    assert summary.accuracy == pytest.approx(2 / 3)
    assert summary.interval == PassRate(2, 3).interval()
    assert summary.ledger == Ledger(prompt=15, generated=60, discarded=6, prm=9, probe=3)
    assert summary.tokens_per_problem == 23.0
    assert summary.prm_tokens_per_problem == 3.0
    assert summary.seconds == 2.0
    record = json.loads(json.dumps(summary.to_dict()))
    assert record["tokens_per_problem"] == 23.0
    assert record["engine"] == {"solved": 3}


def test_problems_without_a_known_answer_are_not_graded() -> None:
    summary = summarise_run("plan", run_of({"a": True, "b": None}))
    assert (summary.problems, summary.graded, summary.accuracy) == (2, 1, 1.0)
    nothing = summarise_run("plan", run_of({"b": None}))
    assert nothing.accuracy is nothing.interval is None


def test_an_empty_run_costs_nothing() -> None:
    summary = summarise_run("plan", [])
    assert (summary.problems, summary.accuracy, summary.seconds) == (0, None, 0.0)
    assert summary.tokens_per_problem == summary.prm_tokens_per_problem == 0.0


# Paired differences


def test_a_paired_difference_by_hand() -> None:
    one = run_of({"a": True, "b": True, "c": False, "d": True, "mine": False, "u": None})
    other = run_of({"d": True, "c": True, "b": False, "a": False, "theirs": True, "u": True})
    found = paired_difference(one, other, "greedy")
    assert found is not None
    # Gaps over a, b, c, d: +1, +1, -1, 0.
    assert (found.against, found.difference, found.problems) == ("greedy", 0.25, 4)


def test_the_interval_is_that_of_the_mean_gap() -> None:
    """Of 200 gaps 60 are +1 and 20 are -1: the normal interval is near."""
    names = [f"p{i}" for i in range(200)]
    one = {name: i < 160 for i, name in enumerate(names)}
    other = {name: not i < 60 and (i < 160 or i >= 180) for i, name in enumerate(names)}
    found = paired_difference(run_of(one), run_of(other), "greedy")
    assert found is not None
    gaps = np.array([one[name] - other[name] for name in names], dtype=float)
    assert found.difference == pytest.approx(0.2)
    half = 1.96 * gaps.std() / np.sqrt(len(gaps))
    assert found.interval == pytest.approx((0.2 - half, 0.2 + half), abs=0.015)


@pytest.mark.parametrize(
    "other", [{}, {"elsewhere": True}, {"a": None}], ids=["empty", "others", "ungraded"]
)
def test_runs_that_share_no_graded_problem_are_not_compared(
    other: dict[str, bool | None],
) -> None:
    assert paired_difference(run_of({"a": True}), run_of(other), "greedy") is None


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=25))
def test_the_interval_holds_the_mean_and_swapping_the_runs_negates(
    pairs: list[tuple[bool, bool]],
) -> None:
    one = run_of({str(i): first for i, (first, _) in enumerate(pairs)})
    other = run_of({str(i): second for i, (_, second) in enumerate(pairs)})
    found, swapped = paired_difference(one, other, "b"), paired_difference(other, one, "a")
    assert found is not None and swapped is not None
    low, high = found.interval
    assert -1 <= low <= found.difference <= high <= 1
    assert swapped.difference == -found.difference
    assert swapped.interval == pytest.approx((-high, -low))
    assert paired_difference(one[::-1], other, "b") == found, "the order of problems decides"


def test_equal_runs_differ_by_nothing() -> None:
    run = run_of({str(i): i % 3 == 0 for i in range(30)})
    found = paired_difference(run, run, "itself")
    assert found is not None
    low, high = found.interval
    assert found.difference == 0.0
    assert low == pytest.approx(-high)
    assert 0 <= high < 0.1
