"""Particle filtering: how particles are weighed and resampled, and what becomes of ended ones."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binomtest

from executor.ledger import TokenCap
from executor.policies.base import DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.search import Context, Response, State, search
from executor.search.particles import logit, resample, softmax
from executor.strategy import ParticleFilter, Sampling, Score
from executor.testing.watched import (
    PROBLEM,
    WatchedPolicy,
    WatchedPrm,
    check_ledger,
    context_of,
    run_search,
)
from tests.executor.search.test_tree import Scripted

inside = st.floats(1e-6, 1 - 1e-6)


@given(inside)
def test_a_logit_is_undone_by_the_logistic_function(score: float) -> None:
    assert 1 / (1 + math.exp(-logit(score))) == pytest.approx(score)


@given(st.lists(inside, min_size=1, max_size=9), st.floats(0.05, 50))
def test_chances_are_odds_to_the_power_of_one_over_temperature(
    scores: list[float], temperature: float
) -> None:
    chances = softmax([logit(score) for score in scores], temperature)
    assert math.fsum(chances) == pytest.approx(1)
    odds = [(score / (1 - score)) ** (1 / temperature) for score in scores]
    expected = [one / math.fsum(odds) for one in odds]
    assert chances == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("temperature", [1e-3, 1.0])
def test_scores_of_0_and_1_are_no_error_and_leave_nothing_between(temperature: float) -> None:
    chances = softmax([logit(score) for score in (0.0, 1.0, 0.0, 1.0)], temperature)
    assert chances == pytest.approx([0, 0.5, 0, 0.5], abs=1e-30)


@example(chances=[5e-324, 0.0], n=9, seed=0)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=9).filter(any),
    st.integers(1, 64),
    st.integers(0, 2**31),
)
def test_resampling_draws_n_of_those_that_have_a_chance(
    chances: list[float], n: int, seed: int
) -> None:
    copies = resample(chances, n, seed)
    assert sum(copies.values()) == n
    assert all(chances[index] > 0 and times > 0 for index, times in copies.items())
    assert list(copies) == sorted(copies)
    assert resample(chances, n, seed) == copies


def test_every_draw_follows_the_chances_and_none_the_other() -> None:
    # Multinomial: the number of draws of one particle is binomial, and so is its variance.
    chance, n, runs = 0.3, 8, 2000
    drawn = [resample([chance, 0.5, 0.2], n, seed).get(0, 0) for seed in range(runs)]
    assert binomtest(sum(drawn), runs * n, chance).pvalue > 1e-4
    mean = sum(drawn) / runs
    variance = sum((times - mean) ** 2 for times in drawn) / (runs - 1)
    assert variance == pytest.approx(n * chance * (1 - chance), rel=0.15)


def test_children_of_one_particle_share_one_request() -> None:
    policy, prm = WatchedPolicy(0.5, 4), WatchedPrm(0.9)
    responses = run_search(ParticleFilter(16), context_of(policy, prm))
    asked = Counter(tuple(request.prompt_ids) for request in policy.requests)
    rounds = itertools.groupby(policy.requests, key=lambda r: len(policy_steps(policy, r)))
    assert [sum(request.n for request in group) for _, group in rounds] == [16] * 5
    assert max(asked.values()) == 1, "a particle was resampled into several requests"
    assert max(request.n for request in policy.requests[1:]) > 1
    assert len({request.seed for request in policy.requests}) == len(policy.requests)
    assert len(responses) == 16


def policy_steps(policy: WatchedPolicy, request: DrawRequest) -> list[str]:
    written = request.prompt_ids[len(policy.prompt(PROBLEM.text)) :]
    return policy.tokens.decode(written).split("\n\n")


def test_with_a_perfect_prm_all_particles_are_right_or_none_is() -> None:
    for seed in range(40):
        context = context_of(SimulatedPolicy(0.4, 3), SimulatedPrm(1.0), seed=seed)
        last = {response.rewards[-1] for response in run_search(ParticleFilter(4), context)}
        assert len(last) == 1


def ends_or_goes_on(before: str, child: int) -> str:
    """The first child ends at once; the others after one more step."""
    return "end" if before or child == 0 else f"step {child}\n\n"


def filtered(both: Scripted, strategy: ParticleFilter, seed: int = 0) -> tuple[list[str], Context]:
    context = Context(PROBLEM, both, both, Sampling(), seed, TokenCap(10**6))  # type: ignore[arg-type]
    responses = asyncio.run(search(strategy, context))
    assert all(response.state is State.FINISHED for response in responses)
    return [response.text for response in responses], context


@pytest.mark.parametrize(("worth", "copies"), [(1.0, 8), (0.0, 0)], ids=["the best", "the worst"])
def test_an_ended_particle_is_drawn_again_by_its_weight(worth: float, copies: int) -> None:
    both = Scripted(ends_or_goes_on, lambda text: worth if text == "end" else 0.5)
    texts, context = filtered(both, ParticleFilter(8))
    assert len(texts) == 8
    assert Counter(texts)["end"] == copies
    # Charged once however often it comes out, and discarded once where it does not.
    drawn = {"end": 3} | {f"step {child}\n\n": len("step 1\n\n") for child in range(1, 8)}
    kept = {text.removesuffix("end") or "end" for text in texts}
    assert context.ledger.discarded == sum(n for text, n in drawn.items() if text not in kept)


def test_ended_and_live_particles_share_the_places_by_weight() -> None:
    both = Scripted(ends_or_goes_on, lambda text: 0.5)
    ended = [Counter(filtered(both, ParticleFilter(8), seed)[0])["end"] for seed in range(400)]
    # All weigh the same: one of eight is the ended one, in each of eight draws.
    assert binomtest(sum(ended), 400 * 8, 1 / 8).pvalue > 1e-4


def test_nothing_is_resampled_once_all_have_ended() -> None:
    both = Scripted(lambda before, child: f"end {child}", lambda text: float(text == "end 3"))
    texts, _ = filtered(both, ParticleFilter(4))
    assert texts == [f"end {child}" for child in range(4)]
    assert both.asked == [("", 4)]


@pytest.mark.parametrize(("temperature", "kinds"), [(0.01, range(1, 2)), (1e3, range(15, 26))])
def test_the_temperature_says_how_much_the_prm_is_trusted(temperature: float, kinds: range) -> None:
    def script(before: str, child: int) -> str:
        return "end" if before else f"step {child}\n\n"

    # 32 draws from 32 of equal weight hit 20 of them on average.
    both = Scripted(script, lambda text: 0.9 if text.startswith("step 7\n") else 0.6)
    texts, _ = filtered(both, ParticleFilter(32, softmax_temperature=temperature))
    assert len(set(texts)) in kinds


@pytest.mark.parametrize(("score", "most"), [(Score.LAST, "late"), (Score.MIN, "even")])
def test_the_score_asked_for_is_what_weighs(score: Score, most: str) -> None:
    worth = {"late": 0.2, "even": 0.8, "late on": 0.999, "even on": 0.5}

    def script(before: str, child: int) -> str:
        steps = before.count("\n\n")
        return "end" if steps == 2 else ("on" if steps else ("late", "even")[child % 2]) + "\n\n"

    both = Scripted(script, lambda text: worth.get(text.strip().replace("\n\n", " "), 0.5))
    texts, _ = filtered(both, ParticleFilter(64, score=score))
    assert sum(text.startswith(most) for text in texts) > 50


@pytest.mark.parametrize("cap", [30, 150, 400, 800])
def test_a_spent_cap_cuts_particles_and_keeps_their_number(cap: int) -> None:
    context = context_of(SimulatedPolicy(0.7, 4), SimulatedPrm(0.8), cap=cap)
    responses = run_search(ParticleFilter(6), context)
    assert len(responses) == 6
    assert any(response.state is State.CUT for response in responses)
    check_ledger(context)


def test_one_particle_is_one_sample() -> None:
    context = context_of(WatchedPolicy(0.7, 3), SimulatedPrm(0.8))
    [response] = run_search(ParticleFilter(1), context)
    assert isinstance(response, Response)
    assert context.ledger.discarded == 0
