"""How many problems are let in beside each other."""

from __future__ import annotations

import pytest

from executor.engines.capacity import Capacity
from executor.outcome import Outcome, SampleRecord
from executor.problem import Problem
from executor.run.admission import CONCURRENCY, Admission

ROOMY = 10**9


def finished(*lengths: int) -> Outcome:
    samples = tuple(SampleRecord("", None, None, "finished", n, 0.0) for n in lengths)
    return Outcome(Problem("p", "?"), None, None, None, samples)


def most(admission: Admission) -> int:
    """How many are let in at once."""
    return next(n for n in range(10_000) if not admission.room(n))


@pytest.mark.parametrize(("budget", "expected"), [(1, 512), (16, 32), (64, 8), (100, 6), (9999, 1)])
def test_two_batches_of_sequences_are_in_flight(budget: int, expected: int) -> None:
    assert most(Admission(budget, Capacity(256, ROOMY))) == expected


def test_long_responses_let_in_fewer_once_they_are_known() -> None:
    admission = Admission(16, Capacity(256, 40_000))
    assert most(admission) == 32
    admission.learn(finished(*[1000, 3000] * 8))
    assert most(admission) == 3  # 16 x 2000 tokens each, 80,000 in all
    for _ in range(100):
        admission.learn(finished(*[10] * 16))
    assert most(admission) == 32


def test_problems_that_need_fewer_responses_than_their_budget_let_in_more() -> None:
    admission = Admission(64, Capacity(256, ROOMY))
    assert most(admission) == 8
    admission.learn(finished(*[10] * 4))
    assert most(admission) == 128


def test_problems_that_cancel_responses_need_the_room_of_all_that_they_start() -> None:
    admission = Admission(64, Capacity(256, 40_000), side_by_side=True)
    admission.learn(finished(*[100] * 4))
    assert most(admission) == 8
    admission.learn(finished(*[300] * 3))
    assert most(admission) == 7  # 64 x 200 tokens each, 80,000 in all


def test_what_is_long_ago_counts_no_more() -> None:
    admission = Admission(16, Capacity(256, ROOMY), recent=10)
    for _ in range(1000):
        admission.learn(finished(10))
    assert most(admission) == 512
    for _ in range(100):
        admission.learn(finished(*[10] * 64))
    assert most(admission) == 9  # 64 but for a last trace of the others
    assert admission.places == 9


def test_what_the_user_asked_for_is_not_exceeded() -> None:
    assert most(Admission(1, Capacity(256, ROOMY), most=3)) == 3
    assert most(Admission(64, Capacity(256, ROOMY), most=100)) == 8


def test_without_a_capacity_a_fixed_number_is_let_in() -> None:
    assert most(Admission()) == CONCURRENCY
    assert most(Admission(most=5)) == 5
