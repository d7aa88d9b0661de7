"""Answers: grouped and voted on."""

from __future__ import annotations

import itertools
import math
import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, borda_votes, group, kept, vote
from tests.helpers.exact_grader import Exact


@pytest.mark.process
def test_group_names_the_first_member_and_skips_missing_answers(grader: MathGrader) -> None:
    answers = [None, "1/2", "3", "0.5", None, r"\frac12", "3.0", "k+1", "1+k"]
    assert group(answers, grader) == [-1, 1, 2, 1, -1, 1, 2, 7, 7]


def test_group_compares_each_string_with_each_class_once() -> None:
    exact = Exact()
    assert group(["a", "b", "c"] * 100, exact) == [0, 1, 2] * 100
    assert exact.compared == 3


def test_group_of_thousands_of_numbers_is_fast() -> None:
    source = random.Random(0)
    answers = [
        source.choice(["{}", "{}.0", "${}", "{} dollars"]).format(i % 50) for i in range(5000)
    ]
    fresh = MathGrader()
    start = time.process_time()
    assert group(answers, fresh) == [i % 50 for i in range(5000)]
    assert time.process_time() - start < 6
    assert fresh.worker_pid is None


@pytest.mark.parametrize(
    ("method", "answers", "scores", "chosen"),
    [
        (Vote.MAJORITY, ["1", "2", "2.0"], None, 1),
        (Vote.MAJORITY, ["1", "2", "2.0"], [0.9, 0.1, 0.2], 1),
        (Vote.MAJORITY, ["1", "2", "2.0", "2"], [0.9, 0.1, 0.3, 0.2], 3),
        (Vote.MAJORITY, ["1", "2", "2", "1"], [0.1, 0.9, 0.9, 0.2], 3),
        (Vote.MAJORITY, [None, None, None, "7"], None, 3),
        (Vote.MAX, ["1", "2", "2"], [0.9, 0.8, 0.8], 0),
        (Vote.MAX, ["1", "2", "2"], [0.1, 0.8, 0.8], 1),
        (Vote.MAX, [None, "2", "3"], [0.9, -3.0, -2.0], 2),
        (Vote.WEIGHTED, ["1", "2", "2"], [0.9, 0.5, 0.6], 2),
        (Vote.WEIGHTED, ["1", "2", "2"], [0.9, 0.2, 0.6], 0),
        (Vote.WEIGHTED, ["1", "2", "3"], [0.4, 0.4, 0.4], 0),
        (Vote.WEIGHTED, ["1", "2", "2"], [0.0, 0.0, 0.0], 1),
        (Vote.WEIGHTED, [None, None, "2"], [0.9, 0.9, 0.1], 2),
        (Vote.BORDA, ["1", "2", "2", "3"], [0.9, 0.2, 0.1, 0.5], 0),  # 4 votes, 2 + 1, 3
        (Vote.BORDA, ["1", "2", "2"], [0.9, 0.2, 0.2], 1),  # equal votes: the larger class
        (Vote.BORDA, ["1", None, "2", "2"], [0.9, 0.5, 0.2, 0.1], 0),  # None has its rank
    ],
)
def test_vote(
    method: Vote, answers: list[str | None], scores: list[float] | None, chosen: int
) -> None:
    assert vote(answers, scores, method, MathGrader()) == chosen


@given(st.integers(1, 300), st.floats(0.001, 1))
def test_a_share_keeps_those_that_reach_its_percentile(n: int, share: float) -> None:
    """As numpy interpolates it, which is what the released code of DeepConf does."""
    confidences = np.arange(n, dtype=float)
    reach = confidences >= np.percentile(confidences, 100 * (1 - share)) - 1e-6
    assert kept(n, share) == reach.sum()


@pytest.mark.parametrize(
    ("method", "keep", "chosen"),
    [
        (Vote.WEIGHTED, 1.0, 3), (Vote.WEIGHTED, 0.5, 1), (Vote.WEIGHTED, 0.1, 0),
        (Vote.MAJORITY, 1.0, 3), (Vote.MAJORITY, 0.5, 1), (Vote.MAJORITY, 0.1, 0),
    ],
)  # fmt: skip
def test_only_the_best_share_votes(method: Vote, keep: float, chosen: int) -> None:
    """Of six answers half are three and 90 % are five; a response without an answer is none."""
    answers = ["1", "2", "2", "3", "3", "3", None]
    scores = [0.9, 0.8, 0.7, 0.6, 0.6, 0.6, 1.0]
    assert vote(answers, scores, method, Exact(), keep=keep) == chosen


