"""Pools kept as files: the samples of the store, the rewards of every PRM, every ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from executor.answers import MathGrader
from executor.problem import problem_uid
from executor.runner import Executor
from executor.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.store import Store
from executor.strategy import Sampling
from profiling.pools import load_pools, pools_of, prms_in, rewards_of, save_pools
from profiling.profiler import profile, profile_spec

PROBLEMS = simulated_problems(3)
SAMPLES = 6


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """One policy profiled without a PRM, then with two; and once with other sampling."""
    with Store.open("sqlite://") as opened, MathGrader() as grader:
        plain = Sampling()
        for prm, sampling in (
            (None, plain),
            (SimulatedPrm(0.9, name="good"), plain),
            (SimulatedPrm(0.6, name="poor"), plain),
            (SimulatedPrm(0.6, name="warm"), Sampling(temperature=1.0)),
        ):
            executor = Executor(SimulatedPolicy(0.6, 2), prm, grader, sampling)
            spec = profile_spec(executor, SAMPLES, {})
            asyncio.run(profile(executor, PROBLEMS, opened, spec))
        yield opened


def test_a_pool_holds_what_the_store_holds(store: Store) -> None:
    samples, ledgers = pools_of(store, "simulated-policy")
    assert prms_in(samples) == ["good", "poor"]
    assert len(samples) == len(PROBLEMS) * SAMPLES
    for spec in store.runs("profile")[:3]:
        for stored in store.outcomes(spec):
            uid = problem_uid(stored.outcome.problem)
            mine = samples[samples["problem"] == uid].sort_values("sample")
            records = stored.outcome.samples
            assert mine["correct"].tolist() == [record.correct for record in records]
            assert mine["tokens"].tolist() == [record.n_tokens for record in records]
            if spec.prm:
                given = rewards_of(mine, spec.prm)
                assert [tuple(one) for one in given] == [record.rewards for record in records]
            [charged] = ledgers[(ledgers["problem"] == uid) & (ledgers["prm"] == (spec.prm or ""))][
                ["samples", "generated_tokens", "prm_tokens"]
            ].to_numpy()
            ledger = stored.outcome.ledger
            assert charged.tolist() == [SAMPLES, ledger.generated, ledger.prm]


def test_a_saved_pool_is_read_back(store: Store, tmp_path: Path) -> None:
    samples, ledgers = pools_of(store, "simulated-policy")
    save_pools(samples, ledgers, tmp_path, "p")
    read, charged = load_pools(tmp_path, "p")
    pd.testing.assert_frame_equal(charged, ledgers)
    for prm in prms_in(samples):
        for kept, had in zip(rewards_of(read, prm), rewards_of(samples, prm), strict=True):
            np.testing.assert_allclose(kept, had, rtol=1e-6)
    plain = [column for column in samples.columns if not column.startswith("rewards:")]
    pd.testing.assert_frame_equal(read[plain], samples[plain], check_dtype=False)


def test_a_policy_that_was_not_profiled_has_no_pool(store: Store) -> None:
    with pytest.raises(ValueError, match="has no profile without a PRM"):
        pools_of(store, "nobody")
