"""Reward statistics against brute force and hand sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiling.rewards import auc, calibration_error, reward_statistics

samples = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.95, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s for s, _ in pairs]), np.array([c for _, c in pairs])


@given(samples)
def test_auc_is_the_share_of_pairs_in_order_ties_half(pairs: list[tuple[float, bool]]) -> None:
    right = [s for s, c in pairs if c]
    wrong = [s for s, c in pairs if not c]
    found = auc(*arrays(pairs))
    if right and wrong:
        above = sum((r > w) + (r == w) / 2 for r in right for w in wrong)
        assert found == pytest.approx(above / len(right) / len(wrong))
    else:
        assert math.isnan(found)


@given(samples)
def test_calibration_error_is_the_weighted_gap_of_ten_bins(
    pairs: list[tuple[float, bool]],
) -> None:
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, correct in pairs:
        bins.setdefault(min(9, int(score * 10)), []).append((score, correct))
    gaps = [abs(sum(s for s, _ in b) - sum(c for _, c in b)) for b in bins.values()]
    assert calibration_error(*arrays(pairs)) == pytest.approx(sum(gaps) / len(pairs))


@pytest.mark.parametrize(
    ("scores", "correct", "error"),
    [
        ([0.0, 1.0], [False, True], 0.0),
        ([1.0, 0.0], [False, True], 1.0),
        ([0.25, 0.25, 0.25, 0.25], [True, False, False, False], 0.0),
        # In [0.9, 1]: mean 0.95, right 0.5. In [0.1, 0.2): mean 0.1, right 0.
        ([0.9, 1.0, 0.1], [True, False, False], (2 * 0.45 + 0.1) / 3),
    ],
)
def test_calibration_error_by_hand(scores: list[float], correct: list[bool], error: float) -> None:
    assert calibration_error(np.array(scores), np.array(correct)) == pytest.approx(error)


def test_within_problems_a_problems_own_level_does_not_count() -> None:
    # Every problem ranks perfectly by itself; pooled, the hard one's scores are all higher.
    scores = np.array([0.1, 0.2, 0.8, 0.9, 0.95])
    correct = np.array([False, True, False, False, True])
    found = reward_statistics(scores, correct, np.array([0, 0, 1, 1, 1]))
    assert found.auc_within.value == 1.0
    assert found.auc.value == pytest.approx(4 / 6)
    assert (found.problems, found.mixed_problems, found.samples) == (2, 2, 5)
    assert found.right == pytest.approx(0.4)
    assert found.brier.value == pytest.approx(np.mean((scores - correct) ** 2))


def test_problems_of_one_kind_do_not_count_within() -> None:
    scores = np.array([0.9, 0.1, 0.6, 0.7])
    correct = np.array([True, False, True, True])
    found = reward_statistics(scores, correct, np.array([7, 7, 3, 3]))
    assert (found.problems, found.mixed_problems) == (2, 1)
    assert found.auc_within.value == 1.0


def test_intervals_are_those_of_whole_problems() -> None:
    """Copying every sample within its problem adds no information and narrows nothing."""
    rng = np.random.default_rng(0)
    problem = np.repeat(np.arange(30), 4)
    correct = rng.random(120) < 0.4
    scores = np.clip(0.5 + 0.2 * (correct - 0.5) + 0.2 * rng.standard_normal(120), 0, 1)
    once = reward_statistics(scores, correct, problem)
    copied = reward_statistics(*(np.repeat(x, 5) for x in (scores, correct, problem)))
    for name in ("auc", "auc_within", "calibration_error", "brier"):
        a, b = getattr(once, name), getattr(copied, name)
        assert a.low <= a.value <= a.high
        assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high))
    fewer = reward_statistics(scores[:40], correct[:40], problem[:40])
    assert fewer.brier.high - fewer.brier.low > once.brier.high - once.brier.low


def test_a_useless_reward_is_told_from_a_good_one() -> None:
    rng = np.random.default_rng(1)
    problem, correct = np.repeat(np.arange(60), 8), rng.random(480) < 0.5
    useless = reward_statistics(rng.random(480), correct, problem)
    good = reward_statistics(np.clip(rng.random(480) / 2 + correct / 3, 0, 1), correct, problem)
    assert useless.auc.low < 0.5 < useless.auc.high
    assert good.auc.low > 0.7
