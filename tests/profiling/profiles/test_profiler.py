"""Profiles of the simulated policy: resumed, scored afterwards, and never counted twice."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import Executor
from executor.scorers.base import AnyScorer
from executor.scorers.certainty import DeepConfTail
from executor.scorers.fused import FusedScorer
from executor.scorers.reward_head import HeadCard
from executor.store.store import Store
from executor.strategy import Sampling
from profiling.pass_rate import LEAST_SAMPLES, PassRate
from profiling.profiles.profiler import (
    ProblemProfile,
    profile,
    profile_rewards,
    profile_spec,
    read_profile,
    total_ledger,
)
from profiling.scorers.free import scored_free
from profiling.scorers.rewards import Verdict

PROBLEMS = simulated_problems(10)
N = 8


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        yield opened


def run(
    store: Store, grader: MathGrader, policy: SimulatedPolicy, prm: AnyScorer | None = None,
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


def test_confidences_are_recorded_if_asked_for_and_score_as_at_once(
    store: Store, grader: MathGrader
) -> None:
    plain = run(store, grader, SimulatedPolicy(0.7))
    scorer, asked = (
        DeepConfTail(),
        Executor(SimulatedPolicy(0.7), None, grader, Sampling(), top_logprobs=20),
    )
    spec = profile_spec(asked, N, {})
    assert "top_logprobs" not in profile_spec(replace(asked, top_logprobs=None), N, {}).settings
    asyncio.run(profile(asked, PROBLEMS, store, spec))
    recorded = samples_of(read_profile(store, spec))
    for name, samples in samples_of(plain).items():
        assert not any(one.confidences for one in samples)
        assert all(len(one.confidences) == one.n_tokens for one in recorded[name])
        assert tuple(replace(one, confidences=()) for one in recorded[name]) == samples

    policy = SimulatedPolicy(0.7)
    afterwards = samples_of(run(store, grader, policy, scorer))
    assert policy.calls == 0  # they are the samples that hold confidences
    with Store.open("sqlite://") as other:
        assert samples_of(run(other, grader, SimulatedPolicy(0.7), scorer)) == afterwards
    for name, samples in recorded.items():
        assert scored_free(samples, scorer.name) == afterwards[name]


def test_rewards_of_two_prms_are_not_mixed(store: Store, grader: MathGrader) -> None:
    run(store, grader, SimulatedPolicy(0.7))
    good = run(store, grader, SimulatedPolicy(0.7), SimulatedPrm(1.0, name="good"))
    bad = run(store, grader, SimulatedPolicy(0.7), SimulatedPrm(0.0, name="bad"))
    for profiles, auc in ((good, 1.0), (bad, 0.0)):
        statistics = profile_rewards(profiles, grader)
        assert statistics is not None
        assert statistics.samples == N * len(PROBLEMS)
        assert statistics.auc.value == statistics.auc_within.value == auc


def test_without_a_prm_there_are_no_reward_statistics(store: Store, grader: MathGrader) -> None:
    assert profile_rewards(run(store, grader, SimulatedPolicy(0.7)), grader) is None


class Holding(SimulatedPolicy):
    """A policy that holds a reward head, which says the length of what is written."""

    async def draw(self, request: DrawRequest) -> list[Draw]:
        def read(draw: Draw) -> Draw:
            n = len(draw.token_ids)
            return dataclasses.replace(draw, readings=(n / 100,) * n)

        told = request.finished
        if told is not None:
            request = dataclasses.replace(request, finished=lambda at, one: told(at, read(one)))
        return [read(draw) for draw in await super().draw(request)]

    async def read_head(self, prompt_ids: Sequence[int], ledger: Ledger) -> float:
        raise AssertionError("a reward was paid for")


def test_a_head_in_the_policy_is_read_while_it_writes_the_same_samples_again(
    store: Store, grader: MathGrader
) -> None:
    plain = run(store, grader, SimulatedPolicy(0.7))
    policy = Holding(0.7)
    head = FusedScorer("held", HeadCard("any", "", {}, 0.0, 1), policy)
    scored = run(store, grader, policy, head)
    assert policy.calls == len(PROBLEMS)
    assert total_ledger(scored) == total_ledger(plain)
    samples = samples_of(scored)
    assert all(one.rewards for each in samples.values() for one in each)
    assert {
        name: tuple(dataclasses.replace(one, rewards=()) for one in each)
        for name, each in samples.items()
    } == samples_of(plain)


def test_what_cannot_be_profiled_is_refused_before_anything_is_drawn(
    store: Store, grader: MathGrader
) -> None:
    policy = SimulatedPolicy()
    executor = Executor(policy, None, grader, Sampling())
    with pytest.raises(InputError, match="--max-samples is 0"):
        profile_spec(executor, 0, {})
    spec = profile_spec(executor, N, {})
    with pytest.raises(InputError, match="problem unknown: has no answer"):
        asyncio.run(profile(executor, [*PROBLEMS, Problem("unknown", "?")], store, spec))
    assert policy.calls == 0
    assert store.runs() == []


# Stopping as soon as the class is sure


MOST = 64
CHANCES = {p.text: (0.98, 0.3, 0.0, 0.5)[i % 4] for i, p in enumerate(PROBLEMS)}


def stopped(
    store: Store, grader: MathGrader, prm: SimulatedPrm | None = None, confidence: float = 0.95,
    **options: Any,
) -> tuple[list[ProblemProfile], SimulatedPolicy]:  # fmt: skip
    policy = SimulatedPolicy(CHANCES, 1, **options)
    executor = Executor(policy, prm, grader, Sampling())
    spec = profile_spec(executor, MOST, {}, confidence)
    asyncio.run(profile(executor, PROBLEMS, store, spec))
    return read_profile(store, spec), policy


@pytest.mark.parametrize("latency", [0.0, 0.01])
def test_no_more_are_drawn_than_one_after_another_would_be(
    store: Store, grader: MathGrader, latency: float
) -> None:
    executor = Executor(SimulatedPolicy(CHANCES, 1), None, grader, Sampling())
    spec = profile_spec(executor, MOST, {})
    asyncio.run(profile(executor, PROBLEMS, store, spec))
    whole = {one.outcome.problem.id: one.outcome.samples for one in read_profile(store, spec)}
    found, policy = stopped(store, grader, latency=latency)
    assert total_ledger(found).policy_generated == policy.counters().generated
    sizes = []
    for one in found:
        samples, all_ = one.outcome.samples, whole[one.outcome.problem.id]
        sizes.append(len(samples))
        assert samples == all_[: len(samples)]
        right = [bool(sample.correct) for sample in all_]
        upto = [PassRate(sum(right[:n]), n) for n in range(LEAST_SAMPLES, MOST + 1)]
        sure = [rate.trials for rate in upto if rate.resolved()]
        assert len(samples) == min(sure, default=MOST)
        assert one.resolved == bool(sure) == one.to_dict()["resolved"]
        assert one.outcome.ledger.spared == MOST - len(samples)
    assert min(sizes) == LEAST_SAMPLES and len(set(sizes)) > 2


def test_a_stopped_profile_is_a_run_of_its_own_and_is_scored_as_it_is(
    store: Store, grader: MathGrader
) -> None:
    plain, _ = stopped(store, grader)
    scored, policy = stopped(store, grader, SimulatedPrm(0.9))
    assert policy.calls == 0
    texts = [[sample.text for sample in one.outcome.samples] for one in plain]
    assert [[sample.text for sample in one.outcome.samples] for one in scored] == texts
    statistics = profile_rewards(scored, grader)
    assert statistics is not None
    # Votes among as many samples as came would be votes chosen by their outcome.
    assert (statistics.gain, statistics.votes_at) == (None, None)
    assert statistics.samples == sum(map(len, texts))


def test_a_lower_confidence_stops_sooner(store: Store, grader: MathGrader) -> None:
    surer, _ = stopped(store, grader)
    sooner, _ = stopped(store, grader, confidence=0.8)
    drawn = [sum(one.pass_rate.trials for one in found) for found in (sooner, surer)]
    assert drawn[0] < drawn[1]
    assert all(one.resolved_from == 0.8 for one in sooner)


@pytest.mark.parametrize("confidence", [0.0, 0.49, 1.0, 1.5, float("nan")])
def test_a_confidence_that_cannot_be_reached_is_refused(
    grader: MathGrader, confidence: float
) -> None:
    executor = Executor(SimulatedPolicy(), None, grader, Sampling())
    with pytest.raises(InputError, match=r"at least 0\.5 and below 1"):
        profile_spec(executor, N, {}, confidence)


def test_statistics_of_a_profile_hold_votes_and_look_at_lengths(
    store: Store, grader: MathGrader
) -> None:
    policy = SimulatedPolicy(0.4, 2, wrong_answers=2)
    found = profile_rewards(run(store, grader, policy, SimulatedPrm(1.0)), grader)
    assert found is not None and found.gain is not None and found.length_bias is not None
    assert found.votes_at == N
    assert found.gain.low > 0
    assert found.verdict is Verdict.HELPS
