"""What bench/replay.py rests on: its enumeration, its simulated pools, the public run."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def bench(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("replay")


def test_small_pools_equal_enumeration(bench: ModuleType) -> None:
    assert bench.enumerated(5, seed=1) < 1e-12


def test_simulated_pools_are_of_all_difficulties_and_their_scores_tell_right_from_wrong(
    bench: ModuleType,
) -> None:
    pools = [one.pool for one in bench.simulated(40, 32, seed=0)]
    assert {len(pool) for pool in pools} == {32}
    rates = np.array([pool.correct.mean() for pool in pools])
    assert (rates < 0.1).any() and (rates > 0.9).any() and 0.2 < rates.mean() < 0.6
    assert all((pool.answer_class[pool.correct] == 0).all() for pool in pools)
    assert all((pool.answer_class[~pool.correct] != 0).all() for pool in pools)
    for score in pools[0].scores:
        right = np.concatenate([pool.scores[score][pool.correct] for pool in pools])
        wrong = np.concatenate([pool.scores[score][~pool.correct] for pool in pools])
        assert np.median(right) > np.median(wrong)


def test_timing_keeps_both_errors(bench: ModuleType) -> None:
    found = bench.timed(list(bench.simulated(12, 16, seed=0)))
    assert found["problems"] == 12 and found["samples"] == 16
    assert 0 < found["subsampling_error"] < found["standard_error"][1]


def test_the_public_run_replays_to_what_its_records_say(bench: ModuleType) -> None:
    found = bench.public_run()
    if found is None:
        pytest.skip(f"{bench.RUN} is not there")
    assert found["problems"] == 500
    assert found["pass_at_k"][0] == pytest.approx(found["share_of_right_records"])
    assert found["pass_at_k"][0] == pytest.approx(bench.RUN_PASS_AT_1, abs=5e-4)
    assert found["pass_at_k"][1] == pytest.approx(found["share_with_a_right_record"])
