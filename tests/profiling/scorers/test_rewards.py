"""Reward statistics against brute force and hand sums."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.strategy import Score
from profiling.pools.replay import MAJORITY, Pool, Rule, replay
from profiling.scorers.rewards import (
    VOTES_AT,
    Estimate,
    Verdict,
    auc,
    calibration_error,
    concordance,
    mean_over_problems,
    reward_statistics,
    tie_share,
    verdict_of,
)

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
    for name in ("auc", "auc_within", "brier"):
        a, b = getattr(once, name), getattr(copied, name)
        assert a.low <= a.value <= a.high
        assert (b.value, b.low, b.high) == pytest.approx((a.value, a.low, a.high))
    fewer = reward_statistics(scores[:40], correct[:40], problem[:40])
    assert fewer.brier.high - fewer.brier.low > once.brier.high - once.brier.low


def test_calibration_error_stands_without_an_interval() -> None:
    """It is a sum of magnitudes, above 0 by chance alone: resampling adds chance to chance, so that
    the interval of perfectly calibrated scores would lie above 0, and above the error itself."""
    rng = np.random.default_rng(3)
    scores, problem = rng.random(480), np.repeat(np.arange(60), 8)
    correct = rng.random(480) < scores
    found = reward_statistics(scores, correct, problem)
    assert found.calibration_error == calibration_error(scores, correct) > 0
    assert found.to_dict()["calibration_error"] == found.calibration_error


def test_a_useless_reward_is_told_from_a_good_one() -> None:
    rng = np.random.default_rng(1)
    problem, correct = np.repeat(np.arange(60), 8), rng.random(480) < 0.5
    useless = reward_statistics(rng.random(480), correct, problem)
    good = reward_statistics(np.clip(rng.random(480) / 2 + correct / 3, 0, 1), correct, problem)
    assert useless.auc.low < 0.5 < useless.auc.high
    assert good.auc.low > 0.7


@settings(max_examples=12)
@given(st.lists(samples, min_size=2, max_size=5))
def test_all_statistics_and_intervals_are_those_of_the_resampled_samples(
    problems: list[list[tuple[float, bool]]],
) -> None:
    """Against putting the samples of the drawn problems together and measuring anew."""
    scores, correct = arrays([pair for one in problems for pair in one])
    problem = np.repeat(np.arange(len(problems)), [len(one) for one in problems])
    found = reward_statistics(scores, correct, problem, random_state=3)
    rng = np.random.default_rng(3)
    draws = [rng.integers(len(problems), size=len(problems)) for _ in range(400)]
    for name, measure in (
        ("auc", auc),
        ("brier", lambda s, c: float(np.mean((s - c) ** 2))),
    ):
        drawn = [measure(*arrays([pair for i in draw for pair in problems[i]])) for draw in draws]
        finite = [value for value in drawn if math.isfinite(value)]
        one = getattr(found, name)
        assert one.value == pytest.approx(measure(scores, correct), nan_ok=True)
        if finite:
            expected = np.quantile(finite, [0.025, 0.975])
            assert (one.low, one.high) == pytest.approx(tuple(expected), abs=1e-12)


@given(samples)
def test_ties_are_pairs_of_right_and_wrong_that_are_level(
    pairs: list[tuple[float, bool]],
) -> None:
    right = [s for s, c in pairs if c]
    wrong = [s for s, c in pairs if not c]
    found = tie_share(*arrays(pairs))
    if right and wrong:
        level = sum(r == w for r in right for w in wrong)
        assert found == pytest.approx(level / len(right) / len(wrong))
    else:
        assert math.isnan(found)


def test_spread_is_that_within_problems() -> None:
    scores = np.array([0.1, 0.1, 0.9, 0.5])
    found = reward_statistics(scores, np.array([True, False, True, False]), np.array([0, 0, 1, 1]))
    assert found.spread.value == pytest.approx((0 + 0.2) / 2)
    assert found.ties.value == pytest.approx(1 / 2)


# Length bias


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.4, 0.7]), st.integers(1, 4), st.booleans()), max_size=12
    )
)
def test_concordance_counts_pairs_of_equal_correctness(
    rows: list[tuple[float, int, bool]],
) -> None:
    pairs = [
        (a[0] - b[0]) * (a[1] - b[1]) for a, b in itertools.combinations(rows, 2) if a[2] == b[2]
    ]
    scores, lengths = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    correct = np.array([r[2] for r in rows], dtype=bool)
    expected = sum(p > 0 for p in pairs), sum(p < 0 for p in pairs)
    assert concordance(scores, lengths, correct) == expected


def bias(scores: np.ndarray, lengths: np.ndarray, correct: np.ndarray) -> Estimate:
    problem = np.repeat(np.arange(len(scores) // 8), 8)
    found = reward_statistics(scores, correct, problem, lengths=lengths).length_bias
    assert found is not None
    return found


def test_a_score_that_follows_length_is_told_from_one_that_follows_correctness() -> None:
    rng = np.random.default_rng(0)
    lengths, noise = rng.integers(5, 50, 400), rng.random(400)
    # Wrong answers are longer, so a score of correctness goes with length: but only through it.
    correct = lengths + 20 * noise < 35
    assert auc(1 - lengths / 50, correct) > 0.9
    honest = bias(0.3 + 0.4 * correct + 0.01 * rng.random(400), lengths, correct)
    assert honest.low < 0 < honest.high
    assert bias(lengths / 50, lengths, correct).value == 1.0
    assert bias(1 - lengths / 50, lengths, correct).value == -1.0
    mixed = bias(0.5 * correct + lengths / 200 + 0.2 * rng.random(400), lengths, correct)
    assert 0.1 < mixed.low < mixed.value < 1


def test_lengths_that_do_not_differ_say_nothing() -> None:
    scores, correct = np.linspace(0, 1, 16), np.arange(16) % 2 == 0
    found = bias(scores, np.full(16, 7), correct)
    assert math.isnan(found.value) and math.isnan(found.low)
    assert reward_statistics(scores, correct, np.zeros(16, dtype=int)).length_bias is None


# Votes, and the verdict


def pool(correct: list[bool], answers: list[int], scores: list[float]) -> Pool:
    none = np.zeros(0, dtype=np.int64)
    ones = np.ones(len(correct), dtype=np.int64)
    of = {Score.LAST: np.array(scores)}
    return Pool(np.array(correct), np.array(answers), of, ones, none, none)


def test_the_gain_is_the_paired_difference_of_the_votes() -> None:
    rng = np.random.default_rng(0)
    pools = []
    for _ in range(12):
        right = rng.random(6) < 0.4
        answers = np.where(right, 0, rng.integers(1, 3, 6))
        pools.append(pool(right.tolist(), answers.tolist(), rng.random(6).tolist()))
    scores = np.concatenate([one.scores[Score.LAST] for one in pools])
    correct = np.concatenate([one.correct for one in pools])
    found = reward_statistics(scores, correct, np.repeat(np.arange(12), 6), pools=pools)
    # All six at once: there is one draw, and both votes are exact.
    curves = [replay(one, np.array([6])) for one in pools]
    differences = [
        float(curve[Rule(Vote.WEIGHTED, Score.LAST)].accuracy[0] - curve[MAJORITY].accuracy[0])
        for curve in curves
    ]
    assert found.votes_at == 6 < VOTES_AT
    assert found.gain is not None
    assert found.gain.value == pytest.approx(np.mean(differences))
    assert found.gain == mean_over_problems(np.array(differences))
    assert any(differences)


def test_values_not_known_do_not_count_in_a_mean() -> None:
    found = mean_over_problems(np.array([1.0, np.nan, 3.0, np.nan]))
    assert found.value == 2.0 and 1.0 <= found.low <= found.high <= 3.0
    assert math.isnan(mean_over_problems(np.array([np.nan])).value)


def span(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high)


NAN = span(math.nan, math.nan)


@pytest.mark.parametrize(
    ("within", "gain", "verdict"),
    [
        (span(0.7, 0.8), span(0.01, 0.05), Verdict.HELPS),
        (span(0.45, 0.55), span(0.01, 0.05), Verdict.HELPS),
        (span(0.7, 0.8), span(-0.01, 0.05), Verdict.TELLS),
        (span(0.7, 0.8), None, Verdict.TELLS),
        (span(0.5, 0.6), span(0.0, 0.05), Verdict.BLIND),
        (span(0.45, 0.6), None, Verdict.BLIND),
        (span(0.7, 0.8), span(-0.05, -0.01), Verdict.HURTS),
        (span(0.2, 0.4), span(-0.05, 0.05), Verdict.HURTS),
        (None, span(-0.05, -0.01), Verdict.HURTS),
        (None, span(0.01, 0.05), Verdict.HELPS),
        (NAN, None, Verdict.UNKNOWN),
        (NAN, span(-0.01, 0.01), Verdict.UNKNOWN),
        (None, None, Verdict.UNKNOWN),
    ],
)
def test_the_verdict_goes_by_intervals(
    within: Estimate | None, gain: Estimate | None, verdict: Verdict
) -> None:
    assert verdict_of(within, gain) is verdict


def test_the_record_has_the_verdict() -> None:
    rng = np.random.default_rng(1)
    problem, correct = np.repeat(np.arange(60), 8), rng.random(480) < 0.5
    found = reward_statistics(np.clip(rng.random(480) / 2 + correct / 3, 0, 1), correct, problem)
    assert found.to_dict()["verdict"] == found.verdict.value == "tells right from wrong"
