"""What a vote knows for free: against the vote of the same samples, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.answers.voting import Vote
from executor.strategy import BeamSearch, BestOfN, Majority, Score, Strategy
from planner.cascades.signals import gives_signals, signals_of
from profiling.pools.drawn import part, voted
from tests.helpers.pools import pool_of

PAIRS = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", None]), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
    min_size=4,
    max_size=8,
)
VOTES = (
    Majority(4),
    BestOfN(4, Score.LAST, Vote.WEIGHTED),
    BestOfN(4, Score.LAST, Vote.MAX),
)


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.integers(0, 2**32 - 1))
def test_the_answer_is_that_of_the_vote(pairs: list[tuple[str | None, float]], seed: int) -> None:
    pool = pool_of(pairs)
    order = np.random.default_rng(seed).random((5, len(pool))).argsort(axis=1)[:, :4]
    for strategy in VOTES:
        seen = signals_of(pool, strategy, order)
        by_vote = [voted(part(pool, one), strategy) for one in order]
        assert seen.right == pytest.approx(by_vote)
        assert ((seen.agreement >= 0) & (seen.agreement <= 1)).all()
        assert np.isfinite(seen.features(4)).all()


def test_agreement_counts_samples_without_an_answer() -> None:
    pool = pool_of([("1", 0.2), ("1", 0.4), ("2", 1.0), (None, 0.9)])
    order = np.arange(4)[None]
    plain = signals_of(pool, VOTES[0], order)
    assert (plain.agreement[0], plain.right[0], plain.score) == (0.5, 1.0, None)
    weighted = signals_of(pool, VOTES[1], order)
    assert weighted.agreement[0] == pytest.approx(1.0 / 2.5)
    assert weighted.score is not None and weighted.score[0] == 1.0 and weighted.right[0] == 0.0
    best = signals_of(pool, VOTES[2], order)
    assert (best.agreement[0], best.right[0]) == (0.25, 0.0)


def test_without_any_answer_nothing_agrees() -> None:
    seen = signals_of(pool_of([(None, 0.5)] * 4), VOTES[1], np.arange(4)[None])
    assert (seen.agreement[0], seen.right[0]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("strategy", "gives"),
    [(Majority(4), True), (BestOfN(4), True), (BestOfN(4, vote=Vote.WEIGHTED, keep=0.5), False),
     (BeamSearch(4), False)],
)  # fmt: skip
def test_only_votes_decide(strategy: Strategy, gives: bool) -> None:
    assert gives_signals(strategy) is gives
