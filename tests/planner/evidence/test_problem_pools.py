"""Several pools of one problem: scored by several scorers, or of other sizes and samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, group
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord
from executor.policies.simulated import simulated_problems
from executor.problem import problem_uid
from executor.scorers.certainty import MeanLogprob
from executor.search import State
from executor.store.store import RunSpec, Store
from executor.strategy import BestOfN, Score, key
from planner.evidence.gathering import gather
from planner.evidence.pools import replayed
from profiling.pools.replay import Pool
from profiling.scorers.rewards import auc

PROFILED = simulated_problems(12)
POOL = 16
FREE = MeanLogprob.name


@pytest.fixture
def rescored() -> Iterator[Store]:
    """Samples of some problems, drawn once and scored by two PRMs; another policy beside them."""
    rng = np.random.default_rng(0)
    with Store.open("sqlite://") as opened:
        for policy in ("policy", "other"):
            pools = [
                [(str(a), bool(a == 1)) for a in rng.integers(1, 4, size=POOL)] for _ in PROFILED
            ]
            for prm in (None, "one", "two"):
                outcomes = []
                for problem, drawn in zip(PROFILED, pools, strict=True):
                    rewards = [() if prm is None else (float(r),) for r in rng.random(POOL)]
                    samples = tuple(
                        SampleRecord("", answer, right, State.FINISHED.value, 5, 0.0, given, (5,))
                        for (answer, right), given in zip(drawn, rewards, strict=True)
                    )
                    ledger = Ledger(prompt=9, generated=5 * POOL)
                    outcomes.append(Outcome(problem, None, None, None, samples, ledger))
                settings = {"sampling": {}, "template": {}, "models": {}}
                opened.save_runs([(RunSpec("profile", policy, prm, settings), outcomes)])
        yield opened


@pytest.mark.parametrize("prms", [(), ("one",), ("one", "two")])
def test_rows_of_a_pair_are_those_of_the_whole(
    rescored: Store, grader: MathGrader, prms: tuple[str, ...]
) -> None:
    whole = gather(rescored, grader)
    wanted = (whole["policy"] == "policy") & whole["prm"].isin(["", *prms])
    assert set(whole["prm"]) == {"", "one", "two"}
    pd.testing.assert_frame_equal(
        gather(rescored, grader, "policy", prms), whole[wanted].reset_index(drop=True)
    )


def test_a_pair_takes_the_work_of_a_pair(
    rescored: Store, grader: MathGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes by the scores of other PRMs are not replayed; equal samples are grouped once."""
    by_score: list[bool] = []
    grouped: list[Any] = []

    def counted(pool: Pool, seed: int) -> Any:
        by_score.append(bool(pool.scores))
        return replayed(pool, seed)

    def grouping(answers: Any, by: Any) -> list[int]:
        grouped.append(answers)
        return group(answers, by)

    monkeypatch.setattr("planner.evidence.problem_pools.replayed", counted)
    monkeypatch.setattr("profiling.pools.replay.group", grouping)
    gather(rescored, grader, "policy", ("one",))
    assert sum(by_score) == len(PROFILED)
    assert len(grouped) == len(PROFILED)


def of_two_sizes(second_seed: int, sizes: tuple[int, int] = (64, 16)) -> Store:
    """Problems that were profiled with one PRM, and with another at another size and seed."""
    opened = Store.open("sqlite://")
    rng = np.random.default_rng(0)
    drawn = {seed: rng.random((len(PROFILED), 64)) < 0.15 for seed in (0, second_seed)}
    for prm, size, seed in (("one", sizes[0], 0), ("two", sizes[1], second_seed)):
        outcomes = []
        for problem, right in zip(PROFILED, drawn[seed], strict=True):
            samples = tuple(
                SampleRecord("", str(int(r)), bool(r), State.FINISHED.value, 5, 0.0, (s,), (5,))
                for r, s in zip(right[:size], rng.random(size), strict=True)
            )
            ledger = Ledger(prompt=9, generated=5 * size)
            outcomes.append(Outcome(problem, None, None, None, samples, ledger))
        settings = {"sampling": {}, "template": {}, "models": {}, "seed": seed}
        opened.save_runs([(RunSpec("profile", "policy", prm, settings), outcomes)])
    return opened


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sizes", [(64, 16), (16, 64), (16, 16)])
def test_a_problem_has_one_class_for_a_policy(
    grader: MathGrader, seed: int, sizes: tuple[int, int]
) -> None:
    """With two PRMs, whose pools differ in size or in samples."""
    with of_two_sizes(seed, sizes) as store:
        frame = gather(store, grader)
    known = frame[frame["difficulty"] != "unknown"]
    assert set(known["problem"]) == {problem_uid(problem) for problem in PROFILED}
    assert (known.groupby("problem")["difficulty"].nunique() == 1).all()
    assert (known.groupby("problem")["pass_at_1"].nunique() == 1).all()


