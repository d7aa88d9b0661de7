"""`apportion import`, and what a store of imported runs alone can answer."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from executor.answers.grader import MathGrader
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.problem import Problem
from executor.store.store import RunSpec, Store
from executor.strategy import BeamSearch, BestOfN, Greedy, Majority, key, to_dict
from planner.cli.console import count
from planner.cli.main import build_parser
from planner.evidence.cells import level_pass_rates
from planner.evidence.gathering import gather
from planner.evidence.runs import current_runs, study_of
from planner.notes import Note, NoteCode
from planner.report.notes import word
from profiling.importers import FORMATS, Given, graded, read, store_import
from tests.helpers.command import apportion, document
from tests.helpers.foreign_runs import lines
from tests.helpers.notes import worded
from tests.helpers.shared import SHARED

REAL = SHARED / "data" / "runs" / "compute-optimal-tts_qwen2.5-1.5b_math-shepherd.tar.gz"
PROBLEMS, SAMPLES = 20, 8
BEAMS = BeamSearch(4, 4)


def measured_elsewhere() -> list[dict[str, Any]]:
    """Samples at pass@1 from 0 to 1 with rewards that know half of it, and a better search."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(PROBLEMS):
        chance = number / (PROBLEMS - 1)
        right = rng.random(SAMPLES) < chance
        scores = np.clip(0.5 + 0.2 * right + 0.2 * rng.standard_normal(SAMPLES), 0, 1)
        common = {"problem": f"Problem {number}?", "answer": "7", "policy": "theirs", "prm": "r"}
        samples = [
            {"answer": "7" if c else "8", "rewards": [float(s)], "tokens": 50}
            for c, s in zip(right, scores, strict=True)
        ]
        run = {"strategy": "beam_search", "n": 4, "correct": bool(rng.random() < chance + 0.2)}
        records += [common | {"samples": samples}, common | run]
    return records


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of imported runs alone."""
    folder = tmp_path_factory.mktemp("imported")
    lines(folder / "theirs.jsonl", *measured_elsewhere())
    made = document(folder, "import", "--format", "jsonl", "theirs.jsonl", "--study", "them")
    assert made["study"] == "them"
    return folder


# The command


def test_it_says_what_it_imported_and_how_sure_that_is(place: Path) -> None:
    made = document(place, "import", "--format", "jsonl", "theirs.jsonl", "--study", "them")
    assert made["runs"] == {"added": 0, "unchanged": 2, "replaced": 0}
    samples, beams = made["imported"]
    records = measured_elsewhere()
    right = [s["answer"] == "7" for r in records if "samples" in r for s in r["samples"]]
    assert (samples["strategy"], samples["records"], samples["problems"]) == (None, 160, 20)
    assert samples["accuracy"] == pytest.approx(np.mean(right))
    assert samples["interval"][0] < samples["accuracy"] < samples["interval"][1]
    assert samples["rewards"]["min"]["auc"]["value"] > 0.6
    assert samples["grading"] == {
        "by_file": 0, "here": 160, "compared": 0, "right_by_file": 0, "right_here": 0
    }  # fmt: skip
    assert beams["strategy"] == to_dict(BEAMS)
    assert beams["grading"]["by_file"] == 20
    assert "prm" in beams["unknown"] and "generated" in beams["unknown"]


def test_people_are_told_who_graded_and_what_nobody_counted(place: Path) -> None:
    ended = apportion(place, "import", "--format", "jsonl", "theirs.jsonl", "--study", "them")
    assert ended.returncode == 0
    said = " ".join(ended.stdout.split())
    assert "min step: AUC 0." in said and "within a problem 0." in said
    assert f"note: {word(Note.of(NoteCode.GRADED_HERE, records=160))}" in said
    assert "cached, discarded, generated, logprob, n_tokens, prm" in said
    assert said.endswith("runs in the store: 2 unchanged")


def test_half_a_file_leaves_the_store_as_it_was(place: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    store.write_bytes((place / "apportion.db").read_bytes())
    before = hashlib.sha256(store.read_bytes()).hexdigest()
    text = (place / "theirs.jsonl").read_text().replace("Problem", "Question")
    (tmp_path / "half.jsonl").write_text(text[: len(text) // 2])
    ended = apportion(
        tmp_path, "import", "--format", "jsonl", "half.jsonl", "--store", f"sqlite:///{store}"
    )
    assert ended.returncode == 2
    (line,) = [x for x in ended.stderr.splitlines() if x.startswith("apportion: ")]
    number = text[: len(text) // 2].count("\n") + 1
    assert line.startswith(f"apportion: half.jsonl, line {number}: not JSON (")
    assert hashlib.sha256(store.read_bytes()).hexdigest() == before


def test_bad_input_makes_no_store(tmp_path: Path) -> None:
    ended = apportion(tmp_path, "import", "--format", "jsonl", "nowhere.jsonl")
    assert ended.returncode == 2
    assert (
        "apportion: nowhere.jsonl: no such file; expected a file, a folder or a tar archive"
        in ended.stderr
    )
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_knows_every_format() -> None:
    parser = build_parser()
    for name in FORMATS:
        assert parser.parse_args(["import", "--format", name, "x"]).module == "import_runs"
    with pytest.raises(SystemExit):
        parser.parse_args(["import", "--format", "yaml", "x"])


# What such a store can answer


def test_recommend_answers_and_says_what_it_rests_on(place: Path) -> None:
    made = document(place, "recommend", "--policy", "theirs", "--prm", "r")
    assert {row["source"] for row in made["evidence"]} == {"imported"}
    [imported] = worded(made, NoteCode.IMPORTED_STUDY)
    assert "study them" in imported
    found = {one["strategy"]["name"]: one for one in (*made["alternatives"], made)}
    assert found["beam_search"]["cost"] == dict.fromkeys(found["beam_search"]["cost"])
    bought = found["best_of_n"]["cost"]
    assert bought["generated_tokens"] == pytest.approx(200)  # four samples of fifty tokens
    assert bought["prm_tokens"] is None and bought["flops"] is None
    assert found["majority"]["cost"]["prm_tokens"] == 0


def test_a_limit_on_what_is_not_known_is_refused(place: Path) -> None:
    ended = apportion(place, "recommend", "--policy", "theirs", "--prm", "r", "--max-flops", "1e12")
    assert ended.returncode == 2
    assert "the policy's size is not known" in ended.stderr


def test_a_limit_is_refused_for_what_is_missing(place: Path) -> None:
    """The catalog given tells sizes: what is not known then is how many tokens it took."""
    (place / "mine.toml").write_text(
        '[policies.theirs]\nparameters = 3_000_000\nfamily = "Llama-3"\n'
        "[prms.r]\nparameters = 1_000_000\n"
    )
    line = ["recommend", "--policy", "theirs", "--prm", "r", "--max-flops", "1e12"]
    ended = apportion(place, *line, "--catalog", "mine.toml")
    assert ended.returncode == 2
    assert "max-flops: the evidence does not count prompt tokens" in ended.stderr
    assert "size" not in ended.stderr


def test_a_catalog_given_tells_the_sizes_of_what_a_store_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open("sqlite:///apportion.db") as opened:
        opened.save_runs([own_run()])
    without = document(tmp_path, "recommend", "--policy", "theirs")
    assert without["cost"]["flops"] is None
    (tmp_path / "mine.toml").write_text(
        '[policies.theirs]\nparameters = 3_000_000\nfamily = "Llama-3"\n'
    )
    made = document(tmp_path, "recommend", "--policy", "theirs", "--catalog", "mine.toml")
    assert made["cost"]["flops"] == pytest.approx(2 * 3e6 * 9)


@pytest.mark.long
def test_fit_and_report_work_on_it(place: Path) -> None:
    fitted = document(place, "fit", "--trials", "1")
    assert fitted["problems"] == PROBLEMS
    document(place, "report", "--out", "report.html")
    page = (place / "report.html").read_text()
    assert "not known PRM tokens" in page or "no PRM tokens" in page
    assert "imported" in page


def test_a_plan_needs_a_profile_of_ones_own(place: Path) -> None:
    ended = apportion(place, "plan", "--policy", "theirs", "--prm", "r", "--out", "plan.json")
    assert ended.returncode == 2
    assert "policy theirs: its samples are imported" in ended.stderr
    assert not (place / "plan.json").exists()


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (math.nan, "-"), (1234.5, "1,234")])
def test_what_is_not_known_is_no_number(value: float | None, text: str) -> None:
    assert count(value) == text


# Several benchmarks in one study


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of one study on two benchmarks: greedy fails one and solves the other.

    Majority fails on both alike.
    """
    folder = tmp_path_factory.mktemp("two")
    runs = [
        ("AIME24", 10, {"strategy": "greedy", "correct": False}),
        ("AIME24", 10, {"strategy": "majority", "n": 4, "correct": True}),
        ("MATH-500", 30, {"strategy": "greedy", "correct": True}),
        ("MATH-500", 30, {"strategy": "majority", "n": 4, "correct": False}),
    ]
    records = [
        {"problem": f"{benchmark} {number}?", "policy": "theirs", "benchmark": benchmark} | run
        for benchmark, problems, run in runs
        for number in range(problems)
    ]
    lines(folder / "theirs.jsonl", *records)
    document(folder, "import", "--format", "jsonl", "theirs.jsonl", "--study", "them")
    return folder


