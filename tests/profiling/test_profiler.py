"""Profiles of the simulated policy: resumed, scored afterwards, and never counted twice."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from executor.admission import Admission
from executor.answers import MathGrader
from executor.errors import EngineError, InputError
from executor.problem import Problem
from executor.runner import Executor
from executor.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.store import Store
from executor.strategy import Sampling
from profiling.profiler import (
    ProblemProfile,
    profile,
    profile_rewards,
    profile_spec,
    read_profile,
    total_ledger,
)

PROBLEMS = simulated_problems(10)
N = 8


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        yield opened


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    with MathGrader() as shared:
        yield shared


def run(
    store: Store, grader: MathGrader, policy: SimulatedPolicy, prm: SimulatedPrm | None = None,
    **options: Any,
) -> list[ProblemProfile]:  # fmt: skip
    executor = Executor(policy, prm, grader, Sampling())
    spec = profile_spec(executor, N, {})
    asyncio.run(profile(executor, PROBLEMS, store, spec, **options))
    return read_profile(store, spec)


def samples_of(profiles: list[ProblemProfile]) -> dict[str, tuple[Any, ...]]:
    return {one.outcome.problem.id: one.outcome.samples for one in profiles}


def test_a_profile_grades_n_samples_of_every_problem(store: Store, grader: MathGrader) -> None:
    chance = {problem.text: index / 9 for index, problem in enumerate(PROBLEMS)}
    policy = SimulatedPolicy(chance, 1)
    profiles = run(store, grader, policy)
    assert len(profiles) == len(PROBLEMS)
    for one in profiles:
        record = one.to_dict()
        problem = one.outcome.problem
        right = sum(sample.answer == problem.answer for sample in one.outcome.samples)
        assert record["samples"] == N
        assert record["pass_at_1"] == right / N
        assert record["interval"][0] <= record["pass_at_1"] <= record["interval"][1]
        assert chance[problem.text] not in (0, 1) or right == N * chance[problem.text]
    assert total_ledger(profiles).policy_generated == policy.counters().generated


def test_a_resumed_profile_counts_nothing_twice(store: Store, grader: MathGrader) -> None:
    first, second = SimulatedPolicy(0.7, faults=range(5, 99)), SimulatedPolicy(0.7)
    with pytest.raises(EngineError):
        run(store, grader, first, admission=Admission(most=1))
    told: list[int] = []
    profiles = run(store, grader, second, progress=told.append)
    assert (first.calls - 1, second.calls) == (4, 6)
    assert told == [4] + [1] * 6
    generated = first.counters().generated + second.counters().generated
    assert total_ledger(profiles).policy_generated == generated
    assert [one.pass_rate.trials for one in profiles] == [N] * len(PROBLEMS)

    idle = SimulatedPolicy(0.7)
    assert samples_of(run(store, grader, idle)) == samples_of(profiles)
    assert idle.calls == 0

    with Store.open("sqlite://") as fresh:
        assert samples_of(run(fresh, grader, SimulatedPolicy(0.7))) == samples_of(profiles)


def test_scoring_a_profile_draws_nothing_again(store: Store, grader: MathGrader) -> None:
    plain = run(store, grader, SimulatedPolicy(0.7))
    policy, prm = SimulatedPolicy(0.7), SimulatedPrm(0.9)
    scored = run(store, grader, policy, prm)
    assert policy.calls == 0
    bare = {
        name: tuple(dataclasses.replace(sample, rewards=()) for sample in samples)
        for name, samples in samples_of(scored).items()
    }
    assert bare == samples_of(plain)
    assert all(len(s.rewards) == len(s.steps) for one in scored for s in one.outcome.samples)
    ledger, before = total_ledger(scored), total_ledger(plain)
    assert ledger.prm + ledger.prm_cached == prm.counters().prompt > 0
    assert ledger == dataclasses.replace(before, prm=ledger.prm, prm_cached=ledger.prm_cached)
    # The plain profile is a run of its own and stays as it was.
    assert samples_of(run(store, grader, SimulatedPolicy(0.7))) == samples_of(plain)
    assert total_ledger(run(store, grader, SimulatedPolicy(0.7))) == before


def test_scoring_afterwards_gives_the_rewards_of_scoring_at_once(
    store: Store, grader: MathGrader
) -> None:
    run(store, grader, SimulatedPolicy(0.7, blank_lines=0.2))
    afterwards = run(store, grader, SimulatedPolicy(0.7, blank_lines=0.2), SimulatedPrm(0.8))
    with Store.open("sqlite://") as other:
        policy = SimulatedPolicy(0.7, blank_lines=0.2)
        at_once = run(other, grader, policy, SimulatedPrm(0.8))
        assert policy.calls == len(PROBLEMS)
    assert samples_of(afterwards) == samples_of(at_once)


def test_rewards_of_two_prms_are_not_mixed(store: Store, grader: MathGrader) -> None:
    run(store, grader, SimulatedPolicy(0.7))
    good = run(store, grader, SimulatedPolicy(0.7), SimulatedPrm(1.0, name="good"))
    bad = run(store, grader, SimulatedPolicy(0.7), SimulatedPrm(0.0, name="bad"))
    for profiles, auc in ((good, 1.0), (bad, 0.0)):
        statistics = profile_rewards(profiles)
        assert statistics is not None
        assert statistics.samples == N * len(PROBLEMS)
        assert statistics.auc.value == statistics.auc_within.value == auc


def test_without_a_prm_there_are_no_reward_statistics(store: Store, grader: MathGrader) -> None:
    assert profile_rewards(run(store, grader, SimulatedPolicy(0.7))) is None


def test_what_cannot_be_profiled_is_refused_before_anything_is_drawn(
    store: Store, grader: MathGrader
) -> None:
    policy = SimulatedPolicy()
    executor = Executor(policy, None, grader, Sampling())
    with pytest.raises(InputError, match="--max-samples 0"):
        profile_spec(executor, 0, {})
    spec = profile_spec(executor, N, {})
    with pytest.raises(InputError, match="problem unknown: has no answer"):
        asyncio.run(profile(executor, [*PROBLEMS, Problem("unknown", "?")], store, spec))
    assert policy.calls == 0
    assert store.runs() == []