def test_other_samples_of_a_problem_are_replayed_whole_in_its_class(grader: MathGrader) -> None:
    """None of them gave the class."""
    with of_two_sizes(1) as store:
        frame = gather(store, grader)
    other = frame[frame["prm"] == "two"]
    assert set(other["n"]) == {4, 16}
    assert not (other["difficulty"] == "unknown").any()
    np.testing.assert_array_equal(other["accuracy"], other["all_accuracy"])


def test_samples_that_gave_the_class_are_not_replayed_in_it(grader: MathGrader) -> None:
    """Of 64 samples the first 48 give the class, and a pool of 16 has no others."""
    with of_two_sizes(0) as store:
        frame = gather(store, grader)
    assert set(frame[frame["prm"] == "two"]["difficulty"]) == {"unknown"}
    assert set(frame[frame["prm"] == "one"]["difficulty"]) > {"unknown"}
    with of_two_sizes(0, (64, 52)) as store:
        frame = gather(store, grader)
    known = frame[(frame["prm"] == "two") & (frame["difficulty"] != "unknown")]
    assert set(known["n"]) == {4}
    assert known["problem"].nunique() == len(PROFILED)


@pytest.fixture
def unscored() -> Iterator[Store]:
    """A profile that no PRM scored, with a log-probability for each sample."""
    rng = np.random.default_rng(3)
    with Store.open("sqlite://") as opened:
        outcomes = []
        for problem in PROFILED:
            samples = tuple(
                SampleRecord("", str(int(right)), bool(right), State.FINISHED.value, 5, -logprob)
                for right, logprob in zip(rng.random(POOL) < 0.5, rng.random(POOL), strict=True)
            )
            ledger = Ledger(prompt=9, generated=5 * POOL)
            outcomes.append(Outcome(problem, None, None, None, samples, ledger))
        settings = {"sampling": {}, "template": {}, "models": {}}
        opened.save_runs([(RunSpec("profile", "policy", None, settings), outcomes)])
        yield opened


def test_a_free_scorer_that_is_named_is_replayed_from_any_profile(
    unscored: Store, grader: MathGrader
) -> None:
    plain = gather(unscored, grader, "policy")
    assert set(plain["prm"]) == {""}
    frame = gather(unscored, grader, "policy", (FREE,))
    free, rest = frame[frame["prm"] == FREE], frame[frame["prm"] == ""]
    pd.testing.assert_frame_equal(rest.reset_index(drop=True), plain)
    assert set(free["score"]) == {Score.LAST.value} and (free["prm_tokens"] == 0).all()
    whole = free[free["strategy"] == key(BestOfN(POOL, Score.LAST, Vote.MAX))]
    found = dict(zip(whole["problem"], whole["all_accuracy"], strict=True))
    values: list[float] = []
    right: list[bool] = []
    for stored in unscored.outcomes(unscored.runs()[0]):
        samples = stored.outcome.samples
        best = max(samples, key=lambda one: one.logprob)  # all have five tokens
        assert found[problem_uid(stored.outcome.problem)] == float(bool(best.correct))
        values += [one.logprob for one in samples]
        right += [bool(one.correct) for one in samples]
    assert free["prm_auc"].unique() == pytest.approx([auc(np.array(values), np.array(right))])


def test_samples_without_log_probabilities_have_no_free_scores(
    grader: MathGrader,
) -> None:
    """Runs of other programs may lack them; 0 would look like certainty."""
    samples = tuple(
        SampleRecord("", str(one % 2), bool(one % 2), State.FINISHED.value, 5, 0.0)
        for one in range(4)
    )
    unknown = frozenset({"logprob"})
    outcome = Outcome(PROFILED[0], None, None, None, samples, Ledger(), unknown=unknown)
    with Store.open("sqlite://") as opened:
        settings = {"sampling": {}, "template": {}, "models": {}}
        opened.save_runs([(RunSpec("profile", "policy", None, settings), [outcome])])
        assert FREE not in set(gather(opened, grader, "policy", (FREE,))["prm"])
