"""The class part against brute force: every split of a pool, every draw, voted on for real."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.strategy import Score
from profiling.pass_rate import Difficulty, PassRate
from profiling.pools.class_part import ClassPart, class_size, samples_for
from profiling.pools.replay import Pool, Rule, replay
from tests.helpers.pools import RIGHT, by_hand, pool_of

# Some of the samples have no answer; some of the scores are equal.
pools = st.lists(
    st.tuples(st.sampled_from([None, "1", "1", "2", "3"]), st.integers(0, 4).map(lambda e: e / 4)),
    min_size=4,
    max_size=6,
)
sizes = st.integers(1, 3)


def class_of(samples: list[tuple[str | None, float]]) -> Difficulty:
    return PassRate(sum(answer == RIGHT for answer, _ in samples), len(samples)).difficulty


def splits_of(
    samples: list[tuple[str | None, float]], size: int, level: Difficulty
) -> list[list[tuple[str | None, float]]]:
    """The samples outside of the class part, for every split that gives the class."""
    found = []
    for chosen in itertools.combinations(range(len(samples)), size):
        if class_of([samples[i] for i in chosen]) is level:
            found.append([one for i, one in enumerate(samples) if i not in chosen])
    return found


def part_of(pool: Pool, size: int, level: Difficulty) -> ClassPart:
    return ClassPart(pool.correct, size, level)


@settings(max_examples=25)
@given(pools, sizes)
@example([("1", 0.5), ("2", 0.5), ("1", 0.25), ("2", 1.0), (None, 1.0)], 2)
@example([("1", 0.0), ("2", 0.0), ("3", 0.0), ("2", 0.0), ("1", 0.0), (None, 0.0)], 3)
@example([(None, 0.5), ("1", 0.5), ("1", 0.5), (None, 0.5)], 2)
def test_an_accuracy_in_a_class_is_the_mean_over_all_splits_that_give_it(
    samples: list[tuple[str | None, float]], size: int
) -> None:
    pool = pool_of(samples)
    ks = np.arange(1, min(3, len(samples) - size) + 1)
    for level in Difficulty:
        rest = splits_of(samples, size, level)
        if not rest:
            continue
        part = part_of(pool, size, level)
        assert part.chance == pytest.approx(len(rest) / math.comb(len(samples), size))
        rate = np.mean([answer == RIGHT for one in rest for answer, _ in one])
        assert part.pass_rate() == pytest.approx(rate)
        for rule, curve in replay(pool, ks, part=part).items():
            if rule.first is not None:
                continue  # see test_first_finished.py
            seen = [
                one if rule.score is not Score.MIN else [(answer, 1.0) for answer, _ in one]
                for one in rest
            ]
            expected = [np.mean([by_hand(one, k, rule.vote) for one in seen]) for k in ks.tolist()]
            assert curve.accuracy == pytest.approx(expected, abs=1e-12), str(rule)


@settings(max_examples=25)
@given(pools, sizes)
def test_the_mean_over_classes_is_the_accuracy_without_a_class(
    samples: list[tuple[str | None, float]], size: int
) -> None:
    pool = pool_of(samples)
    ks = np.arange(1, len(samples) - size + 1)
    whole = replay(pool, ks)
    total = {rule: np.zeros(len(ks)) for rule in whole}
    for level in Difficulty:
        part = part_of(pool, size, level)
        if splits_of(samples, size, level):
            for rule, curve in replay(pool, ks, part=part).items():
                total[rule] += part.chance * curve.accuracy
    for rule, curve in whole.items():
        assert total[rule] == pytest.approx(curve.accuracy, abs=1e-12, nan_ok=True), str(rule)


@given(pools, sizes, st.randoms(use_true_random=False))
def test_only_the_class_depends_on_the_order_of_the_samples(
    samples: list[tuple[str | None, float]], size: int, random: object
) -> None:
    """So halves can change places: the accuracy in a class is that of all splits."""
    level = class_of(samples[:size])
    turned = samples[size:] + samples[:size]
    assume(class_of(turned[:size]) is level)
    ks = np.arange(1, len(samples) - size + 1)
    one, other = (
        replay(pool_of(each), ks, part=part_of(pool_of(each), size, level))
        for each in (samples, turned)
    )
    for rule, curve in one.items():
        if rule.first is None:  # of equally long samples, the first of the pool ends first
            assert curve.accuracy == pytest.approx(other[rule].accuracy, abs=1e-12), str(rule)


@pytest.mark.parametrize("other", ["2", "1"])
def test_drawn_votes_agree_with_counted_ones(other: str) -> None:
    """A pool too large for enumeration, with one right answer or with two of them."""
    rng = np.random.default_rng(3)
    answers = np.array(["1"] * 5 + ["2"] * 9 + ["3"] * 6)[rng.permutation(20)]
    correct = (answers == "1") | (answers == "3") & (other == "1")
    classes = np.unique(answers, return_inverse=True)[1]
    ones = {Score.LAST: np.ones(20)}
    steps = np.ones(1, dtype=np.int64)
    pool = Pool(correct, classes, ones, np.ones(20, dtype=np.int64), steps, 20 * steps)
    part = ClassPart(correct, 10, Difficulty.MEDIUM)
    ks = np.array([3, 7, 10])
    curves = replay(pool, ks, part=part, orders=4000)
    counted, drawn = (curves[Rule(Vote.MAJORITY)], curves[Rule(Vote.WEIGHTED, Score.LAST)])
    assert (counted.variance == 0).all() == (other == "2")
    assert drawn.variance.max() > 0
    error = np.sqrt(drawn.variance + counted.variance + 1e-12)
    assert (abs(drawn.accuracy - counted.accuracy) < 4 * error).all()


def test_a_class_that_every_split_gives_changes_nothing() -> None:
    pool = pool_of([("1", 0.5)] * 6 + [("2", 0.75)])
    part = part_of(pool, 5, Difficulty.EASY)
    assert part.certain
    ks = np.array([1, 2])
    for rule, curve in replay(pool, ks).items():
        np.testing.assert_array_equal(replay(pool, ks, part=part)[rule].accuracy, curve.accuracy)


def test_samples_of_the_class_part_are_not_replayed() -> None:
    pool = pool_of([("1", 0.5)] * 6)
    with pytest.raises(ValueError, match="k is 2; expected at most 1"):
        replay(pool, np.array([1, 2]), part=ClassPart.of(pool.correct))


@pytest.mark.parametrize(
    ("n", "size"),
    [
        (5, 5),
        (6, 5),
        (8, 7),
        (9, 5),
        (16, 12),
        (24, 8),
        (64, 48),
        (96, 32),
        (256, 192),
        (9000, 8744),
    ],
)
def test_a_pool_replays_the_largest_budget_that_leaves_enough_for_the_class(
    n: int, size: int
) -> None:
    assert class_size(n) == size


@pytest.mark.parametrize(("budget", "samples"), [(1, 6), (4, 9), (16, 24), (64, 96)])
def test_so_many_samples_replay_a_budget_in_a_class(budget: int, samples: int) -> None:
    assert samples_for(budget) == samples
    assert samples - class_size(samples) == budget
    assert samples - 1 - class_size(samples - 1) < budget


def test_the_first_samples_give_the_class() -> None:
    correct = np.zeros(16, dtype=bool)
    correct[12:] = True
    part = ClassPart.of(correct)
    assert part is not None and part.level is Difficulty.HARD
    assert ClassPart.of(correct[:4]) is None


def test_the_best_of_a_large_pool_has_no_overflow() -> None:
    rng = np.random.default_rng(0)
    n = 1200
    correct = rng.random(n) < 0.11
    classes = np.where(correct, 0, 1)
    steps = np.ones(1, dtype=np.int64)
    pool = Pool(correct, classes, {Score.LAST: rng.random(n)}, np.ones(n, np.int64), steps, steps)
    part = ClassPart.of(correct)
    assert part is not None and not part.certain
    curves = replay(pool, np.array([part.largest]), part=part, orders=2)
    assert 0 <= curves[Rule(Vote.MAX, Score.LAST)].accuracy[0] <= 1