def test_all_that_have_the_lowest_kept_score_vote() -> None:
    answers, scores = ["1", "2", "2"], [0.9, 0.5, 0.5]
    for order in itertools.permutations(zip(answers, scores, strict=True)):
        mixed, given = map(list, zip(*order, strict=True))
        assert mixed[vote(mixed, given, Vote.WEIGHTED, Exact(), keep=0.5)] == "2"


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.floats(0, 5))
def test_borda_votes_are_the_mean_over_the_orders_of_equal_scores(
    scores: list[int], power: float
) -> None:
    found, n = borda_votes([float(one) for one in scores], power), len(scores)
    assert math.fsum(found) == pytest.approx(sum(place**power for place in range(1, n + 1)))
    for score, votes in zip(scores, found, strict=True):
        worse, alike = sum(one < score for one in scores), scores.count(score)
        places = range(worse + 1, worse + alike + 1)  # n - r + 1 for the ranks r that they share
        assert votes == pytest.approx(sum(place**power for place in places) / alike)


@pytest.mark.parametrize("method", Vote)
def test_vote_without_any_answer_takes_the_first_response(method: Vote) -> None:
    assert vote([None, None], [0.1, 0.9], method, Exact()) == 0


@pytest.mark.parametrize(
    ("answers", "scores", "method", "message"),
    [
        ([], None, Vote.MAJORITY, "at least one"),
        (["1"], [0.1, 0.2], Vote.MAJORITY, "1 answers but 2 scores"),
        (["1"], [math.nan], Vote.MAX, "score 0 is nan"),
        ([None], [math.nan], Vote.MAX, "score 0 is nan"),
        (["1"], [math.inf], Vote.WEIGHTED, "score 0 is inf"),
        (["1"], [-0.1], Vote.WEIGHTED, "0 or more"),
        (["1"], None, Vote.MAX, "'max' needs scores"),
        (["1"], None, Vote.WEIGHTED, "'weighted' needs scores"),
    ],
)
def test_vote_refuses(
    answers: list[str | None], scores: list[float] | None, method: Vote, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        vote(answers, scores, method, Exact())


responses = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c", None]), st.floats(0, 1)), min_size=1, max_size=12
)


@given(responses, st.floats(0, 1))
def test_weighted_with_equal_scores_is_majority(
    pairs: list[tuple[str | None, float]], score: float
) -> None:
    answers = [answer for answer, _ in pairs]
    equal = [score] * len(answers)
    assert vote(answers, equal, Vote.WEIGHTED, Exact()) == vote(
        answers, None, Vote.MAJORITY, Exact()
    )


@given(responses, st.randoms(use_true_random=False), st.sampled_from(Vote))
def test_order_matters_only_between_ties(
    pairs: list[tuple[str | None, float]], source: random.Random, method: Vote
) -> None:
    def winners(pairs: list[tuple[str | None, float]]) -> str | None:
        answers, scores = [a for a, _ in pairs], [s for _, s in pairs]
        return answers[vote(answers, scores, method, Exact())]

    votes = borda_votes([score for _, score in pairs], 1.0)
    weights = {
        answer: (
            [len(scores)] if method is Vote.MAJORITY
            else [max(scores)] if method is Vote.MAX
            else [math.fsum(votes[i] for i, (a, _) in enumerate(pairs) if a == answer), len(scores)]
            if method is Vote.BORDA
            else [math.fsum(scores), len(scores)]
        )
        for answer in {a for a, _ in pairs if a is not None}
        if (scores := [s for a, s in pairs if a == answer])
    }  # fmt: skip
    best = [answer for answer, weight in weights.items() if weight == max(weights.values())]
    shuffled = source.sample(pairs, len(pairs))
    assert winners(shuffled) in (best or {None})
    if len(best) == 1:
        assert winners(pairs) == winners(shuffled)
    else:
        assert winners(pairs) == next((a for a, s in pairs if a in best), None) or (
            method is Vote.MAX
        )


def test_tied_majority_is_the_answer_seen_first_whatever_the_order() -> None:
    for order in itertools.permutations(["a", "a", "b", "b", "c"]):
        answers = list(order)
        first = next(answer for answer in answers if answer != "c")
        assert answers[vote(answers, None, Vote.MAJORITY, Exact())] == first
