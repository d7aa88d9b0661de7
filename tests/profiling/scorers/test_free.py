"""Scores of stored samples that need no model."""

from __future__ import annotations

import pytest

from executor.domains.execution import Execution
from executor.outcome import Outcome, SampleRecord
from executor.problem import DOMAIN, Problem
from executor.store.store import RunSpec, StoredOutcome
from profiling.scorers.free import stored_free

CODE = Problem("p", "Write f.", "tests", {DOMAIN: "code"})
PASSED, FAILED = Execution((True, True)), Execution((True, False))


def scores(problem: Problem, *samples: tuple[str | None, Execution | None]) -> list[float] | None:
    """Return the scores by public tests; None if the problem has none."""
    records = tuple(
        SampleRecord(answer or "", answer, False, "finished", 1, 0.0, execution=execution)
        for answer, execution in samples
    )
    run = RunSpec("profile", "policy", None, {})
    stored = StoredOutcome(run, Outcome(problem, None, False, None, records), {})
    found = list(stored_free(stored, ["tests"]))
    assert all(one.run.prm == "tests" for one in found)
    return [one.rewards[0] for one in found[0].outcome.samples] if found else None


def test_public_tests_score_samples_that_were_executed() -> None:
    assert scores(CODE, ("a", PASSED), ("b", FAILED), (None, None)) == pytest.approx([1, 0.5, 0])
    assert scores(CODE, ("a", PASSED), ("b", None)) is None


def test_a_problem_without_any_program_counts() -> None:
    """If it were left out, the scorer would look better than it is."""
    assert scores(CODE, (None, None), (None, None)) == [0, 0]
    assert scores(Problem("q", "1 + 1?", "2"), (None, None)) is None
