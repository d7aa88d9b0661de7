"""Answers: grouped and voted on."""

from __future__ import annotations

import itertools
import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, group, vote
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
    ],
)
def test_vote(
    method: Vote, answers: list[str | None], scores: list[float] | None, chosen: int
) -> None:
    assert vote(answers, scores, method, MathGrader()) == chosen


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

    weights = {
        answer: (
            [len(scores)] if method is Vote.MAJORITY
            else [max(scores)] if method is Vote.MAX
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