def test_a_benchmark_of_the_study_is_answered_from_its_own_rows(two: Path) -> None:
    for benchmark, chosen, problems in (("AIME24", "majority", 10), ("MATH-500", "greedy", 30)):
        made = document(two, "recommend", "--policy", "theirs", "--benchmark", benchmark)
        assert made["strategy"]["name"] == chosen
        assert {row["problems"] for row in made["evidence"]} == {problems}
        assert {row["source"] for row in made["evidence"]} == {"imported"}
        note = Note.of(NoteCode.IMPORTED_STUDY, study="them", benchmark=benchmark)
        assert word(note) in made["notes"]
        assert not worded(made, NoteCode.BENCHMARKS_POOLED)


def test_pooled_benchmarks_are_named(two: Path) -> None:
    made = document(two, "recommend", "--policy", "theirs")
    assert {row["problems"] for row in made["evidence"]} == {40}
    pooled = Note.of(
        NoteCode.BENCHMARKS_POOLED, problems=(("AIME24", 10), ("MATH-500", 30))
    )  # fmt: skip
    assert worded(made, NoteCode.BENCHMARKS_POOLED) == [word(pooled)]


def test_another_benchmark_is_answered_from_published_figures(two: Path) -> None:
    made = document(two, "recommend", "--policy", "theirs", "--benchmark", "AMC23")
    assert made["evidence"][-1]["source"] == "model"
    unused = Note.of(
        NoteCode.RUNS_NOT_USED, store="apportion.db", policy="theirs", problems=40
    )  # fmt: skip
    assert worded(made, NoteCode.RUNS_NOT_USED) == [word(unused)]


