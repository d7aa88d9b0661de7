"""`apportion replay`: what it prints is what the evidence says; no model, nothing written."""

from __future__ import annotations

import asyncio
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote
from executor.errors import InputError
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm
from executor.problem import question_id
from executor.run.runner import Executor
from executor.store.store import Store
from executor.strategy import BestOfN, Majority, Sampling, Score, ShortMOfK, key
from planner.cli.commands.replay import parse_k, show
from planner.evidence.cells import rows_of
from planner.evidence.gathering import gather
from planner.notes import Note, NoteCode
from planner.report.notes import word
from planner.usecases.replay import (
    Replay,
    Samples,
    check_k,
    choose_k,
    from_bundle,
    from_store,
)
from profiling.pools.replay import Pool
from profiling.pools.surface import Point, ProblemPool, Surface
from profiling.profiles.pool_files import pools_of, save_pools, stored_pools
from profiling.profiles.profiler import profile, profile_spec
from tests.helpers.command import apportion
from tests.helpers.command import document as document_of
from tests.helpers.scored_store import CHANCE, POLICY, PRM, PROBLEMS, SAMPLES, fill


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `tests.helpers.scored_store`."""
    return fill(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def document(place: Path) -> Any:
    return document_of(place, "replay", "--k", "all")


def test_it_names_the_only_policy_and_prm_and_what_it_rests_on(document: Any) -> None:
    assert (document["policy"], document["prm"], document["source"]) == (POLICY, PRM, "store")
    assert document["problems"] == 12
    assert document["samples"] == {"fewest": SAMPLES, "most": SAMPLES}
    rules = {point["rule"]["name"] for point in document["surface"]}
    votes = {f"{vote} {score}" for vote in ("max", "weighted") for score in Score}
    assert rules == {"pass", "majority", "short 1", "short 3", *votes}
    assert {point["k"] for point in document["surface"]} == set(range(1, SAMPLES + 1))
    assert {point["difficulty"] for point in document["surface"]} == {
        "easy", "medium", "hard", "all",
    }  # fmt: skip


def test_accuracies_and_tokens_are_those_of_the_evidence(document: Any, place: Path) -> None:
    with Store.open(f"sqlite:///{place}/apportion.db") as store, MathGrader() as grader:
        frame = gather(store, grader)
    cells = {
        "majority": Majority(4),
        "short 1": ShortMOfK(4, 1),
        "short 3": ShortMOfK(4, 3),
        "max prod": BestOfN(4, Score.PROD, Vote.MAX),
        "weighted last": BestOfN(4, Score.LAST, Vote.WEIGHTED),
    }
    for level in ("easy", "medium", "hard", "all"):
        for name, strategy in cells.items():
            rows = rows_of(frame[frame["strategy"] == key(strategy)], level)
            [point] = [
                point for point in document["surface"]
                if (point["difficulty"], point["rule"]["name"], point["k"]) == (level, name, 4)
            ]  # fmt: skip
            # 64 orders here; evidence enumerates the 210 subsets.
            error = 4 * point["subsampling_error"] + 1e-9
            assert point["accuracy"] == pytest.approx(rows["accuracy"].mean(), abs=error)
            assert (point["subsampling_error"] > 0) <= (name == "weighted last")
            for tokens in ("generated_tokens", "prm_tokens"):
                assert point[tokens] == pytest.approx(rows[tokens].mean(), abs=0.5)


def test_people_see_powers_of_two_with_errors_and_tokens(place: Path) -> None:
    ended = apportion(place, "replay")
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    heads = [[cell for cell in line.split() if cell.isdigit()]
             for line in lines if line.split()[1:2] == ["k"]]  # fmt: skip
    # Of 10 samples 6 give the difficulty, and 4 are replayed in it.
    assert heads == [*[["1", "2", "4"]] * 3, ["1", "2", "4", "8"]]
    assert sum("difficulty" in line for line in lines) == 4
    [majority] = [line for line in lines if "majority" in line][-1:]
    assert majority.count("±") == 4
    assert any("PRM tokens" in line for line in lines)
    # Three cannot vote among one or two; each vote of the first has a row of tokens of its own.
    [votes, tokens] = [line for line in lines if "short 3" in line][-2:]
    assert votes.count("±") == sum(cell.strip().isdigit() for cell in tokens.split("│")) == 2
    assert "all else is exact" in ended.stdout


def chosen(text: str | None, smallest: int) -> list[int]:
    """The numbers of samples that `--k` gives."""
    return choose_k(check_k(parse_k(text)), smallest)


def test_k_is_what_was_asked_and_never_more_than_every_pool_has() -> None:
    assert chosen(None, 12) == [1, 2, 4, 8]
    assert chosen(None, 1) == [1]
    assert chosen("all", 4) == [1, 2, 3, 4]
    assert chosen("8,2,2", 8) == [2, 8]
    with pytest.raises(InputError, match="--k is 16; expected at most 10"):
        chosen("4,16", 10)
    with pytest.raises(InputError, match="--k is 0; expected at least 1"):
        chosen("4,0", 10)
    with pytest.raises(InputError, match="expected whole numbers, or all"):
        check_k([])


def test_only_what_the_store_has_is_read_from_it(place: Path, grader: MathGrader) -> None:
    url = f"sqlite:///{place}/apportion.db"
    assert from_store(url, "another", None, grader) is None
    assert from_store(f"sqlite:///{place}/none.db", POLICY, PRM, grader) is None
    assert not (place / "none.db").exists()
    with pytest.raises(InputError, match=f"it has not scored {POLICY}; known: {PRM}, mean-logprob"):
        from_store(url, POLICY, "another", grader)


def test_without_a_prm_the_rules_that_need_none_are_replayed(
    place: Path, tmp_path: Path, grader: MathGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(f"sqlite:///{place}/apportion.db") as store:
        save_pools(*pools_of(store, POLICY), tmp_path / "measured" / "pools", POLICY)
    monkeypatch.setattr("planner.usecases.replay.data_folder", lambda: tmp_path)
    samples = from_bundle(POLICY, None, grader)
    assert samples.prm is None and len(samples.pools) == len(PROBLEMS)
    assert not any(one.pool.scores for one in samples.pools)
    assert Note.of(NoteCode.PRM_NOT_NAMED, prms=(PRM,)) in samples.notes
    with pytest.raises(
        InputError, match=f"--scorer x: it has not scored {POLICY}; bundled are {PRM}, mean"
    ):
        from_bundle(POLICY, "x", grader)


def test_of_several_prms_in_the_store_none_is_picked(tmp_path: Path, grader: MathGrader) -> None:
    """Problems that one of them was trained on stay: nothing here goes by its scores."""
    url = f"sqlite:///{tmp_path}/apportion.db"
    policy = SimulatedPolicy(lambda text: CHANCE[text], 1, wrong_answers=3)
    seen = {question_id(PROBLEMS[0].text)}
    with Store.open(url) as store:
        for name in ("one", "other"):
            prm = SimulatedPrm(0.8, name=name, trained_on=seen)
            executor = Executor(policy, prm, grader, Sampling())
            asyncio.run(profile(executor, PROBLEMS, store, profile_spec(executor, 4, {})))
    samples = from_store(url, None, None, grader)
    assert samples is not None and (samples.policy, samples.prm) == (POLICY, None)
    assert len(samples.pools) == len(PROBLEMS)
    assert not any(one.pool.scores for one in samples.pools)
    assert samples.notes == (Note.of(NoteCode.PRM_NOT_NAMED, prms=("one", "other")),)
    named = from_store(url, None, "other", grader)
    assert named is not None and len(named.pools) == len(PROBLEMS) - 1
    assert all(one.pool.scores for one in named.pools)


def test_no_error_is_printed_where_the_problems_are_all_alike() -> None:
    """Two problems without a right sample do not show that there is none anywhere."""
    nothing = np.zeros(0, dtype=np.int64)
    never = Pool(
        np.zeros(4, dtype=np.bool_), np.zeros(4, np.int64), {}, np.ones(4, np.int64), nothing,
        nothing,
    )  # fmt: skip
    surface, problems = (
        Surface(np.array([1, 4])),
        [ProblemPool(f"0{i}", never, 4.0) for i in (1, 2)],
    )
    for one in problems:
        surface.add(one)
    lines = show_lines(Samples("p", None, "store", problems, ()), list(surface.points()))
    assert any("0.000" in line for line in lines)
    assert not any("±0.000" in line for line in lines)
    assert any("no ± where" in line for line in lines)


def test_bundled_samples_are_replayed_and_said_to_be(
    place: Path, tmp_path: Path, grader: MathGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(f"sqlite:///{place}/apportion.db") as store:
        [scored] = [spec for spec in store.runs("profile") if spec.prm]
        save_pools(*pools_of(store, POLICY), tmp_path / "measured" / "pools", POLICY)
        kept, _ = stored_pools(store, [scored], grader)
    monkeypatch.setattr("planner.usecases.replay.data_folder", lambda: tmp_path)
    samples = from_bundle(POLICY, PRM, grader)
    assert samples.source == "bundled" and samples.notes
    surfaces = []
    for pools in (samples.pools, kept):
        surface = Surface(np.array([1, 4, 10]))
        for one in sorted(pools, key=lambda one: one.problem):
            surface.add(one)
        surfaces.append(list(surface.points()))
    for bundled, stored in zip(*surfaces, strict=True):
        assert bundled.accuracy == pytest.approx(stored.accuracy)
        assert bundled.generated_tokens == stored.generated_tokens
        assert math.isnan(bundled.prm_tokens) == (bundled.rule.score is not None)
    columns = show_lines(samples, surfaces[0])
    assert f"note: {word(Note.of(NoteCode.BUNDLED_SAMPLES))}" in columns


def test_many_k_are_cut_to_what_fits_a_table() -> None:
    correct = np.arange(40) < 13
    nothing = np.zeros(0, dtype=np.int64)
    pool = Pool(correct, (~correct).astype(np.int64), {}, np.ones(40, np.int64), nothing, nothing)
    one = ProblemPool("0a", pool, 40.0)
    surface = Surface(np.arange(1, 41))
    surface.add(one)
    lines = show_lines(Samples("p", None, "store", [one], ()), list(surface.points()))
    in_class, shown = [[int(cell) for cell in line.split() if cell.isdigit()]
                       for line in lines if line.split()[1:2] == ["k"]]  # fmt: skip
    assert in_class == [k for k in shown if k <= 16]  # the others give the difficulty
    assert len(shown) == 9 and shown[0] == 1 and shown[-1] == 40
    assert "31 more k, with --json" in lines
    # One problem has no error over problems, and nothing scored no tokens.
    assert not any("±" in line or "PRM" in line for line in lines if "│" in line)


def show_lines(samples: Samples, points: list[Point]) -> list[str]:
    """What people see."""
    console = Console(file=io.StringIO(), width=160)
    show(console, Replay(samples, tuple(points)))
    return console.file.getvalue().splitlines()
