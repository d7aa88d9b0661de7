"""Routing by plan: probes are charged once, count where they can, and see no reference answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem, question_id
from executor.run.runner import PRM_TRAINED_ON, Executor
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    ShortMOfK,
    Strategy,
    key,
)
from executor.testing import virtual_time
from planner.choice.estimate import StrategyEstimate
from planner.costs.cost import Cost
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import PlanBasis
from planner.runtime.router import Ask, route
from profiling.difficulty.estimator import RANGES, DifficultyModel, Head, Quality
from profiling.pass_rate import LEVELS
from tests.helpers.hostile_grader import ENDLESS, HostileGrader
from tests.helpers.plans import plan_with

PROBES = 4
PROBLEMS = simulated_problems(6)
EASY, HARD = PROBLEMS[0], PROBLEMS[1]
CHANCE = {problem.text: 0.98 if i % 2 == 0 else 0.03 for i, problem in enumerate(PROBLEMS)}


def by_agreement() -> DifficultyModel:
    """Easy where the probes agree, hard where they do not; medium never."""
    weights = [[0.0]] * RANGES
    weights[0], weights[-1] = [-10.0], [10.0]
    head = Head(
        probes=PROBES,
        features=("agreement",),
        mean=(0.6,),
        scale=(1.0,),
        weights=tuple(map(tuple, weights)),
        intercepts=(0.0, *[-30.0] * (RANGES - 2), 0.0),
        nominal=0.9,
        quality=Quality(0.1, 1.0, 1.0, 0.0, 0.9, 0.1, ((1, 0, 0), (0, 1, 0), (0, 0, 1))),
    )
    return DifficultyModel((head,), 1)


def plan_of(classifier: DifficultyModel | None = None, **strategies: Strategy) -> CompiledPlan:
    """On each difficulty its strategy is expected to solve most, and all others little."""
    every = set(strategies.values())

    def estimates(level: str) -> list[StrategyEstimate]:
        best = strategies.get(level, strategies["all"])
        return [
            estimate(strategy, 0.9 if strategy == best else 0.1)
            for strategy in sorted(every, key=lambda one: one != best)
        ]

    known = {level: estimates(level) for level in LEVELS}
    return CompiledPlan(plan_with(
        known, policy="simulated-policy", prm="simulated-prm", classifier=classifier,
        entries={level: known[level][0] for level in strategies},
        rests_on=PlanBasis(mix={"easy": 1, "hard": 1}),
    ))  # fmt: skip


def estimate(strategy: Strategy, accuracy: float) -> StrategyEstimate:
    cost = Cost(100.0 * strategy.n, 20.0, 100.0 * strategy.n if strategy.needs_prm else 0.0)
    beta = (100 * accuracy, 100 * (1 - accuracy))
    return StrategyEstimate(strategy, accuracy, (accuracy - 0.1, accuracy + 0.1), beta, cost)


def routed(easy: Strategy, hard: Strategy, every: Strategy = Greedy()) -> CompiledPlan:  # noqa: B008
    return plan_of(by_agreement(), easy=easy, hard=hard, all=every)


def executor_of(grader: MathGrader, **options: Any) -> Executor:
    policy = SimulatedPolicy(CHANCE, 2, wrong_answers=50, block_size=16, **options)
    return Executor(policy, SimulatedPrm(0.9), grader, Sampling())


def solve(
    executor: Executor, plan: CompiledPlan, problem: Problem
) -> tuple[Outcome, dict[str, Any]]:
    found = asyncio.run(route(executor, plan, problem))
    return found.outcome, found.note


def check_ledger(executor: Executor, ledger: Ledger) -> None:
    policy = executor.policy.counters()
    assert ledger.policy_generated == policy.generated
    assert (ledger.prompt + ledger.cached, ledger.cached) == (policy.prompt, policy.cached)
    assert executor.prm is not None
    prm = executor.prm.counters()
    assert ledger.prm + ledger.prm_cached == prm.prompt


STRATEGIES: list[Strategy] = [
    Greedy(), Majority(2), Majority(4), Majority(8), BestOfN(8), BeamSearch(4, 2), Dvts(4, 2),
    ParticleFilter(4), AdaptiveMajority(8), ShortMOfK(8),
]  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
def test_all_that_the_engines_counted_is_charged_once(
    grader: MathGrader, strategy: Strategy
) -> None:
    executor = executor_of(grader)
    outcome, note = solve(executor, routed(easy=strategy, hard=BestOfN(3)), EASY)
    assert note["difficulty"] == "easy"
    assert len(outcome.samples) + outcome.ledger.spared == strategy.n
    check_ledger(executor, outcome.ledger)


@pytest.mark.parametrize("strategy", [Majority(4), Majority(8), BestOfN(8)], ids=key)
def test_probes_count_towards_strategies_that_sample_whole_responses(
    grader: MathGrader, strategy: Strategy
) -> None:
    executor = executor_of(grader)
    outcome, _ = solve(executor, routed(easy=strategy, hard=Greedy()), EASY)
    assert outcome.ledger.probe == outcome.ledger.discarded == 0
    lengths = [sample.n_tokens for sample in outcome.samples]
    assert len(lengths) + outcome.ledger.spared == strategy.n
    assert outcome.ledger.generated == sum(lengths) == executor.policy.counters().generated


@pytest.mark.parametrize(
    "strategy",
    [
        Greedy(),
        Majority(3),
        BestOfN(2),
        BeamSearch(4, 2),
        Dvts(4, 2),
        ParticleFilter(4),
        ShortMOfK(8),
        Aggregate(8, 1, 2),
    ],
    ids=key,
)
def test_probes_that_cannot_be_used_are_charged_as_probes(
    grader: MathGrader, strategy: Strategy
) -> None:
    outcome, _ = solve(executor_of(grader), routed(easy=strategy, hard=Majority(64)), EASY)
    alone = executor_of(grader)
    direct = asyncio.run(alone.solve(EASY, strategy))
    ledger = outcome.ledger
    assert ledger.probe > 0
    assert (ledger.generated, ledger.discarded) == (
        direct.ledger.generated, direct.ledger.discarded,
    )  # fmt: skip
    assert [s.text for s in outcome.samples] == [s.text for s in direct.samples]


class SlowAfterProbes(SimulatedPolicy):
    """Answers its first request at once, and all others when time has run out."""

    async def draw(self, request: DrawRequest) -> list[Draw]:
        self.latency = 0.8 if self.calls else 0.0
        return await super().draw(request)


def slow_after_probes(grader: MathGrader) -> Executor:
    policy = SlowAfterProbes(CHANCE, 2, wrong_answers=50, block_size=16)
    return dataclasses.replace(executor_of(grader), policy=policy)


@pytest.mark.parametrize("strategy", [Greedy(), Majority(2), Dvts(4, 2)], ids=key)
def test_probes_that_cannot_be_used_are_charged_as_probes_where_time_ran_out_too(
    grader: MathGrader, strategy: Strategy
) -> None:
    plan = routed(easy=strategy, hard=Majority(64))
    whole, _ = solve(executor_of(grader), plan, EASY)
    executor = slow_after_probes(grader)
    cut = virtual_time.run(route(executor, plan, EASY, Ask(seconds=0.5)))
    assert cut.cut and cut.decision.strategy == strategy
    ledger = cut.outcome.ledger
    assert ledger.probe == whole.ledger.probe > 0
    # What is answered with are the probes: nothing of the strategy's own was kept.
    assert [sample.state for sample in cut.outcome.samples] == ["finished"] * PROBES
    assert ledger.generated == 0 and ledger.discarded > 0
    check_ledger(executor, ledger)


def test_probes_that_count_are_charged_as_kept_where_time_ran_out_too(grader: MathGrader) -> None:
    executor = slow_after_probes(grader)
    plan = routed(easy=Majority(8), hard=Majority(64))
    cut = virtual_time.run(route(executor, plan, EASY, Ask(seconds=0.5)))
    ledger, samples = cut.outcome.ledger, cut.outcome.samples
    assert cut.cut and len(samples) == PROBES
    assert ledger.generated == sum(sample.n_tokens for sample in samples)
    assert ledger.probe == 0 and ledger.discarded > 0
    check_ledger(executor, ledger)


@pytest.mark.process
def test_the_time_for_an_answer_is_also_that_for_comparing_it(tmp_path: Path) -> None:
    with HostileGrader(tmp_path, 60, 100) as hostile:
        executor = executor_of(hostile)
        started = time.monotonic()
        found = asyncio.run(
            route(executor, plan_of(all=Majority(16)), HARD, Ask(seconds=0.3))
        )  # fmt: skip
        assert time.monotonic() - started < 30  # one comparison may take 60 s
    assert found.outcome.answer in ENDLESS and found.outcome.uncompared > 0


def test_every_problem_gets_the_strategy_of_its_difficulty(grader: MathGrader) -> None:
    plan = routed(easy=Majority(4), hard=BestOfN(16))
    for problem in PROBLEMS:
        outcome, note = solve(executor_of(grader), plan, problem)
        easy = CHANCE[problem.text] > 0.5
        assert note["difficulty"] == ("easy" if easy else "hard")
        assert len(outcome.samples) + outcome.ledger.spared == (4 if easy else 16)


def test_a_difficulty_the_plan_leaves_out_gets_the_strategy_for_all(grader: MathGrader) -> None:
    plan = plan_of(by_agreement(), easy=Majority(4), all=Majority(6))
    outcome, note = solve(executor_of(grader), plan, HARD)
    assert note["difficulty"] == "hard"
    assert len(outcome.samples) == 6


@pytest.mark.parametrize("problem", [EASY, HARD], ids=["easy", "hard"])
def test_the_reference_answer_has_no_say_in_the_route(grader: MathGrader, problem: Problem) -> None:
    plan = routed(easy=Majority(4), hard=BestOfN(8))
    found = []
    for answer in (problem.answer, None, "wrong"):
        asked = dataclasses.replace(problem, answer=answer)
        outcome, note = solve(executor_of(grader), plan, asked)
        texts = [sample.text for sample in outcome.samples]
        found.append((note["difficulty"], outcome.answer, outcome.ledger, texts))
        assert (outcome.correct is None) == (answer is None)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "plan",
    [
        plan_of(None, easy=Majority(8), all=Majority(2)),
        plan_of(by_agreement(), easy=Majority(2), hard=Majority(2), all=Majority(2)),
    ],
    ids=["no classifier", "one strategy"],
)
def test_a_plan_that_does_not_route_draws_no_probes(grader: MathGrader, plan: CompiledPlan) -> None:
    executor, alone = executor_of(grader), executor_of(grader)
    outcome, note = solve(executor, plan, EASY)
    direct = asyncio.run(alone.solve(EASY, Majority(2)))
    assert note == {"difficulty": "all"}
    assert outcome.samples == direct.samples
    assert outcome.ledger == direct.ledger
    assert executor.policy.calls == 1  # type: ignore[attr-defined]


def test_a_question_that_fills_the_context_is_answered_as_by_all(grader: MathGrader) -> None:
    policy = SimulatedPolicy(0.9, max_context=8)
    executor = Executor(policy, SimulatedPrm(0.9), grader, Sampling())
    outcome, note = solve(executor, routed(easy=Majority(4), hard=BestOfN(8)), EASY)
    assert note["difficulty"] == "all"
    assert (outcome.answer, outcome.correct, policy.calls) == (None, False, 0)


def test_the_note_says_that_the_prm_knew_the_problem(grader: MathGrader) -> None:
    prm = SimulatedPrm(0.9, trained_on=[question_id(EASY.text)])
    executor = dataclasses.replace(executor_of(grader), prm=prm)
    plan = routed(easy=Majority(4), hard=BestOfN(8))
    easy, hard = (solve(executor, plan, problem)[1] for problem in (EASY, HARD))
    assert easy.pop("estimate") and hard.pop("estimate")
    assert easy == {PRM_TRAINED_ON: True, "difficulty": "easy"}
    assert hard == {"difficulty": "hard"}


def test_the_note_says_what_was_known_of_the_question(grader: MathGrader) -> None:
    plan = routed(easy=Majority(4), hard=BestOfN(8))
    for problem, level, inside in ((EASY, "easy", 0.99), (HARD, "hard", 0.01)):
        note = solve(executor_of(grader), plan, problem)[1]
        estimate = note["estimate"]
        assert json.loads(json.dumps(note)) == note
        assert estimate["probes"] == PROBES
        assert max(estimate["probabilities"], key=estimate["probabilities"].get) == level
        assert estimate["interval"][0] <= inside <= estimate["interval"][1]


def test_a_plan_that_asks_the_text_alone_draws_no_probes(grader: MathGrader) -> None:
    told = by_agreement().heads[0]
    by_text = dataclasses.replace(told, probes=0, features=("log_words",), mean=(0.0,))
    plan = plan_of(DifficultyModel((by_text,), 1), easy=Majority(4), hard=Greedy(), all=Greedy())
    outcome, note = solve(executor_of(grader), plan, EASY)
    alone = asyncio.run(executor_of(grader).solve(EASY, Majority(4)))
    assert note["difficulty"] == "easy"
    assert (outcome.samples, outcome.ledger.generated) == (alone.samples, alone.ledger.generated)


def test_the_time_for_probes_is_part_of_the_time_for_the_answer(grader: MathGrader) -> None:
    executor = executor_of(grader, latency=0.2)
    outcome, _ = solve(executor, routed(easy=Greedy(), hard=BestOfN(8)), EASY)
    assert outcome.seconds >= 0.39


def test_without_a_prm_probes_are_not_scored(grader: MathGrader) -> None:
    executor = dataclasses.replace(executor_of(grader), prm=None)
    outcome, note = solve(executor, routed(easy=Majority(8), hard=Majority(16)), HARD)
    assert note["difficulty"] == "hard"
    assert outcome.ledger.prm == 0
    assert all(sample.rewards == () for sample in outcome.samples)


def test_a_long_question_does_not_hold_up_the_others(grader: MathGrader) -> None:
    """It is looked through, and cut into tokens, beside the loop."""
    text = "How many apples are 12 and 3.5? " * 32_000
    threads: set[int] = set()

    class Watched(SimulatedPolicy):
        def prompt(self, question: str, before: Sequence[tuple[str, str]] = ()) -> list[int]:
            threads.add(threading.get_ident())
            return super().prompt(question, before)

    executor = dataclasses.replace(executor_of(grader), policy=Watched(0.9))
    plan = routed(easy=Majority(4), hard=BestOfN(8))
    turns = 0

    async def run() -> Outcome:
        nonlocal turns
        asked = asyncio.create_task(route(executor, plan, Problem("long", text)))
        while not asked.done():
            await asyncio.sleep(0.001)
            turns += 1
        return (await asked).outcome

    outcome = asyncio.run(run())
    assert outcome.samples == ()  # it fills the context
    assert threads and threading.get_ident() not in threads
    # Done on the loop it would leave the others two turns; beside it, ten or more.
    assert turns >= 5


def test_a_short_question_needs_no_thread(
    grader: MathGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise AssertionError("a thread")

    monkeypatch.setattr(asyncio, "to_thread", refuse)
    outcome, _ = solve(executor_of(grader), routed(easy=Majority(8), hard=BestOfN(8)), EASY)
    assert len(outcome.samples) == 8
