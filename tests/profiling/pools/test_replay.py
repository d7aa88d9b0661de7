"""Replayed accuracies against brute force: every subset, in every order, voted on for real."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.outcome import SampleRecord
from executor.strategy import Score
from profiling.pools.replay import MAJORITY, PASS, SHORT, Pool, Rule, best_of_k, pass_at_k, replay
from tests.helpers.pools import GRADER, by_hand, pool_of

ANSWERS = [None, "1", "2", "3"]
WEIGHTED = Rule(Vote.WEIGHTED, Score.LAST)

# Sums of eighths are exact, so ties are ties; scaled down, they are what products of rewards are.
samples = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(ANSWERS), st.integers(0, 8).map(lambda e: e / 8)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([1.0, 2.0**-40]),
).map(lambda drawn: [(answer, score * drawn[1]) for answer, score in drawn[0]])


@given(samples)
@example([("1", 2.0**-40), ("2", 2.0**-41)])
@example([("2", 0.5), ("1", 0.25), ("1", 0.25)])
@example([(None, 1.0), ("1", 0.5)])
@example([("1", 0.0), ("2", 0.0), (None, 0.0), ("2", 0.0)])
def test_a_replayed_rule_is_the_mean_over_all_draws_at_every_k(
    pairs: list[tuple[str | None, float]],
) -> None:
    ks = np.arange(1, len(pairs) + 1)
    curves = replay(pool_of(pairs), ks)
    for rule, curve in curves.items():
        if rule.first is not None:
            continue  # see test_first_finished.py
        seen = pairs if rule.score is not Score.MIN else [(answer, 1.0) for answer, _ in pairs]
        expected = [by_hand(seen, k, rule.vote) for k in ks.tolist()]
        assert curve.accuracy == pytest.approx(expected, abs=1e-12), str(rule)
        assert curve.variance.tolist() == [0.0] * len(ks)


def test_rules_with_a_score_need_scores() -> None:
    scored = pool_of([("1", 0.5), ("2", 0.25)])
    assert [str(rule) for rule in replay(scored, np.array([1]))] == [
        "pass", "majority", "short 1", "short 3", "max last", "max min", "weighted last",
        "weighted min",
    ]  # fmt: skip
    bare = Pool(scored.correct, scored.answer_class, {}, scored.tokens, *[scored.step_tokens] * 2)
    assert list(replay(bare, np.array([1]))) == [PASS, MAJORITY, *SHORT]


def test_asking_for_fewer_k_changes_nothing_but_the_noise() -> None:
    """Some k of a pool too large for enumeration: exact rules agree to the bit."""
    rng = np.random.default_rng(0)
    pool = pool_of([(ANSWERS[rng.integers(4)], float(rng.random())) for _ in range(40)])
    some, every = np.array([1, 3, 17, 40]), np.arange(1, 41)
    few, all_of_them = replay(pool, some), replay(pool, every)
    for rule, curve in few.items():
        whole = all_of_them[rule]
        expected = pytest.approx(whole.accuracy[some - 1], abs=1e-14, nan_ok=True)
        assert curve.accuracy == expected, str(rule)
        sampled = rule.vote is Vote.WEIGHTED
        assert (curve.variance > 0).tolist() == [False, sampled, sampled, False]


def test_equal_scores_make_a_weighted_vote_a_majority() -> None:
    rng = np.random.default_rng(1)
    pool = pool_of([(ANSWERS[rng.integers(4)], 0.5) for _ in range(24)])
    ks = np.arange(1, 25)
    curves = replay(pool, ks, orders=256)
    found, exact = curves[Rule(Vote.WEIGHTED, Score.LAST)], curves[MAJORITY]
    assert np.ptp(exact.accuracy) > 0.1
    assert found.accuracy == pytest.approx(exact.accuracy, abs=4 * 0.5 / math.sqrt(256))


@given(st.lists(st.booleans(), min_size=1, max_size=9))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(correct: list[bool]) -> None:
    ks = range(1, len(correct) + 1)
    subsets = [[any(s) for s in itertools.combinations(correct, k)] for k in ks]
    expected = [sum(found) / len(found) for found in subsets]
    assert pass_at_k(np.array(correct), np.array(ks)) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=9))
def test_best_of_k_is_the_mean_over_subsets_ties_shared(pairs: list[tuple[bool, int]]) -> None:
    def won(k: int) -> float:
        shares = []
        for subset in itertools.combinations(pairs, k):
            best = max(score for _, score in subset)
            winners = [right for right, score in subset if score == best]
            shares.append(sum(winners) / len(winners))
        return sum(shares) / len(shares)

    correct = np.array([right for right, _ in pairs])
    scores = np.array([float(score) for _, score in pairs])
    ks = range(1, len(pairs) + 1)
    found = best_of_k(correct, scores, np.array(ks))
    assert found == pytest.approx([won(k) for k in ks], abs=1e-12)


def test_large_pools_lose_no_precision() -> None:
    n, right = 1024, 16
    correct, ks = np.arange(n) % (n // right) == 0, np.array([1, 2, 100, 512, 1008, 1024])
    exact = [1 - math.comb(n - right, k) / math.comb(n, k) for k in ks.tolist()]
    assert pass_at_k(correct, ks) == pytest.approx(exact, rel=1e-12)
    assert best_of_k(correct, np.zeros(n), ks) == pytest.approx([right / n] * len(ks), rel=1e-12)


@pytest.mark.parametrize("k", [0, -1, 4])
def test_more_samples_than_there_are_cannot_be_drawn(k: int) -> None:
    pool = pool_of([("1", 0.5), ("2", 0.5), ("2", 0.5)])
    with pytest.raises(ValueError, match="expected 1 to 3"):
        replay(pool, np.array([1, k]))


def test_a_pool_holds_what_its_samples_say() -> None:
    def record(answer: str | None, rewards: tuple[float, ...]) -> SampleRecord:
        right = answer is not None
        return SampleRecord("", answer, right, "finished", 7, 0.0, rewards)

    samples = (record("1", (0.5, 0.25)), record(None, (0.75,)), record("1.0", (0.5, 1.0)))
    pool = Pool.of(samples, GRADER, rules=tuple(Score))
    assert pool.answer_class.tolist() == [0, -1, 0]
    assert pool.correct.tolist() == [True, False, True]
    assert pool.scores[Score.PROD].tolist() == [0.125, 0.75, 0.5]
    assert pool.scores[Score.LAST].tolist() == [0.25, 0.75, 1.0]
    assert Pool.of(samples, GRADER).scores == {}


def test_equal_answers_that_were_graded_unlike_are_one_class_right_in_part() -> None:
    """Another program's grader may say that 52 is wrong where 52_8 is right: half of them are.

    They are one answer to whoever votes, and it is worth the share of its samples that are right.
    """

    def record(answer: str, correct: bool) -> SampleRecord:
        return SampleRecord("", answer, correct, "finished", 7, 0.0)

    pool = Pool.of((record("1", True), record("1.0", False), record("1", False)), GRADER)
    assert pool.answer_class.tolist() == [0, 0, 0]
    found = replay(pool, np.array([1]))[MAJORITY]
    assert found.accuracy == pytest.approx([1 / 3])
    split = [("1", True)] * 3 + [("1", False)] * 3 + [("2", False)] * 4
    ten = Pool.of(tuple(record(*one) for one in split), GRADER)
    found = replay(ten, np.array([1, 10]))[MAJORITY]
    assert found.accuracy == pytest.approx([0.3, 0.5])


@given(
    st.lists(st.tuples(st.sampled_from("123"), st.booleans(), st.integers(0, 4)), min_size=2,
             max_size=6)
)  # fmt: skip
def test_a_vote_is_worth_the_share_of_the_winners_samples_that_are_right(
    drawn: list[tuple[str, bool, int]],
) -> None:
    """By every subset: the winner's share is that of the whole pool, whatever was drawn of it."""
    answers, correct, scores = map(np.array, zip(*drawn, strict=True))
    pool = Pool(
        correct, np.array([answers.tolist().index(a) for a in answers]),
        {Score.LAST: scores / 4}, np.ones(len(drawn), np.int64), np.array([1]), np.array([1]),
    )  # fmt: skip
    worth = {a: correct[answers == a].mean() for a in answers}
    ks = np.arange(1, len(drawn) + 1)
    found = replay(pool, ks)
    for rule, weights in ((MAJORITY, np.ones(len(drawn))), (WEIGHTED, scores / 4)):
        for k, accuracy in zip(ks.tolist(), found[rule].accuracy, strict=True):
            won = []
            for subset in itertools.combinations(range(len(drawn)), k):
                votes = {a: (sum(weights[i] for i in subset if answers[i] == a),
                             sum(answers[i] == a for i in subset))
                         for a in {answers[i] for i in subset}}  # fmt: skip
                best = [a for a, v in votes.items() if v == max(votes.values())]
                won.append(np.mean([worth[a] for a in best]))
            assert accuracy == pytest.approx(np.mean(won), abs=1e-12), str(rule)


