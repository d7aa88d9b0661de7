"""Votes at every k: draws shared between rows, errors as large as they say, limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

from profiling.pools.ballots import Ballots
from profiling.pools.votes import majority, weighted


def ballots_of(answers: list[int]) -> Ballots:
    """Answers by number; 1 is right, 0 is none."""
    classes = np.array(answers) - 1
    return Ballots.of(classes, classes == 0)


def test_rows_see_the_same_draws() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(5, size=30).tolist()
    weights = rng.random(30)
    ks = np.arange(2, 30)
    curves = weighted(
        ballots_of(answers), np.stack([weights, 2 * weights]), ks, orders=100, random_state=3
    )
    assert curves[0].accuracy.tolist() == curves[1].accuracy.tolist()
    [again] = weighted(ballots_of(answers), weights[None], ks, orders=100, random_state=3)
    [other] = weighted(ballots_of(answers), weights[None], ks, orders=100, random_state=4)
    assert again.accuracy.tolist() == curves[0].accuracy.tolist()
    assert again.accuracy.tolist() != other.accuracy.tolist()


def test_the_error_is_as_large_as_it_says() -> None:
    """A pool of 12, all of whose subsets can be decided; 400 estimates from 65 orders each."""
    rng = np.random.default_rng(5)
    answers = rng.integers(5, size=12).tolist()
    weights, ks = rng.integers(1, 9, size=(1, 12)) / 8, np.arange(2, 12)
    ballots = ballots_of(answers)
    [exact] = weighted(ballots, weights, ks, orders=1000, random_state=0)
    assert not exact.variance.any()
    found = [
        weighted(ballots, weights, ks[3:-3], orders=65, random_state=seed)[0] for seed in range(400)
    ]
    misses = np.array([curve.accuracy for curve in found]) - exact.accuracy[3:-3]
    stated = np.mean([curve.variance for curve in found], axis=0)
    assert (stated > 0).all()
    assert np.mean(misses**2, axis=0) == pytest.approx(stated, rel=0.25)
    assert (np.abs(misses.mean(axis=0)) < 4 * np.sqrt(stated / 400)).all()


def test_a_majority_of_more_samples_than_are_counted_is_drawn() -> None:
    """Two answers: right wins with more than half of the k drawn; of just half, one time in two."""
    right, wrong, ks = 560, 640, np.array([1, 10, 31, 100])
    of = np.repeat([0, 1], [right, wrong])
    found = majority(Ballots.of(of, of == 0), ks, orders=200, random_state=0)
    half = np.floor(ks / 2)
    ties = np.where(ks % 2 == 0, hypergeom.pmf(half, right + wrong, right, ks), 0)
    expected = hypergeom.sf(half, right + wrong, right, ks) + ties / 2
    assert (found.variance > 0).tolist() == [False, True, True, True]
    error = np.maximum(4 * np.sqrt(found.variance), 1e-12)
    assert (np.abs(found.accuracy - expected) < error).all()


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_weights_that_cannot_vote_are_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="finite scores of 0 or more"):
        weighted(
            ballots_of([1, 2]), np.array([[0.5, weight]]), np.array([1]),
            orders=2, random_state=0,
        )  # fmt: skip
