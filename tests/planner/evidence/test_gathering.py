"""Evidence from a store that the simulated models filled: replayed, measured, held out, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from executor.answers.grader import MathGrader
from executor.outcome import Outcome, choose
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem, problem_uid, question_id
from executor.run.runner import Executor, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import (
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    Sampling,
    Score,
    ShortMOfK,
    Strategy,
    key,
    to_dict,
)
from planner.evidence.bundled import bundled_rows
from planner.evidence.cells import cells, level_pass_rates
from planner.evidence.comparable import for_pair
from planner.evidence.gathering import gather
from planner.evidence.layout import COLUMNS, save
from profiling.pools.class_part import ClassPart
from profiling.pools.replay import MAJORITY, Pool
from profiling.pools.surface import Surface
from profiling.profiles.pool_files import stored_pools
from profiling.profiles.profiler import profile, profile_spec, read_profile
from profiling.scorers.separation import rival_share, separation
from tests.helpers.evidence_frames import frame_of

PROFILED = simulated_problems(12)
UNPROFILED = simulated_problems(3, "unprofiled")
IN_TRAINING = PROFILED[2:6]
TRAINED_ON = {problem_uid(problem) for problem in IN_TRAINING}
SEEN = {question_id(problem.text) for problem in IN_TRAINING}
CHANCE = {problem.text: index / 11 for index, problem in enumerate(PROFILED)}
POOL = 16


@pytest.fixture(scope="module")
def executor(grader: MathGrader) -> Executor:
    policy = SimulatedPolicy(lambda text: CHANCE.get(text, 0.5), 1, wrong_answers=3)
    return Executor(policy, SimulatedPrm(0.8, trained_on=SEEN), grader, Sampling())


def run(
    executor: Executor, store: Store, strategy: Strategy, kind: str, problems: Sequence[Problem]
) -> RunSpec:
    """A live run, stored as `apportion measure` and `run` do."""
    prm = executor.prm.name if executor.prm and strategy.needs_prm else None
    settings = executor.settings({}, strategy=to_dict(strategy))
    spec = RunSpec(kind, executor.policy.name, prm, settings)

    async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        return await executor.solve(problem, strategy), executor.note(executor.context(problem, 1))

    asyncio.run(run_problems(problems, solve, store, spec))
    return spec


def fill_profile(executor: Executor, store: Store, samples: int = POOL) -> RunSpec:
    spec = profile_spec(executor, samples, {})
    asyncio.run(profile(executor, PROFILED, store, spec))
    return spec


@pytest.fixture(scope="module")
def store(executor: Executor) -> Iterator[Store]:
    """A profile; greedy and DVTS measured on all problems; a majority that was only run."""
    with Store.open("sqlite://") as opened:
        fill_profile(executor, opened)
        for strategy in (Greedy(), Dvts(4, 2)):
            run(executor, opened, strategy, "measure", [*PROFILED, *UNPROFILED])
        run(executor, opened, Majority(3), "run", PROFILED)
        yield opened


@pytest.fixture(scope="module")
def frame(store: Store, grader: MathGrader) -> pd.DataFrame:
    return gather(store, grader)


def rows(frame: pd.DataFrame, strategy: Strategy) -> pd.DataFrame:
    return frame[frame["strategy"] == key(strategy)].set_index("problem")


def test_a_profile_that_stopped_early_tells_difficulties_and_no_votes(
    executor: Executor, grader: MathGrader
) -> None:
    """How many samples it has depends on what they were."""
    with Store.open("sqlite://") as opened:
        spec = profile_spec(executor, 64, {}, 0.95)
        asyncio.run(profile(executor, PROFILED, opened, spec))
        run(executor, opened, Greedy(), "measure", PROFILED)
        frame = gather(opened, grader)
        profiles = {problem_uid(p.outcome.problem): p for p in read_profile(opened, spec)}
    assert set(frame["name"]) == {"greedy"}
    assert len({len(one.outcome.samples) for one in profiles.values()}) > 1
    for uid, one in rows(frame, Greedy()).iterrows():
        assert one["difficulty"] == profiles[str(uid)].pass_rate.difficulty.value


def test_the_layout_is_the_one_stated(frame: pd.DataFrame) -> None:
    pd.testing.assert_series_equal(frame.dtypes, frame_of([]).dtypes)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["accuracy"].between(0, 1).all()
    may_lack = ["pass_at_1", "rival", "prm_auc", "prm_auc_within", "prm_gap"]
    assert not frame.drop(columns=may_lack).isna().any(axis=None)
    assert not frame.duplicated(["problem", "strategy", "source"]).any()


def test_the_frame_is_the_same_each_time(
    frame: pd.DataFrame, store: Store, grader: MathGrader
) -> None:
    pd.testing.assert_frame_equal(gather(store, grader), frame)


def test_an_empty_store_has_no_evidence(grader: MathGrader) -> None:
    with Store.open("sqlite://") as empty:
        nothing = gather(empty, grader)
    assert len(nothing) == len(cells(nothing)) == 0
    assert list(nothing.columns) == list(COLUMNS)


def test_a_pool_is_replayed_at_every_budget_up_to_its_size(frame: pd.DataFrame) -> None:
    replayed = frame[frame["source"] == "replayed"]
    assert set(replayed[replayed["name"] == "majority"]["n"]) == {1, 4, 16}
    assert set(replayed[replayed["name"] == "best_of_n"]["n"]) == {4, 16}
    short = replayed[replayed["name"] == "short_m_of_k"]
    assert set(short["strategy"]) == {key(ShortMOfK(n, m)) for n in (4, 16) for m in (1, 3)}
    assert set(replayed["name"]) == {"majority", "short_m_of_k", "best_of_n"}
    assert set(replayed["score"]) == {"", *Score}


def test_majority_of_the_whole_pool_is_the_vote_the_profile_took(
    frame: pd.DataFrame, store: Store
) -> None:
    [spec] = store.runs("profile")
    replayed = rows(frame, Majority(POOL))["accuracy"]
    untied = 0
    for one in read_profile(store, spec):
        answers = [sample.answer for sample in one.outcome.samples]
        counts = sorted((answers.count(answer) for answer in set(answers)), reverse=True)
        accuracy = replayed[problem_uid(one.outcome.problem)]
        if len(counts) == 1 or counts[0] > counts[1]:
            untied += 1
            assert accuracy == float(bool(one.outcome.correct))
        else:
            assert 0 <= accuracy < 1
    assert untied >= 8
    assert 0 < replayed.mean() < 1


def test_best_of_the_whole_pool_is_its_highest_scored_sample(
    frame: pd.DataFrame, store: Store
) -> None:
    [spec] = store.runs("profile")
    replayed = rows(frame, BestOfN(POOL))["accuracy"]
    for one in read_profile(store, spec):
        uid = problem_uid(one.outcome.problem)
        best = max(one.outcome.samples, key=lambda sample: sample.rewards[-1])
        if uid not in TRAINED_ON and all(
            s.correct == best.correct
            for s in one.outcome.samples
            if s.rewards[-1] == best.rewards[-1]
        ):
            assert replayed[uid] == pytest.approx(float(bool(best.correct)))
    assert 0 < replayed.mean() < 1


def test_majority_of_one_is_pass_at_1(frame: pd.DataFrame) -> None:
    single = rows(frame, Majority(1))
    assert single["accuracy"].tolist() == pytest.approx(single["pass_at_1"].tolist())


def test_live_rows_are_what_the_run_did(frame: pd.DataFrame, store: Store) -> None:
    for spec in store.runs("measure"):
        name = spec.settings["strategy"]["name"]
        live = frame[(frame["name"] == name) & (frame["source"] == "measured")]
        live = live.set_index("problem")
        for stored in store.outcomes(spec):
            uid = problem_uid(stored.outcome.problem)
            if name == "dvts" and uid in TRAINED_ON:
                continue
            found, ledger = live.loc[uid], stored.outcome.ledger
            assert found["accuracy"] == float(bool(stored.outcome.correct))
            assert found["generated_tokens"] == ledger.policy_generated
            assert found["prompt_tokens"] == ledger.prompt
            assert found["prm_tokens"] == (ledger.prm if name == "dvts" else 0)


@pytest.mark.parametrize("block_size", [1, 8, 32, 1000])
def test_a_part_of_a_pool_pays_for_the_prompt_what_the_cache_did_not_spare(
    grader: MathGrader, block_size: int
) -> None:
    policy = SimulatedPolicy(0.5, 1, block_size=block_size)
    plain = Executor(policy, None, grader, Sampling())
    with Store.open("sqlite://") as store:
        spec = fill_profile(plain, store)
        pools = {
            problem_uid(one.outcome.problem): one.outcome.ledger for one in store.outcomes(spec)
        }
        replayed = gather(store, grader)
        live = run(plain, store, Majority(4), "measure", PROFILED)
        paid = {
            problem_uid(one.outcome.problem): one.outcome.ledger for one in store.outcomes(live)
        }
    for k in (1, 4, 16):
        for uid, found in rows(replayed, Majority(k)).iterrows():
            length = (pools[uid].prompt + pools[uid].cached) / 16
            assert found["prompt_tokens"] + found["cached_tokens"] == pytest.approx(k * length)
            if k == 16:
                assert found["prompt_tokens"] == pools[uid].prompt
            if k == 4 and block_size > 1:  # what the profile left in the cache is found again
                assert found["prompt_tokens"] >= paid[uid].prompt


def test_the_first_of_a_whole_pool_to_finish_are_its_shortest_samples(
    frame: pd.DataFrame, store: Store, grader: MathGrader
) -> None:
    [spec] = store.runs("profile")
    found = rows(frame, ShortMOfK(POOL, 3))
    for one in read_profile(store, spec):
        samples = one.outcome.samples
        row = found.loc[problem_uid(one.outcome.problem)]
        chosen = choose(ShortMOfK(POOL, 3), samples, grader)
        assert chosen is not None
        assert row["accuracy"] == float(bool(samples[chosen].correct))
        lengths = sorted(sample.n_tokens for sample in samples)
        assert row["discarded_tokens"] == (POOL - 3) * lengths[2]
        assert row["generated_tokens"] == sum(lengths[:3]) + row["discarded_tokens"]
    vote = rows(frame, Majority(POOL))
    assert (found["prompt_tokens"] == vote.loc[found.index, "prompt_tokens"]).all()


def test_a_part_of_a_pool_costs_its_part(frame: pd.DataFrame) -> None:
    whole, quarter = rows(frame, BestOfN(16)), rows(frame, BestOfN(4))
    assert (quarter["generated_tokens"] - whole["generated_tokens"] / 4).abs().max() <= 0.5
    assert whole["generated_tokens"].min() > 0
    # Steps that samples share are scored once: a quarter of the samples has more of them.
    assert (quarter["prm_tokens"] >= (whole["prm_tokens"] / 4).round()).all()
    assert (quarter["prm_tokens"] < whole["prm_tokens"]).all()
    # Without a prefix cache every sample forwards the prompt.
    assert (quarter["prompt_tokens"] * 4 == whole["prompt_tokens"]).all()
    assert set(rows(frame, Majority(16))["prm_tokens"]) == {0.0}


def test_problems_the_prm_was_trained_on_are_left_out_of_its_strategies(
    frame: pd.DataFrame,
) -> None:
    profiled = {problem_uid(problem) for problem in PROFILED}
    unprofiled = {problem_uid(problem) for problem in UNPROFILED}
    with_prm, without = frame[frame["prm"] != ""], frame[frame["prm"] == ""]
    assert set(with_prm["problem"]) == (profiled | unprofiled) - TRAINED_ON
    assert set(without["problem"]) == profiled | unprofiled
    assert set(with_prm["name"]) == {"best_of_n", "dvts"}


def test_the_auc_is_that_of_problems_the_prm_was_not_trained_on(grader: MathGrader) -> None:
    """A PRM that knows what it was trained on and guesses the rest has the AUC of a guess."""

    class Overfitted(SimulatedPrm):
        def _reward(self, question: str, text: str) -> float:
            self.auc = 1.0 if question in seen else 0.5
            return super()._reward(question, text)

    seen = {problem.text for problem in IN_TRAINING}
    executor = Executor(SimulatedPolicy(0.5, 1), Overfitted(trained_on=SEEN), grader, Sampling())
    with Store.open("sqlite://") as store:
        fill_profile(executor, store)
        frame = gather(store, grader)
    [auc] = set(frame[frame["prm"] != ""]["prm_auc"])
    assert auc == pytest.approx(0.5, abs=0.2)
    assert frame[frame["prm"] == ""]["prm_auc"].isna().all()


def test_what_a_pool_says_of_its_problem_stands_in_all_its_rows(
    frame: pd.DataFrame, store: Store, grader: MathGrader
) -> None:
    [spec] = store.runs("profile")
    checked = 0
    for stored in store.outcomes(spec):
        pool = Pool.of(stored.outcome.samples, grader, rules=tuple(Score))
        own = frame[frame["problem"] == problem_uid(stored.outcome.problem)]
        assert own["rival"].tolist() == pytest.approx([rival_share(pool)] * len(own))
        for score in Score:
            rows = own[own["score"] == score.value]
            for column, value in zip(
                ["prm_auc_within", "prm_gap"], separation(pool, score), strict=True
            ):
                assert rows[column].tolist() == pytest.approx([value] * len(rows), nan_ok=True)
            checked += len(rows)
        assert own[own["prm"] == ""][["prm_auc_within", "prm_gap"]].isna().all(axis=None)
    assert checked > 50
    unprofiled = frame[frame["problem"].isin([problem_uid(p) for p in UNPROFILED])]
    assert unprofiled[["rival", "prm_auc_within", "prm_gap"]].isna().all(axis=None)


def test_what_run_answered_is_no_evidence(frame: pd.DataFrame) -> None:
    assert rows(frame, Majority(3)).empty


def test_difficulty_is_that_of_the_class_part_and_else_unknown(
    frame: pd.DataFrame, store: Store
) -> None:
    [spec] = store.runs("profile")
    greedy = rows(frame, Greedy())
    for one in read_profile(store, spec):
        found = greedy.loc[problem_uid(one.outcome.problem)]
        part = ClassPart.of(np.array([bool(s.correct) for s in one.outcome.samples]))
        assert part is not None and found["difficulty"] == part.level.value
        assert found["pass_at_1"] == part.pass_rate()
    for problem in UNPROFILED:
        found = greedy.loc[problem_uid(problem)]
        assert found["difficulty"] == "unknown"
        assert pd.isna(found["pass_at_1"])
    assert set(greedy["difficulty"]) == {"easy", "medium", "hard", "unknown"}


def test_problems_without_an_answer_are_no_evidence(executor: Executor, grader: MathGrader) -> None:
    with Store.open("sqlite://") as store:
        run(executor, store, Greedy(), "measure", [Problem("open", "a question: what is x?")])
        assert gather(store, grader).empty


def test_the_larger_profile_gives_the_difficulty_and_is_replayed(
    executor: Executor, grader: MathGrader
) -> None:
    """A second pool could have another class, and the problem would count twice."""
    with Store.open("sqlite://") as store:
        fill_profile(executor, store, POOL)
        alone = gather(store, grader)
        fill_profile(executor, store, 4)
        both = gather(store, grader)
    of_all_pools = ["prm_auc", "prm_auc_within", "prm_gap"]
    pd.testing.assert_frame_equal(both.drop(columns=of_all_pools), alone.drop(columns=of_all_pools))
    assert rows(both, Majority(1)).index.is_unique


def test_budgets_above_the_rest_of_the_class_part_count_for_all_alone(
    frame: pd.DataFrame,
) -> None:
    """Of 16 samples 12 give the class."""
    replayed = frame[frame["source"] == "replayed"]
    level = {n: set(part["difficulty"]) for n, part in replayed.groupby("n")}
    assert level[1] == level[4] == {"easy", "medium", "hard"}
    assert level[16] == {"unknown"}
    table = cells(replayed)
    assert set(table[table["difficulty"] != "all"]["n"]) == {1, 4}
    assert set(table[table["difficulty"] == "all"]["n"]) == {1, 4, 16}


def test_each_accuracy_is_that_of_the_surface(store: Store, grader: MathGrader) -> None:
    """One number has one value: in `replay`, and in everything that rests on evidence."""
    specs = store.runs("profile")
    [policy] = {spec.policy for spec in specs}
    pools, _ = stored_pools(store, specs, grader, scored=False)
    surface = Surface(np.array([1, 4, 16]))
    for one in pools:
        surface.add(one)
    points = {
        (point.difficulty, point.k): point for point in surface.points() if point.rule == MAJORITY
    }
    table = cells(gather(store, grader, policy, ()))
    found = table[table["name"] == "majority"].to_dict("records")
    assert len(found) == len(points) == 9
    for cell in found:
        point = points[cell["difficulty"], cell["n"]]
        assert cell["problems"] == point.problems
        assert cell["successes"] / cell["rows"] == pytest.approx(point.accuracy)
    rates = level_pass_rates(gather(store, grader, policy, ()))
    for level in ("easy", "medium", "hard"):
        assert rates[policy, level] == pytest.approx(points[level, 1].accuracy)


# Cells


def test_cells_add_up(frame: pd.DataFrame) -> None:
    table = cells(frame)
    every = table[table["difficulty"] == "all"]
    assert every["successes"].sum() == pytest.approx(frame["all_accuracy"].sum())
    assert every["rows"].sum() == len(frame)
    greedy = table[table["name"] == "greedy"].set_index("difficulty")
    levels = ["easy", "medium", "hard"]
    assert greedy.loc[levels, "problems"].sum() == len(PROFILED)
    assert greedy.loc["all", "problems"] == len(PROFILED) + len(UNPROFILED)
    assert set(table["difficulty"]) == {*levels, "all"}
    measured = frame[(frame["name"] == "dvts") & (frame["difficulty"] == "easy")]
    [dvts] = table[(table["name"] == "dvts") & (table["difficulty"] == "easy")].to_dict("records")
    assert dvts["successes"] == measured["accuracy"].sum()
    for column in ("generated_tokens", "prm_tokens", "pass_at_1"):
        assert dvts[column] == pytest.approx(measured[column].mean())


def test_a_pair_rests_on_its_own_rows_and_on_shared_problems(frame: pd.DataFrame) -> None:
    pair = for_pair(frame, "simulated-policy", "simulated-prm")
    assert set(pair["prm"]) == {"", "simulated-prm"}
    assert not set(pair["problem"]) & TRAINED_ON
    alone = for_pair(frame, "simulated-policy", None)
    assert set(alone["prm"]) == {""}
    assert set(alone["problem"]) >= TRAINED_ON
    assert for_pair(frame, "other", None).empty
    assert for_pair(frame, "simulated-policy", "other").empty


# Kept evidence


def test_saved_evidence_is_read_back(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "measured"
    # Problems and models may be named like numbers or missing values.
    odd = frame[:2].assign(problem=["0012", "1e5"], policy="NA", source="nan")
    save(frame, folder / "a.parquet")
    save(odd, folder / "b.parquet")
    monkeypatch.setattr("planner.evidence.bundled.data_folder", lambda: tmp_path)
    read = bundled_rows()
    expected = pd.concat([frame, odd], ignore_index=True)
    pd.testing.assert_frame_equal(read, expected, atol=1e-6, rtol=0)
    pd.testing.assert_frame_equal(bundled_rows("NA"), odd, atol=1e-6, rtol=0)
    assert bundled_rows("b").empty


def test_equal_evidence_is_saved_as_equal_bytes(frame: pd.DataFrame, tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "e.parquet", tmp_path / "two" / "e.parquet"
    save(frame, first)
    save(frame.copy(), second)
    assert first.read_bytes() == second.read_bytes()


def test_without_bundled_evidence_there_is_an_empty_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.evidence.bundled.data_folder", lambda: tmp_path)
    pd.testing.assert_frame_equal(bundled_rows(), frame_of([]))
