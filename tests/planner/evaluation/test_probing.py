"""Routing by probes, replayed: what is drawn, what it costs, and what is expected of it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Greedy, Majority, Score
from planner.evaluation.probing import ProbedArena
from profiling.pools.replay import Pool, Rule, replay
from tests.helpers.arena import arena_of

PROBES, SIZE, TOKENS = 2, 8, 50
WEIGHTED = BestOfN(4, Score.MIN, Vote.WEIGHTED)
CHANCES = {Greedy(): 0.5, Majority(1): 0.4, Majority(4): 0.6, BestOfN(4): 0.7, WEIGHTED: 0.7,
           BeamSearch(4): 0.9}  # fmt: skip
EASY = {
    Greedy(): 0.95,
    Majority(1): 0.9,
    Majority(4): 0.95,
    BestOfN(4): 0.95,
    WEIGHTED: 0.95,
    BeamSearch(4): 0.95,
}
HARD = {Greedy(): 0.0, Majority(1): 0.05, Majority(4): 0.0, BestOfN(4): 0.1, WEIGHTED: 0.1,
        BeamSearch(4): 0.8}  # fmt: skip
TRUTH = {"easy": EASY, "hard": HARD}
EXPECTED = {**TRUTH, "medium": CHANCES, "all": CHANCES}


def pool(right: np.ndarray, rewards: np.ndarray) -> Pool:
    nothing = np.zeros(0, dtype=np.int64)
    scores = dict.fromkeys(Score, rewards)
    return Pool(right, np.where(right, 0, 1), scores, np.full(SIZE, TOKENS), nothing, nothing)


def seen(problem: str, drawn: np.ndarray) -> np.ndarray:
    """Easy as far as the probes are right: what no estimator can know, and so easily checked."""
    share = POOLS[problem].correct[drawn].mean(axis=1)
    return np.column_stack([share, np.zeros_like(share), 1 - share])


ARENA = arena_of(TRUTH, {"easy": 3, "hard": 3}, [EXPECTED, EXPECTED], seed=1)
RNG = np.random.default_rng(0)
POOLS = {
    problem: pool(RNG.random(SIZE) < (0.8 if level == "easy" else 0.2), RNG.random(SIZE))
    for problem, level in zip(ARENA.problems, ARENA.levels, strict=True)
}


def probed(draws: int = 1000, budget: int = 4) -> ProbedArena:
    return ProbedArena.draw(ARENA, POOLS, [seen, seen], probes=PROBES, draws=draws, budget=budget)


ONE = probed()


def at(strategy: object) -> int:
    """A strategy among those allowed."""
    return [ARENA.parsed[s] for s in ONE.allowed].index(strategy)


def always(strategy: object) -> np.ndarray:
    return np.full(ONE.chances.shape[:2], at(strategy))


@pytest.mark.parametrize("strategy", [Majority(4), BestOfN(4), WEIGHTED])
def test_votes_go_on_from_their_probes_and_are_unbiased(strategy: Majority | BestOfN) -> None:
    accuracy, tokens = ONE.outcomes(always(strategy))
    rule = Rule(Vote.MAJORITY)
    if isinstance(strategy, BestOfN):
        rule = Rule(strategy.vote, strategy.score)
    exact = [replay(POOLS[problem], np.array([4]))[rule].accuracy[0]
             for problem in ARENA.problems]  # fmt: skip
    assert accuracy == pytest.approx(exact, abs=0.12)
    assert accuracy.mean() == pytest.approx(np.mean(exact), abs=0.04)
    assert tokens.tolist() == [4 * TOKENS] * 6


@pytest.mark.parametrize("strategy", [Greedy(), BeamSearch(4)])
def test_what_starts_anew_pays_for_its_probes(strategy: Greedy | BeamSearch) -> None:
    accuracy, tokens = ONE.outcomes(always(strategy))
    column = ARENA.parsed.index(strategy)
    assert accuracy.tolist() == ARENA.accuracy[:, column].tolist()
    assert tokens == pytest.approx(ARENA.tokens[:, column] + PROBES * TOKENS)


def test_a_vote_of_fewer_than_the_probes_starts_anew_too() -> None:
    _, tokens = ONE.outcomes(always(Majority(1)))
    assert tokens == pytest.approx(np.full(6, 100.0 + PROBES * TOKENS))


def test_probes_are_drawn_without_replacement_and_all_alike() -> None:
    pairs = {frozenset(order[:PROBES]) for order in ONE.order.reshape(-1, SIZE)}
    assert pairs == {frozenset(pair) for pair in combinations(range(SIZE), PROBES)}


def test_what_is_expected_charges_probes_where_they_are_not_used() -> None:
    accuracy, tokens = ONE.expected(0)
    assert accuracy[:, at(BeamSearch(4))].tolist() == [0.95, 0.9, 0.8]
    sample = 100.0  # of what is expected of one sample
    for strategy, extra in ((Majority(4), 0), (Majority(1), PROBES), (BeamSearch(4), PROBES)):
        assert tokens[:, at(strategy)].tolist() == [100 * strategy.n + extra * sample] * 3


def test_options_are_what_is_planned_for_all_at_each_budget() -> None:
    # Of the budgets 1 and 4, greedy and the search are expected to do best on all problems.
    assert [ARENA.parsed[ONE.allowed[o]] for o in ONE.options(0)] == [Greedy(), BeamSearch(4)]


def test_routing_takes_what_is_expected_to_be_worth_most() -> None:
    search, greedy = at(BeamSearch(4)), at(Greedy())
    surely_easy, surely_hard = ONE.chances[..., 0] == 1, ONE.chances[..., 2] == 1
    halves = ONE.chances[..., 0] == 0.5
    assert surely_easy.any() and surely_hard.any() and halves.any()
    # A search costs 300 tokens more: on sure ones it gains nothing, .8, and .4 where it is even.
    for price, picked in ((1e-6, (greedy, search, search)), (2e-3, (greedy, search, greedy)),
                          (1.0, (greedy, greedy, greedy))):  # fmt: skip
        routed = ONE.by_expectation(price)
        for kind, one in zip((surely_easy, surely_hard, halves), picked, strict=True):
            assert (routed[kind] == one).all(), price


def test_naming_takes_the_most_probable_difficulty_and_truth_the_profiles() -> None:
    price = 1e-3  # a search is worth it where it is hard, and not where it is easy
    named, true = ONE.by_most_probable(price), ONE.by_truth(price)
    search = at(BeamSearch(4))
    assert (named[ONE.chances[..., 2] > 0.5] == search).all()
    assert (named[ONE.chances[..., 0] > 0.5] != search).all()
    assert (true[ARENA.levels == "hard"] == search).all()
    assert (true[ARENA.levels == "easy"] != search).all()


def test_nothing_beyond_the_budget_is_run() -> None:
    few = probed(2, budget=1)
    assert {ARENA.parsed[s] for s in few.allowed} == {Greedy(), Majority(1)}
