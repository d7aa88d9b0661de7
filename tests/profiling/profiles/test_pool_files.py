"""Pools kept as files: the samples of the store, the rewards of every PRM, every ledger."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import problem_uid, question_id
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import Sampling, Score
from profiling.profiles.pool_files import (
    has_rewards,
    load_pools,
    pools_of,
    prms_in,
    rewards_of,
    save_pools,
    saved_policies,
    saved_pools,
    saved_profiles,
    stored_pools,
)
from profiling.profiles.profiler import (
    profile,
    profile_reliability,
    profile_rewards,
    profile_spec,
    read_profile,
)

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


def test_confidences_are_kept_to_the_thousandth_and_score_again(
    tmp_path: Path, grader: MathGrader
) -> None:
    executor = Executor(SimulatedPolicy(0.6, 2), None, grader, Sampling(), top_logprobs=20)
    with Store.open("sqlite://") as store:
        spec = profile_spec(executor, SAMPLES, {})
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        save_pools(*pools_of(store, "simulated-policy"), tmp_path, "p")
        kept, _ = stored_pools(store, [spec], grader, free="deepconf-tail")
    read, _ = load_pools(tmp_path, "p")
    assert has_rewards(read, "deepconf-tail")
    saved = {one.problem: one for one in saved_pools(read, "deepconf-tail", grader)}
    assert len(kept) == len(saved) == len(PROBLEMS)
    for had in kept:
        assert set(had.pool.scores) == {Score.LAST}
        assert saved[had.problem].pool.scores[Score.LAST].tolist() == (
            had.pool.scores[Score.LAST].tolist()
        )


def test_samples_without_confidences_cannot_be_scored_by_them(
    store: Store, grader: MathGrader
) -> None:
    samples, _ = pools_of(store, "simulated-policy")
    assert "confidences" not in samples
    assert has_rewards(samples, "mean-logprob") and not has_rewards(samples, "deepconf-tail")
    specs = store.runs("profile")
    assert stored_pools(store, specs, grader, free="deepconf-tail") == ([], 0)


def test_a_policy_that_was_not_profiled_has_no_pool(store: Store) -> None:
    with pytest.raises(ValueError, match="has no profile without a PRM"):
        pools_of(store, "nobody")


def test_saved_pools_replay_as_those_of_the_store(
    store: Store, tmp_path: Path, grader: MathGrader
) -> None:
    save_pools(*pools_of(store, "simulated-policy"), tmp_path, "p")
    assert saved_policies(tmp_path) == ["p"]
    read, _ = load_pools(tmp_path, "p")
    [spec] = [spec for spec in store.runs("profile") if spec.prm == "good"]
    kept, left_out = stored_pools(store, [spec], grader)
    assert (len(kept), left_out) == (len(PROBLEMS), 0)
    stored = {one.problem: one for one in kept}
    for saved in saved_pools(read, "good", grader):
        had = stored.pop(saved.problem)
        assert math.isnan(saved.prm_tokens) and had.prm_tokens > 0
        assert saved.generated_tokens == had.generated_tokens > 0
        for name in ("correct", "answer_class", "tokens"):
            assert getattr(saved.pool, name).tolist() == getattr(had.pool, name).tolist()
        for score, values in had.pool.scores.items():
            assert saved.pool.scores[score] == pytest.approx(values, rel=1e-5)
    assert stored == {}
    assert all(not one.pool.scores for one in saved_pools(read, None, grader))


def test_of_several_profiles_the_largest_pool_of_a_problem_counts(grader: MathGrader) -> None:
    executor = Executor(SimulatedPolicy(0.6, 2), None, grader, Sampling())
    with Store.open("sqlite://") as store:
        specs = [profile_spec(executor, samples, {}) for samples in (4, 6, 5)]
        for spec, problems in zip(specs, (PROBLEMS, PROBLEMS[:1], PROBLEMS), strict=True):
            asyncio.run(profile(executor, problems, store, spec))
        found, _ = stored_pools(store, specs, grader)
    sizes = {one.problem: len(one.pool) for one in found}
    assert sizes == {problem_uid(p): 6 if p == PROBLEMS[0] else 5 for p in PROBLEMS}


def test_problems_the_prm_was_trained_on_are_counted_and_left_out(grader: MathGrader) -> None:
    seen = {question_id(PROBLEMS[1].text)}
    prm = SimulatedPrm(0.9, trained_on=seen)
    executor = Executor(SimulatedPolicy(0.6, 2), prm, grader, Sampling())
    with Store.open("sqlite://") as store:
        spec = profile_spec(executor, SAMPLES, {})
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        found, left_out = stored_pools(store, [spec], grader)
    assert {one.problem for one in found} == {problem_uid(p) for p in (PROBLEMS[0], PROBLEMS[2])}
    assert left_out == 1


def test_profiles_that_stopped_early_are_no_pools(grader: MathGrader) -> None:
    executor = Executor(SimulatedPolicy(0.6, 2), None, grader, Sampling())
    with Store.open("sqlite://") as store:
        spec = profile_spec(executor, 16, {}, 0.95)
        asyncio.run(profile(executor, PROBLEMS, store, spec))
        assert stored_pools(store, [spec], grader) == ([], 0)
        with pytest.raises(ValueError, match="has no profile"):
            pools_of(store, "simulated-policy")


def test_a_saved_profile_says_of_its_prm_what_the_stored_one_does(
    store: Store, tmp_path: Path, grader: MathGrader
) -> None:
    save_pools(*pools_of(store, "simulated-policy"), tmp_path, "simulated-policy")
    saved = saved_profiles(load_pools(tmp_path, "simulated-policy")[0], "poor")
    (spec,) = (one for one in store.runs("profile") if one.prm == "poor")
    kept = read_profile(store, spec)
    assert {(one.pass_rate.successes, one.pass_rate.trials) for one in saved} == {
        (one.pass_rate.successes, one.pass_rate.trials) for one in kept
    }
    mine, theirs = (profile_rewards(one, grader) for one in (saved, kept))
    assert mine is not None and theirs is not None
    for name in ("auc", "auc_within", "brier", "spread", "gain"):
        # Rewards are saved in single precision.
        assert getattr(mine, name).value == pytest.approx(getattr(theirs, name).value, abs=1e-6)
    mine_bins, their_bins = profile_reliability(saved), profile_reliability(kept)
    assert [(b.right, b.predictions) for b in mine_bins] == [
        (b.right, b.predictions) for b in their_bins
    ]