# Responses of up to three steps over two tokens: many begin alike.
responses = st.lists(
    st.lists(st.lists(st.sampled_from([7, 8]), min_size=1, max_size=2), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


@given(responses)
def test_the_share_of_steps_to_score_is_the_mean_over_all_subsets(
    drawn: list[list[list[int]]],
) -> None:
    def new_tokens(chosen: tuple[list[list[int]], ...]) -> int:
        seen = {}
        for steps in chosen:
            for end in range(1, len(steps) + 1):
                prefix = tuple(token for step in steps[:end] for token in step)
                seen[prefix, len(steps[end - 1])] = len(steps[end - 1])
        return sum(seen.values())

    records = tuple(
        SampleRecord(
            text="", answer=None, correct=False, state="cut", n_tokens=0, logprob=0.0,
            steps=tuple(map(len, steps)), token_ids=tuple(t for step in steps for t in step),
        )
        for steps in drawn
    )  # fmt: skip
    ks = range(1, len(drawn) + 1)
    subsets = [[new_tokens(s) for s in itertools.combinations(drawn, k)] for k in ks]
    expected = [sum(tokens) / len(tokens) / new_tokens(tuple(drawn)) for tokens in subsets]
    found = Pool.of(records, GRADER).scored_share(np.array(ks))
    assert found == pytest.approx(expected, abs=1e-12)
