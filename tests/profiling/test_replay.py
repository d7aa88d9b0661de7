"""Replayed accuracies against brute force: every subset, in every order, voted on for real."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from executor.answers import MathGrader, Vote, vote
from executor.outcome import SampleRecord
from executor.strategy import Score
from profiling.replay import Pool, best_of_k, pass_at_k, vote_at_k

GRADER = MathGrader()  # never needs its child: the answers are whole numbers
ANSWERS = [None, "1", "2", "3"]
RIGHT = "1"

# Sums of eighths are exact, so ties are ties; scaled down, they are what products of rewards are.
samples = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(ANSWERS), st.integers(0, 8).map(lambda e: e / 8)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([1.0, 2.0**-40]),
).map(lambda drawn: [(answer, score * drawn[1]) for answer, score in drawn[0]])


def pool_of(pairs: list[tuple[str | None, float]]) -> Pool:
    answers = [answer for answer, _ in pairs]
    return Pool(
        correct=np.array([answer == RIGHT for answer in answers]),
        answer_class=np.array([-1 if a is None else answers.index(a) for a in answers]),
        scores={Score.LAST: np.array([score for _, score in pairs])},
        tokens=np.ones(len(pairs), dtype=np.int64),
        step_tokens=np.array([1]),
        step_samples=np.array([len(pairs)]),
    )


def by_hand(pairs: list[tuple[str | None, float]], k: int, method: Vote) -> float:
    """The mean over every ordered draw of k samples, as the executor votes on them."""
    won = []
    for drawn in itertools.permutations(pairs, k):
        answers, scores = [a for a, _ in drawn], [s for _, s in drawn]
        voted = None if method is Vote.MAJORITY else scores
        won.append(answers[vote(answers, voted, method, GRADER)] == RIGHT)
    return sum(won) / len(won)


@given(samples, st.integers(1, 5), st.sampled_from(Vote))
@example([("1", 2.0**-40), ("2", 2.0**-41)], 2, Vote.WEIGHTED)
@example([("2", 0.5), ("1", 0.25), ("1", 0.25)], 3, Vote.WEIGHTED)
@example([(None, 1.0), ("1", 0.5)], 2, Vote.MAX)
def test_a_replayed_vote_is_the_mean_over_all_draws(
    pairs: list[tuple[str | None, float]], k: int, method: Vote
) -> None:
    assume(k <= len(pairs))
    found = vote_at_k(pool_of(pairs), k, method, Score.LAST)
    assert found == pytest.approx(by_hand(pairs, k, method), abs=1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.integers(1, 9))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(correct: list[bool], k: int) -> None:
    assume(k <= len(correct))
    subsets = [any(subset) for subset in itertools.combinations(correct, k)]
    expected = sum(subsets) / len(subsets)
    assert pass_at_k(np.array(correct), k) == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=1, max_size=9),
    st.integers(1, 9),
)
def test_best_of_k_is_the_mean_over_subsets_ties_shared(
    pairs: list[tuple[bool, int]], k: int
) -> None:
    assume(k <= len(pairs))
    won = []
    for subset in itertools.combinations(pairs, k):
        best = max(score for _, score in subset)
        winners = [right for right, score in subset if score == best]
        won.append(sum(winners) / len(winners))
    found = best_of_k(
        np.array([right for right, _ in pairs]), np.array([float(s) for _, s in pairs]), k
    )
    assert found == pytest.approx(sum(won) / len(won), abs=1e-9)


def test_large_pools_lose_no_precision() -> None:
    correct = np.arange(4096) % 64 == 0
    exact = 1 - math.comb(4096 - 64, 256) / math.comb(4096, 256)
    assert pass_at_k(correct, 256) == pytest.approx(exact, rel=1e-8)
    constant = np.zeros(4096)
    assert best_of_k(correct, constant, 256) == pytest.approx(1 / 64, rel=1e-8)


@pytest.mark.parametrize("method", [Vote.MAJORITY, Vote.WEIGHTED])
@pytest.mark.parametrize("k", [3, 6, 9])
def test_subsampling_is_within_its_error_of_all_subsets(method: Vote, k: int) -> None:
    """Pools of 12 have up to 924 subsets: for k = 6 they are sampled, else all are decided."""
    rng = np.random.default_rng(k)
    pairs = [(ANSWERS[rng.integers(4)], float(rng.integers(1, 9)) / 8) for _ in range(12)]
    pool = pool_of(pairs)
    exact = []
    for subset in itertools.combinations(range(12), k):
        part = pool_of([pairs[i] for i in subset])
        exact.append(vote_at_k(part, k, method, Score.LAST))
    found = [vote_at_k(pool, k, method, Score.LAST, random_state=s) for s in range(4)]
    error = 4 * np.std(exact) / math.sqrt(512) if math.comb(12, k) > 512 else 1e-9
    assert found == pytest.approx([np.mean(exact)] * 4, abs=error)
    assert (len(set(found)) > 1) == (math.comb(12, k) > 512)


@pytest.mark.parametrize("k", [0, -1, 4])
def test_more_samples_than_there_are_cannot_be_drawn(k: int) -> None:
    correct = np.array([False, False, False])
    with pytest.raises(ValueError, match="between 1 and the 3"):
        pass_at_k(correct, k)
    with pytest.raises(ValueError, match="between 1 and the 3"):
        best_of_k(correct, np.zeros(3), k)


def test_a_pool_holds_what_its_samples_say() -> None:
    def record(answer: str | None, rewards: tuple[float, ...]) -> SampleRecord:
        right = answer is not None
        return SampleRecord("", answer, right, "finished", 7, 0.0, rewards)

    samples = (record("1", (0.5, 0.25)), record(None, (0.75,)), record("1.0", (0.5, 1.0)))
    pool = Pool.of(samples, GRADER)
    assert pool.answer_class.tolist() == [0, -1, 0]
    assert pool.correct.tolist() == [True, False, True]
    assert pool.scores[Score.PROD].tolist() == [0.125, 0.75, 0.5]
    assert pool.scores[Score.LAST].tolist() == [0.25, 0.75, 1.0]
    assert Pool.of((*samples, record("1", ())), GRADER).scores == {}


def test_equal_answers_that_were_graded_unlike_are_not_one_class() -> None:
    """Another program's grader may say that 52 is wrong where 52_8 is right: half of them are."""

    def record(answer: str, correct: bool) -> SampleRecord:
        return SampleRecord("", answer, correct, "finished", 7, 0.0)

    pool = Pool.of((record("1", True), record("1.0", False), record("1", False)), GRADER)
    assert pool.answer_class.tolist() == [0, 1, 1]
    assert vote_at_k(pool, 1, Vote.MAJORITY) == pytest.approx(1 / 3)


# Responses of up to three steps over two tokens: many begin alike.
responses = st.lists(
    st.lists(st.lists(st.sampled_from([7, 8]), min_size=1, max_size=2), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


@given(responses, st.integers(1, 5))
def test_the_share_of_steps_to_score_is_the_mean_over_all_subsets(
    drawn: list[list[list[int]]], k: int
) -> None:
    assume(k <= len(drawn))

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
    by_hand = [new_tokens(chosen) for chosen in itertools.combinations(drawn, k)]
    expected = sum(by_hand) / len(by_hand) / new_tokens(tuple(drawn))
    assert Pool.of(records, GRADER).scored_share(k) == pytest.approx(expected)