def test_a_report_is_of_the_benchmark_it_is_asked_for(two: Path) -> None:
    line = ["report", "--policy", "theirs", "--benchmark", "AIME24", "--format", "json"]
    document(two, *line, "--out", "aime.json")
    said = json.loads((two / "aime.json").read_text())
    note = Note.of(NoteCode.IMPORTED_STUDY, study="them", benchmark="AIME24")
    assert word(note) in said["sections"]["notes"]["notes"]


# Its evidence


@pytest.fixture
def store(tmp_path: Path, grader: MathGrader) -> Iterator[Store]:
    file = lines(tmp_path / "theirs.jsonl", *measured_elsewhere())
    with Store.open("sqlite://") as opened:
        store_import(opened, graded(read("jsonl", file, Given()), "them", grader))
        yield opened


def test_unknown_counts_are_nan_and_what_was_not_needed_is_free(
    store: Store, grader: MathGrader
) -> None:
    frame = gather(store, grader).set_index("strategy")
    assert set(frame["source"]) == {"imported"}
    assert set(frame["benchmark"]) == {""}
    counts = ["generated_tokens", "discarded_tokens", "prompt_tokens", "prm_tokens"]
    assert frame.loc[[key(BEAMS)], counts].isna().all(axis=None)
    best = frame.loc[key(BestOfN(4))]
    counts = ["prompt_tokens", "cached_tokens", "prm_tokens", "prm_cached_tokens"]
    assert best[counts].isna().all(axis=None)
    assert (best["generated_tokens"] == 200).all()
    votes = frame.loc[key(Majority(4))]
    assert votes["prompt_tokens"].isna().all()
    assert (votes[["prm_tokens", "prm_cached_tokens", "discarded_tokens"]] == 0).all(axis=None)


