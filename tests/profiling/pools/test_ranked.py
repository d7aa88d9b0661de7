"""Votes by rank against brute force: every draw in every order, voted on as the executor votes."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.run.runner import Executor
from executor.scorers.certainty import DeepConfTail
from executor.strategy import BestOfN, Sampling, Score
from profiling.pass_rate import Difficulty, PassRate
from profiling.pools.ballots import Ballots
from profiling.pools.class_part import ClassPart
from profiling.pools.drawn import part, voted
from profiling.pools.ranked import RankedVote, ranked
from profiling.pools.replay import MAJORITY, Pool, Rule, replay
from profiling.scorers.free import scored_free
from tests.helpers.pools import GRADER, by_hand, pool_of

Pairs = list[tuple[str | None, float]]
# Sums of eighths are exact, so ties are ties.
pairs_of = st.lists(
    st.tuples(
        st.sampled_from([None, "1", "2", "3"]), st.integers(0, 8).map(lambda eighths: eighths / 8)
    ),
    min_size=1,
    max_size=5,
)
RULES = [
    Rule(Vote.WEIGHTED, Score.LAST, keep=0.1),
    Rule(Vote.WEIGHTED, Score.LAST, keep=0.5),
    Rule(Vote.WEIGHTED, Score.LAST, keep=0.9),
    Rule(Vote.MAJORITY, Score.LAST, keep=0.5),
    Rule(Vote.BORDA, Score.LAST),
    # Powers whose sums of votes are exact, too.
    Rule(Vote.BORDA, Score.LAST, power=0),
    Rule(Vote.BORDA, Score.LAST, power=2),
]


def ranked_pool(pairs: Pairs, *rules: Rule) -> Pool:
    return replace(pool_of(pairs), further=rules)


@settings(max_examples=30)
@given(pairs_of)
@example([("1", 0.5), ("2", 0.5), ("2", 0.25), ("1", 0.25)])
@example([(None, 1.0), ("1", 0.5), ("2", 0.25)])
@example([(None, 1.0), (None, 0.5), ("1", 0.0)])
@example([("1", 0.0), ("2", 0.0), ("2", 0.0), (None, 0.0)])
def test_a_vote_by_rank_is_the_mean_over_all_draws_at_every_k(pairs: Pairs) -> None:
    ks = np.arange(1, len(pairs) + 1)
    curves = replay(ranked_pool(pairs, *RULES), ks)
    for rule in RULES:
        expected = [
            by_hand(pairs, k, rule.vote, keep=rule.keep, power=rule.power) for k in ks.tolist()
        ]
        assert curves[rule].accuracy == pytest.approx(expected, abs=1e-12), str(rule)
        assert not curves[rule].variance.any()


@given(pairs_of)
def test_one_draw_is_voted_on_as_the_executor_does(pairs: Pairs) -> None:
    """At k = n there is one draw, and its vote is that of `voted`."""
    pool = ranked_pool(pairs, *RULES)
    curves = replay(pool, np.array([len(pairs)]))
    for rule in RULES:
        assert rule.score is not None and rule.vote is not None
        strategy = BestOfN(len(pairs), rule.score, rule.vote, rule.keep, rule.power)
        whole = voted(part(pool, np.arange(len(pairs))), strategy)
        assert whole == pytest.approx(curves[rule].accuracy[0]), str(rule)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_live_run_has_the_answer_of_the_replay(rule: Rule) -> None:
    """Of samples that the scorer ranked while they came, and of the same from a pool."""
    assert rule.score is not None and rule.vote is not None
    strategy = BestOfN(8, rule.score, rule.vote, rule.keep, rule.power)
    scorer = DeepConfTail()
    executor = Executor(SimulatedPolicy(0.6, 2), scorer, GRADER, Sampling(), early_stop=True)
    seen = set()
    for problem in simulated_problems(12):
        outcome = asyncio.run(executor.solve(problem, strategy))
        scored = scored_free(outcome.samples, scorer.name)
        assert scored == outcome.samples
        pool = Pool.of(scored, GRADER, rules=(Score.LAST,), further=(rule,))
        share = replay(pool, np.array([8]))[rule].accuracy[0]
        assert share == outcome.correct or 0 < share < 1  # answers of equal weight share it
        seen.add(share)
    assert {0.0, 1.0} <= seen


def many(seed: int, n: int) -> Pairs:
    rng = np.random.default_rng(seed)
    return [(["1", "2", "3", "4", None][rng.integers(5)], float(rng.random())) for _ in range(n)]


def test_limits_are_the_votes_that_they_should_be() -> None:
    """Keeping all: weighted; keeping one, or a high power: the best; no power: majority."""
    pairs, ks = many(0, 8), np.arange(1, 9)
    one_kept = Rule(Vote.WEIGHTED, Score.LAST, keep=1e-6)
    flat, steep = (Rule(Vote.BORDA, Score.LAST, power=power) for power in (0.0, 90.0))
    answered = [one for one in pairs if one[0] is not None]
    curves = replay(ranked_pool(pairs, one_kept, flat), ks, orders=100)
    assert curves[one_kept].accuracy == pytest.approx(curves[Rule(Vote.MAX, Score.LAST)].accuracy)
    assert curves[flat].accuracy == pytest.approx(curves[MAJORITY].accuracy)
    some = np.arange(1, len(answered) + 1)
    answered_pool = ranked_pool(answered, steep)
    best = replay(answered_pool, some, orders=100)
    assert best[steep].accuracy == pytest.approx(best[Rule(Vote.MAX, Score.LAST)].accuracy)
    scores = answered_pool.scores[Score.LAST]
    ballots = Ballots.of(answered_pool.answer_class, answered_pool.correct)
    whole = ranked(ballots, scores, some, RankedVote(Vote.WEIGHTED), orders=99, random_state=0)
    assert whole.accuracy == pytest.approx(best[Rule(Vote.WEIGHTED, Score.LAST)].accuracy)


def test_the_error_of_drawn_votes_is_as_large_as_it_says() -> None:
    pairs, ks = many(3, 12), np.array([4, 5, 6])
    rules = RULES[1], RULES[4]
    exact = replay(ranked_pool(pairs, *rules), ks, orders=1000)
    found = [
        replay(ranked_pool(pairs, *rules), ks, orders=65, random_state=seed) for seed in range(300)
    ]
    for rule in rules:
        assert not exact[rule].variance.any()
        misses = np.array([curves[rule].accuracy for curves in found]) - exact[rule].accuracy
        stated = np.mean([curves[rule].variance for curves in found], axis=0)
        assert (stated > 0).all()
        assert np.mean(misses**2, axis=0) == pytest.approx(stated, rel=0.3)
        assert (np.abs(misses.mean(axis=0)) < 4 * np.sqrt(stated / 300)).all()


def test_drawn_votes_in_a_class_agree_with_counted_ones() -> None:
    pairs, ks = many(2, 14), np.array([3, 4, 5])
    pool = ranked_pool(pairs, *RULES[1:5])
    within = ClassPart(pool.correct, 6, Difficulty.MEDIUM)
    exact = replay(pool, ks, orders=10_000, part=within)
    drawn = replay(pool, ks, orders=300, part=within)
    for rule in RULES[1:5]:
        assert not exact[rule].variance.any() and drawn[rule].variance.all()
        error = np.abs(drawn[rule].accuracy - exact[rule].accuracy)
        assert (error < 4 * np.sqrt(drawn[rule].variance)).all(), str(rule)


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_in_a_class_it_is_the_mean_over_all_splits_that_give_the_class(rule: Rule) -> None:
    pairs: Pairs = [("1", 0.5), ("2", 0.75), ("1", 0.25), ("2", 1.0), (None, 1.0), ("3", 0.5)]
    pool, size, k = ranked_pool(pairs, rule), 2, 3
    by_class: dict[Difficulty, list[float]] = {}
    for chosen in itertools.combinations(range(len(pairs)), size):
        rest = [one for i, one in enumerate(pairs) if i not in chosen]
        level = PassRate(int(pool.correct[list(chosen)].sum()), size).difficulty
        won = by_hand(rest, k, rule.vote, keep=rule.keep, power=rule.power)
        by_class.setdefault(level, []).append(won)
    assert len(by_class) > 1
    for level, won_by_split in by_class.items():
        curves = replay(pool, np.array([k]), part=ClassPart(pool.correct, size, level))
        assert curves[rule].accuracy[0] == pytest.approx(np.mean(won_by_split))
