"""Strategies solve the simulated policy's problems as often as closed forms say."""

from __future__ import annotations

import asyncio
import math

import pytest
from scipy.stats import binom

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.outcome import Outcome
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.strategy import (
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    Strategy,
    key,
)
from executor.testing.watched import WatchedPolicy, context_of, run_search


def accuracy(
    strategy: Strategy, policy: SimulatedPolicy, prm: SimulatedPrm | None, grader: MathGrader,
    problems: int = 300,
) -> float:  # fmt: skip
    executor = Executor(policy, prm, grader, Sampling(), seed=1)

    async def all_of_them() -> list[Outcome]:
        return [await executor.solve(problem, strategy) for problem in simulated_problems(problems)]

    return sum(bool(o.correct) for o in asyncio.run(all_of_them())) / problems


def margin(p: float, problems: int = 300) -> float:
    """Four standard errors."""
    return 4 * math.sqrt(p * (1 - p) / problems)


def beams_right(p: float, depth: int, n: int, width: int) -> float:
    """P(a right one is among the beams) under a perfect PRM; see `executor.policies.simulated`."""
    chance = {n // width: 1.0}
    for level in range(depth):
        after: dict[int, float] = {}
        for survivors, weight in chance.items():
            children = n if level == 0 else survivors * width
            for right in range(children + 1):
                kept = min(right, n // width)
                after[kept] = after.get(kept, 0) + weight * binom.pmf(right, children, p)
        chance = after
    return 1 - chance.get(0, 0.0)


@pytest.mark.long
def test_greedy_is_one_draw_at_temperature_0(grader: MathGrader) -> None:
    policy = WatchedPolicy(0.55, 3)
    run_search(Greedy(), context_of(policy))
    [request] = policy.requests
    assert (request.n, request.temperature, request.top_p) == (1, 0.0, 1.0)
    assert accuracy(Greedy(), SimulatedPolicy(0.55, 3), None, grader, 40) == 1.0
    assert accuracy(Greedy(), SimulatedPolicy(0.45, 3), None, grader, 40) == 0.0


@pytest.mark.long
def test_samples_are_right_as_often_as_the_closed_form_says(grader: MathGrader) -> None:
    expected = 0.7**3
    found = accuracy(Majority(1), SimulatedPolicy(0.7, 3), None, grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
def test_best_of_n_with_a_perfect_prm_is_pass_at_n(grader: MathGrader) -> None:
    expected = 1 - (1 - 0.5**3) ** 8
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.5, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
def test_best_of_n_with_a_useless_prm_is_pass_at_1(grader: MathGrader) -> None:
    expected = 0.7**3
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.7, 3), SimulatedPrm(0.5), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
def test_a_misleading_prm_is_worse_than_none(grader: MathGrader) -> None:
    strategy = BestOfN(8, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.7, 3), SimulatedPrm(0.2), grader, 200)
    assert found < 0.7**3 / 2


@pytest.mark.long
@pytest.mark.parametrize(("n", "width"), [(8, 4), (4, 4), (8, 2)])
def test_beam_search_with_a_perfect_prm_reaches_the_closed_form(
    n: int, width: int, grader: MathGrader
) -> None:
    strategy = BeamSearch(n, width, vote=Vote.MAX)
    expected = beams_right(0.25, 3, n, width)
    found = accuracy(strategy, SimulatedPolicy(0.25, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
@pytest.mark.parametrize(("n", "width"), [(8, 4), (4, 4), (8, 2)])
def test_dvts_with_a_perfect_prm_reaches_the_closed_form(
    n: int, width: int, grader: MathGrader
) -> None:
    subtree = (1 - (1 - 0.25) ** width) ** 3
    expected = 1 - (1 - subtree) ** (n // width)
    strategy = Dvts(n, width, vote=Vote.MAX)
    found = accuracy(strategy, SimulatedPolicy(0.25, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
@pytest.mark.parametrize("vote", [Vote.MAX, Vote.MAJORITY])
@pytest.mark.parametrize("n", [2, 4])
def test_particles_under_a_perfect_prm_reach_the_closed_form(
    n: int, vote: Vote, grader: MathGrader
) -> None:
    # Any right one takes all places, so all end right or none does, and no vote matters.
    expected = (1 - (1 - 0.5) ** n) ** 3
    strategy = ParticleFilter(n, vote=vote)
    found = accuracy(strategy, SimulatedPolicy(0.5, 3), SimulatedPrm(1.0), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


@pytest.mark.long
def test_particles_under_a_useless_prm_are_samples(grader: MathGrader) -> None:
    expected = 0.7**3
    found = accuracy(ParticleFilter(8), SimulatedPolicy(0.7, 3), SimulatedPrm(0.5), grader)
    assert found == pytest.approx(expected, abs=margin(expected))


def aggregated(q: float, corrects: float, strategy: Aggregate) -> float:
    """P(most of the last population are right); see `executor.policies.simulated`."""
    size, shown = strategy.population, strategy.shown
    chance = [float(binom.pmf(right, size, q)) for right in range(size + 1)]
    for _ in range(strategy.rounds):
        after = [0.0] * (size + 1)
        for right, weight in enumerate(chance):
            some = 1 - math.comb(size - right, shown) / math.comb(size, shown)
            p = some * corrects + (1 - some) * q
            for count in range(size + 1):
                after[count] += weight * float(binom.pmf(count, size, p))
        chance = after
    return sum(weight for right, weight in enumerate(chance) if 2 * right > size)


@pytest.mark.long
@pytest.mark.parametrize("strategy", [Aggregate(9, 2, 2), Aggregate(6, 1, 1)], ids=key)
def test_aggregation_reaches_the_closed_form(strategy: Aggregate, grader: MathGrader) -> None:
    # One wrong answer and an odd population: a vote is right if most answers are.
    q, corrects = 0.5**2, 0.8
    expected = aggregated(q, corrects, strategy)
    policy = SimulatedPolicy(0.5, 2, wrong_answers=1, corrects=corrects)
    found = accuracy(strategy, policy, None, grader)
    assert found == pytest.approx(expected, abs=margin(expected))
    assert expected > aggregated(q, q, strategy) + margin(expected)


@pytest.mark.long
def test_search_beats_majority_on_hard_problems(grader: MathGrader) -> None:
    policy, prm = SimulatedPolicy(0.5, 4), SimulatedPrm(0.95)
    voted = accuracy(Majority(8), policy, None, grader, 150)
    searched = accuracy(BeamSearch(8, 4), policy, prm, grader, 150)
    assert searched > voted + 0.4
