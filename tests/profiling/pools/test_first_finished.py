"""short-m@k against brute force: every draw is generated token by token, and voted on for real."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from executor.answers.grader import MathGrader
from executor.outcome import SampleRecord
from profiling.arrays import Ints
from profiling.pass_rate import Difficulty, PassRate
from profiling.pools.class_part import ClassPart
from profiling.pools.first_finished import ranks, short_m_of_k, tokens_until
from profiling.pools.replay import SHORT, Pool, best_of_k, replay

RIGHT = 0
# Samples with their class of answers (-1: none) and their length; some lengths are equal.
samples = st.lists(
    st.tuples(st.sampled_from([-1, RIGHT, RIGHT, 1, 2]), st.integers(1, 6)), min_size=3, max_size=6
)
Samples = list[tuple[int, int]]


def arrays(drawn: Samples) -> tuple[Ints, Ints]:
    table = np.array(drawn)
    return table[:, 0], table[:, 1]


def generate(drawn: Samples, m: int) -> tuple[list[int], int, int]:
    """Answers in the order in which they end, tokens in all and one after the other."""
    ended: list[int] = []
    total = now = 0
    while len(ended) < m:
        now += 1
        running = [length for _, length in drawn if length >= now]
        total += len(running)
        ended += [answer for answer, length in drawn if length == now]
    return ended[:m], total, now


def is_right(ended: list[int]) -> bool:
    """The most common answer is right; of several, the one that was given first."""
    answers = [answer for answer in ended if answer >= 0]
    # `max` returns the first of equal ones
    return bool(answers) and max(answers, key=answers.count) == RIGHT


@settings(max_examples=25)
@given(samples, st.integers(1, 3))
@example([(1, 1), (RIGHT, 2), (RIGHT, 3), (1, 4)], 2)
@example([(RIGHT, 1), (1, 2), (2, 3)], 3)
@example([(-1, 1), (RIGHT, 1), (1, 1), (-1, 6)], 3)
def test_accuracy_and_tokens_are_those_of_every_draw(drawn: Samples, m: int) -> None:
    answers, tokens = arrays(drawn)
    ks = np.arange(m, len(drawn) + 1)
    accuracy = short_m_of_k(answers, answers == RIGHT, tokens, m, ks)
    total, last = tokens_until(tokens, m, ks)
    for column, k in enumerate(ks.tolist()):
        runs = [generate(list(chosen), m) for chosen in itertools.combinations(drawn, k)]
        assert accuracy[column] == pytest.approx(np.mean([is_right(run[0]) for run in runs]))
        assert total[column] == pytest.approx(np.mean([run[1] for run in runs]))
        assert last[column] == pytest.approx(np.mean([run[2] for run in runs]))


@settings(max_examples=20)
@given(samples, st.integers(1, 2), st.integers(1, 3))
def test_an_accuracy_in_a_class_is_the_mean_over_all_splits_that_give_it(
    drawn: Samples, m: int, size: int
) -> None:
    answers, tokens = arrays(drawn)
    ks = np.arange(m, len(drawn) - size + 1)
    for level in Difficulty:
        splits = [
            [one for i, one in enumerate(drawn) if i not in chosen]
            for chosen in itertools.combinations(range(len(drawn)), size)
            if PassRate(sum(drawn[i][0] == RIGHT for i in chosen), size).difficulty is level
        ]
        if not splits:
            continue
        part = ClassPart(answers == RIGHT, size, level)
        accuracy = short_m_of_k(answers, answers == RIGHT, tokens, m, ks, part)
        for column, k in enumerate(ks.tolist()):
            runs = [
                is_right(generate(list(chosen), m)[0])
                for rest in splits
                for chosen in itertools.combinations(rest, k)
            ]
            assert accuracy[column] == pytest.approx(np.mean(runs))


@given(samples.filter(lambda drawn: len(drawn) > 3), st.integers(2, 5))
@example([(1, 1), (1, 1), (RIGHT, 1), (RIGHT, 1), (RIGHT, 1), (2, 1)], 5)
def test_more_voters_are_counted_as_well(drawn: Samples, m: int) -> None:
    answers, tokens = arrays(drawn)
    m = min(m, len(drawn))
    ks = np.arange(m, len(drawn) + 1)
    accuracy = short_m_of_k(answers, answers == RIGHT, tokens, m, ks)
    for column, k in enumerate(ks.tolist()):
        runs = [generate(list(chosen), m) for chosen in itertools.combinations(drawn, k)]
        assert accuracy[column] == pytest.approx(np.mean([is_right(run[0]) for run in runs]))


@given(
    st.lists(st.tuples(st.integers(-1, 2), st.booleans(), st.integers(1, 4)), min_size=3,
             max_size=6),
    st.integers(1, 3),
)  # fmt: skip
def test_the_grade_is_that_of_the_response_that_wins(
    drawn: list[tuple[int, bool, int]], m: int
) -> None:
    """Another program may grade equal answers unlike, and right what has no answer."""
    answers, right, tokens = (np.array(column) for column in zip(*drawn, strict=True))
    ks = np.arange(m, len(drawn) + 1)
    accuracy = short_m_of_k(answers, right, tokens, m, ks)
    for column, k in enumerate(ks.tolist()):
        won = []
        for chosen in itertools.combinations(drawn, k):
            first = [one for one in sorted(chosen, key=lambda one: one[2])[:m] if one[0] >= 0]
            given_answers = [answer for answer, _, _ in first]
            won.append(
                bool(first) and first[max(range(len(first)),
                                          key=lambda i: (given_answers.count(first[i][0]), -i))][1]
            )  # fmt: skip
        assert accuracy[column] == pytest.approx(np.mean(won))


def test_responses_that_a_limit_cut_come_last() -> None:
    tokens = np.array([9, 2, 9, 4, 2])
    assert ranks(tokens, np.array([True, False, True, True, True])).tolist() == [2, 4, 3, 1, 0]

    def sample(answer: str | None, state: str, tokens: int) -> SampleRecord:
        return SampleRecord("", answer, answer == "1", state, tokens, 0.0)

    pool = Pool.of(
        (sample("2", "cut", 4), sample("1", "finished", 9), sample("1", "finished", 5)),
        MathGrader(),
    )  # fmt: skip
    found = replay(pool, np.array([1, 2, 3]))
    one, three = (found[rule].accuracy for rule in SHORT)
    assert one == pytest.approx([2 / 3, 1, 1])  # a pair has a response that finished
    assert np.isnan(three[:2]).all()
    assert three[2] == 1


def test_without_lengths_it_is_not_known_which_finish_first() -> None:
    unknown = SampleRecord("", "1", True, "finished", 0, 0.0)
    pool = Pool.of((unknown, unknown), MathGrader())
    assert not set(SHORT) & set(replay(pool, np.array([1, 2])))


def test_one_of_one_is_a_sample_and_one_of_k_is_the_best_by_brevity() -> None:
    rng = np.random.default_rng(0)
    correct, tokens = rng.random(12) < 0.4, rng.permutation(12) + 1
    answers = np.where(correct, RIGHT, np.arange(1, 13))
    ks = np.arange(1, 13)
    accuracy = short_m_of_k(answers, correct, tokens, 1, ks)
    assert accuracy[0] == pytest.approx(correct.mean())
    assert accuracy == pytest.approx(best_of_k(correct, -tokens.astype(float), ks))


def test_a_vote_of_all_generates_all_and_waits_for_the_longest() -> None:
    total, last = tokens_until(np.array([5, 9, 2]), 3, np.array([3]))
    assert (total[0], last[0]) == (16, 9)
    total, last = tokens_until(np.array([5, 9, 2]), 1, np.array([3]))
    assert (total[0], last[0]) == (6, 2)


@pytest.mark.parametrize(("m", "k"), [(2, 1), (1, 4), (0, 1)])
def test_impossible_draws_are_refused(m: int, k: int) -> None:
    three = np.array([1, 2, 3])
    with pytest.raises(ValueError, match=f"m is {m} and k is {k}; expected"):
        tokens_until(three, m, np.array([k]))
    with pytest.raises(ValueError, match=f"m is {m} and k is {k}; expected"):
        short_m_of_k(three, three == 1, three, m, np.array([k]))