def test_a_difficulty_takes_five_samples_that_are_not_replayed_in_it(
    tmp_path: Path, grader: MathGrader
) -> None:
    records = [
        {"problem": f"{size}?", "answer": "7", "policy": "p",
         "samples": [{"answer": "7"}] * (size - 1) + [{"answer": "8"}]}
        for size in (4, 5, 6)
    ]  # fmt: skip
    file = lines(tmp_path / "f.jsonl", *records)
    with Store.open("sqlite://") as opened:
        store_import(opened, graded(read("jsonl", file, Given()), "them", grader))
        frame = gather(opened, grader)
    by_rate = frame.groupby(["pass_at_1", "strategy"])["difficulty"].agg(list)
    assert by_rate.to_dict() == {
        (0.75, key(Majority(1))): ["unknown"], (0.75, key(Majority(4))): ["unknown"],
        (0.8, key(Majority(1))): ["unknown"], (0.8, key(Majority(4))): ["unknown"],
        (5 / 6, key(Majority(1))): ["easy"], (5 / 6, key(Majority(4))): ["unknown"],
    }  # fmt: skip
    assert level_pass_rates(frame) == {
        ("p", "easy"): pytest.approx(5 / 6),
        ("p", "all"): pytest.approx((0.75 + 0.8 + 5 / 6) / 3),
    }


def own_run(policy: str = "theirs") -> tuple[RunSpec, list[Outcome]]:
    settings = {"strategy": to_dict(Greedy()), "models": {"policy": "digest"}, "sampling": {}}
    problem = Problem("own", "Own?", "1")
    return RunSpec("measure", policy, None, settings), [
        Outcome(problem, "1", True, None, (), Ledger(generated=9))
    ]


def test_runs_of_ones_own_go_before_imported_ones_whichever_is_newer(
    store: Store, grader: MathGrader
) -> None:
    assert study_of(store.runs(), "theirs") == "them"
    store.save_runs([own_run()])
    assert set(gather(store, grader)["source"]) == {"measured"}
    assert study_of(store.runs(), "theirs") is None
    specs = [*store.runs()[1:], store.runs()[0]]
    assert [s.settings.get("study") for s in current_runs(specs)] == [None]


def test_runs_of_ones_own_with_another_policy_do_not_hide_imported_ones(
    store: Store, grader: MathGrader
) -> None:
    store.save_runs([own_run("mine")])
    sources = gather(store, grader).groupby("policy")["source"].unique()
    assert {policy: set(found) for policy, found in sources.items()} == {
        "mine": {"measured"}, "theirs": {"imported"}
    }  # fmt: skip


def test_two_studies_are_not_one(store: Store, grader: MathGrader, tmp_path: Path) -> None:
    """The same records under another name: had they been pooled, rows would be averaged."""
    records = [r | {"correct": True} for r in measured_elsewhere() if "strategy" in r]
    file = lines(tmp_path / "other.jsonl", *records)
    store_import(store, graded(read("jsonl", file, Given()), "others", grader))
    current = current_runs(store.runs())
    assert {spec.settings["study"] for spec in current} == {"them"}  # it has the profile
    beams = [spec for spec in current if spec.kind == "measure"]
    assert len(beams) == 1


# The real run


@pytest.mark.slow
def test_the_real_run_is_what_its_sources_say(tmp_path: Path) -> None:
    """Accuracies .495 and .595, min-step AUC .862, from an archive and from its folder."""
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there; set APPORTION_SHARED to the folder that holds data/")
    made = document(tmp_path, "import", "--format", "compute-optimal-tts", REAL)
    found = {one["strategy"] and one["strategy"]["name"]: one for one in made["imported"]}
    samples, beams = found[None], found["beam_search"]
    assert (samples["records"], samples["problems"], samples["accuracy"]) == (1000, 500, 0.495)
    assert (beams["records"], beams["problems"], beams["accuracy"]) == (600, 500, 0.595)
    assert beams["strategy"] == to_dict(BEAMS)
    assert samples["rewards"]["min"]["auc"]["value"] == pytest.approx(0.862, abs=5e-4)
    assert samples["policy"] == "Qwen2.5-1.5B-Instruct"
    assert samples["prm"] == "math-shepherd-mistral-7b-prm"
    graded_twice = [one["grading"] for one in made["imported"]]
    assert sum(g["compared"] for g in graded_twice) == 1600
    assert sum(g["right_by_file"] + g["right_here"] for g in graded_twice) < 0.02 * 1600
    answer = document(tmp_path, "recommend", "--policy", samples["policy"], "--prm", samples["prm"])
    assert answer["strategy"]["name"] == "beam_search"
    assert answer["interval"][0] < 0.595 < answer["interval"][1]
    (plain,) = answer["alternatives"]
    assert plain["predicted_accuracy"] == pytest.approx(0.495, abs=0.005)
