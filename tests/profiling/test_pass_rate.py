"""Pass@1 as a posterior: closed forms against integration, boundaries, coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from profiling.pass_rate import LEAST_SAMPLES, Difficulty, PassRate, classify

rates = st.integers(1, 200).flatmap(lambda n: st.builds(PassRate, st.integers(0, n), st.just(n)))


def mass(rate: PassRate, low: float, high: float) -> float:
    """Posterior mass under Jeffreys' prior, integrated over x = sin(t)^2, which is smooth."""
    c, w = rate.successes, rate.trials - rate.successes

    def density(t: float) -> float:
        return 2 * math.sin(t) ** (2 * c) * math.cos(t) ** (2 * w)

    def integral(a: float, b: float) -> float:
        peak = math.asin(math.sqrt(rate.pass_at_1))
        points = [p for p in (peak,) if a < p < b]
        return float(quad(density, a, b, points=points or None, limit=400, epsabs=0)[0])

    start, end = math.asin(math.sqrt(low)), math.asin(math.sqrt(high))
    return integral(start, end) / integral(0, math.pi / 2)


@pytest.mark.parametrize(
    ("successes", "trials"),
    [(0, 1), (1, 1), (0, 16), (1, 16), (8, 16), (16, 16), (7, 64), (30, 64)],
)
def test_class_probabilities_are_the_integrals_of_the_posterior(
    successes: int, trials: int
) -> None:
    rate = PassRate(successes, trials)
    found = rate.probabilities()
    assert found[Difficulty.HARD] == pytest.approx(mass(rate, 0, 0.1), abs=1e-8)
    assert found[Difficulty.MEDIUM] == pytest.approx(mass(rate, 0.1, 0.5), abs=1e-8)
    assert found[Difficulty.EASY] == pytest.approx(mass(rate, 0.5, 1), abs=1e-8)


@pytest.mark.parametrize(("successes", "trials"), [(1, 4), (3, 16), (15, 16), (7, 64)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_an_interval_leaves_equal_tails(successes: int, trials: int, level: float) -> None:
    rate = PassRate(successes, trials)
    low, high = rate.interval(level)
    assert mass(rate, 0, low) == pytest.approx((1 - level) / 2, abs=1e-7)
    assert mass(rate, high, 1) == pytest.approx((1 - level) / 2, abs=1e-7)


@given(rates)
def test_what_holds_of_every_rate(rate: PassRate) -> None:
    low, high = rate.interval()
    assert 0 <= low <= rate.pass_at_1 <= high <= 1
    assert (low == 0) == (rate.successes == 0)
    assert (high == 1) == (rate.successes == rate.trials)
    probabilities = rate.probabilities()
    assert sum(probabilities.values()) == pytest.approx(1)
    assert rate.confidence == probabilities[rate.difficulty] == max(probabilities.values())


@pytest.mark.parametrize(
    ("pass_at_1", "difficulty"),
    [
        (1.0, "easy"),
        (0.5, "easy"),
        (np.nextafter(0.5, 0), "medium"),
        (0.1, "medium"),
        (np.nextafter(0.1, 0), "hard"),
        (0.0, "hard"),
    ],
)
def test_thresholds_belong_to_the_easier_class(pass_at_1: float, difficulty: str) -> None:
    assert classify(pass_at_1).value == difficulty


@pytest.mark.parametrize(
    ("successes", "trials", "difficulty"),
    [(0, 64, "hard"), (16, 64, "medium"), (60, 64, "easy"), (1, 1, "easy")],
)
def test_the_most_probable_class(successes: int, trials: int, difficulty: str) -> None:
    assert PassRate(successes, trials).difficulty.value == difficulty


def test_a_class_from_few_samples_is_not_settled() -> None:
    assert PassRate(0, 4).confidence < 0.7
    assert PassRate(0, 64).confidence > 0.99


@pytest.mark.parametrize("trials", [4, 16, 64])
def test_intervals_cover_the_truth_as_often_as_they_say(trials: int) -> None:
    rng = np.random.default_rng(0)
    intervals = [PassRate(c, trials).interval() for c in range(trials + 1)]
    truth = rng.beta(0.5, 0.5, 20_000)
    drawn = rng.binomial(trials, truth)
    covered = np.mean(
        [intervals[c][0] <= p <= intervals[c][1] for c, p in zip(drawn, truth, strict=True)]
    )
    # 95 % on average over the prior; reaching 0 and 1 at the ends only adds.
    assert 0.943 <= covered <= 0.975


@pytest.mark.parametrize("truth", [0.02, 0.1, 0.3, 0.5, 0.9])
def test_coverage_at_any_one_rate_is_near_nominal(truth: float) -> None:
    n = 64
    covered = 0.0
    for c in range(n + 1):
        low, high = PassRate(c, n).interval()
        covered += binom.pmf(c, n, truth) * (low <= truth <= high)
    assert covered > 0.90


@pytest.mark.parametrize(("successes", "trials"), [(-1, 4), (5, 4), (0, 0)])
def test_counts_that_cannot_be_are_refused(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        PassRate(successes, trials)


# Stopping


def settled(successes: int, trials: int, confidence: float) -> bool:
    return trials >= LEAST_SAMPLES and PassRate(successes, trials).confidence >= confidence


@given(
    st.integers(0, 30).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.6, 0.9, 0.95, 0.999]),
    st.integers(0, 12),
)
def test_the_fewest_that_could_settle_it_are_the_fewest_of_all_that_may_come(
    counts: tuple[int, int], confidence: float, left: int
) -> None:
    successes, trials = counts
    enough = [
        more
        for more in range(left)
        if any(settled(successes + r, trials + more, confidence) for r in range(more + 1))
    ]
    found = PassRate.fewest_to_settle(successes, trials, confidence, left)
    assert found == min(enough, default=left)


def test_a_class_is_never_settled_on_a_few_samples() -> None:
    assert PassRate(4, 4).resolved()
    assert PassRate.fewest_to_settle(4, 4, 0.95, 60) == LEAST_SAMPLES - 4
    assert PassRate.fewest_to_settle(LEAST_SAMPLES, LEAST_SAMPLES, 0.95, 60) == 0


def test_what_is_less_sure_is_unresolved() -> None:
    assert PassRate(0, 64).resolved() and not PassRate(0, 4).resolved()
    assert PassRate(0, 4).resolved(0.6) and not PassRate(0, 64).resolved(0.99999)
