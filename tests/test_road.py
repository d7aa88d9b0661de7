"""The whole road through the command line with real vLLM: a real policy, a real PRM, real kills."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from executor.strategy import STRATEGIES
from planner.plans.plan import Plan

pytestmark = pytest.mark.vllm

ROOT = Path(__file__).parents[1]
HELD_OUT = ROOT / "data" / "problems" / "heldout.jsonl"


def start(
    arguments: list[str], cwd: Path, program: Sequence[str] = ("-m", "planner.cli.main")
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def apportion(
    arguments: list[str], cwd: Path, program: Sequence[str] = ("-m", "planner.cli.main")
) -> Any:
    """Run a command with `--json`; its document."""
    process = start([*arguments, "--json"], cwd, program)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out)


SMALL = [
    "--policy",
    "smollm2-135m",
    "--problems",
    "8",
    "--samples",
    "16",
    "--trials",
    "6",
    "--kv-cache-gib",
    "1",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A demo with few problems, and its document."""
    place = tmp_path_factory.mktemp("demo")
    return place, apportion(["demo", "--out", "out", *SMALL], place)


def test_the_demo_ends_with_a_plan_its_accuracy_and_a_report(demo: tuple[Path, Any]) -> None:
    place, document = demo
    plan = Plan.load(place / "out" / "plan.json")
    assert json.loads(json.dumps(plan.to_dict())) == document["plan"]
    assert "all" in plan.entries
    assert len(document["profile"]["problems"]) == 8
    assert document["profile"]["rewards"]["samples"] == 8 * 16
    held_out = document["held_out"]
    assert [run["name"] for run in held_out] == ["plan", "greedy", "majority(n=16)"]
    for run in held_out:
        assert run["problems"] == run["graded"] == 8
        assert run["interval"][0] <= run["accuracy"] <= run["interval"][1]
        assert_adds_up(run)
    for paired in document["plan_minus"]:
        assert paired["problems"] == 8
        assert paired["interval"][0] <= paired["difference"] <= paired["interval"][1]
    page = (place / "out" / "report.html").read_text()
    assert "majority(n=16)" in page


def assert_adds_up(run: Any) -> None:
    """A run's ledger equals the engines' own counters, to the token."""
    ledger, policy = run["ledger"], run["engine"]["policy"]
    generated = ledger["generated"] + ledger["discarded"] + ledger["probe"]
    assert generated == policy["generated"]
    assert ledger["prompt"] + ledger["cached"] == policy["prompt"]
    if run["engine"]["prm"] is not None:
        assert ledger["prm"] + ledger["prm_cached"] == run["engine"]["prm"]["prompt"]


def test_every_strategy_leaves_an_outcome_a_problem_and_ledgers_that_add_up(
    demo: tuple[Path, Any],
) -> None:
    place, _ = demo
    document = apportion(
        [
            "run", "--strategy", "all", "--budget", "4",
            "--policy", "smollm2-135m", "--prm", "out/smollm2-135m-head",
            "--problems", str(HELD_OUT), "--limit", "5", "--max-tokens", "128",
        ],
        place,
    )  # fmt: skip
    names = [run["name"].split("(")[0] for run in document["runs"]]
    assert names == list(STRATEGIES)
    for run in document["runs"]:
        assert run["problems"] == len(run["answers"]) == 5
        assert run["engine"]["solved"] == 5
        assert_adds_up(run)


def test_recommend_answers_without_torch_and_vllm(
    demo: tuple[Path, Any], without_engines: str
) -> None:
    place, _ = demo
    arguments = ["recommend", "--policy", "smollm2-135m", "--prm", "smollm2-135m-head"]
    store = ["--store", "sqlite:///out/apportion.db"]
    document = apportion([*arguments, *store, "--budget", "4"], place, ["-c", without_engines])
    keys = {
        "policy", "prm", "difficulty", "strategy", "predicted_accuracy", "interval", "cost",
        "alternatives", "evidence", "notes", "note_codes", "runner_up", "cheaper", "pareto",
        "cost_unit", "next_measurement", "efficiency_gain", "chance_of_target",
    }  # fmt: skip
    assert set(document) == keys
    assert document["strategy"]["n"] <= 4
    assert document["interval"][0] <= document["predicted_accuracy"] <= document["interval"][1]
    assert document["cost"]["flops"] > 0
    assert document["evidence"]


def test_a_second_demo_does_nothing_again(demo: tuple[Path, Any]) -> None:
    place, first = demo
    again = apportion(["demo", "--out", "out", *SMALL], place)
    assert [run["engine"]["solved"] for run in again["held_out"]] == [0, 0, 0]
    assert [run["correct"] for run in again["held_out"]] == [
        run["correct"] for run in first["held_out"]
    ]
    assert again["plan"]["entries"].keys() == first["plan"]["entries"].keys()


def test_other_options_need_another_folder(demo: tuple[Path, Any]) -> None:
    place, _ = demo
    process = start(["demo", "--out", "out", "--problems", "9"], place)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "give another folder" in err


@pytest.mark.slow
def test_real_benchmarks_with_every_strategy(demo: tuple[Path, Any]) -> None:
    place, _ = demo
    benchmarks = Path(os.environ.get("APPORTION_SHARED", ROOT.parent / "shared")) / "data"
    singleop = benchmarks / "benchmarks" / "singleop.jsonl"
    gsm8k = benchmarks / "benchmarks" / "gsm8k_test.jsonl"
    if not (singleop.is_file() and gsm8k.is_file()):
        pytest.skip(f"the real benchmarks are not at {benchmarks}")
    document = apportion(
        [
            "run", "--strategy", "all", "--budget", "4",
            "--policy", "smollm2-135m", "--prm", "out/smollm2-135m-head",
            "--problems", str(singleop), "--limit", "30",
            "--problems", str(gsm8k), "--limit", "10", "--max-tokens", "256",
        ],
        place,
    )  # fmt: skip
    assert len(document["runs"]) == len(STRATEGIES)
    for run in document["runs"]:
        assert run["problems"] == run["graded"] == 40
        assert_adds_up(run)


def test_an_unknown_prm_is_one_line(demo: tuple[Path, Any]) -> None:
    place, _ = demo
    process = start(
        ["run", "--strategy", "dvts", "--budget", "4", "--policy", "smollm2-135m",
         "--prm", "no-such-prm", "--problems", str(HELD_OUT), "--limit", "1"],
        place,
    )  # fmt: skip
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.strip().splitlines()[-1].startswith("apportion: PRM no-such-prm: no such model")


def test_kill_9_loses_at_most_what_was_in_flight(tiny_llama: Path, tmp_path: Path) -> None:
    problems, samples = 24, 8
    arguments = [
        "profile", "--problems", str(HELD_OUT), "--limit", str(problems),
        "--policy", str(tiny_llama), "--max-samples", str(samples),
        "--max-tokens", "160", "--concurrency", "2", "--max-model-len", "512",
        "--kv-cache-gib", "0.25",
    ]  # fmt: skip
    process = start(arguments, tmp_path)
    database = tmp_path / "apportion.db"
    deadline = time.monotonic() + 240
    while _outcomes(database) < 3:
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = _rows(database)
    assert 3 <= len(kept) < problems
    document = apportion(arguments, tmp_path)
    assert len(document["problems"]) == problems
    assert all(problem["samples"] == samples for problem in document["problems"])
    finished = _rows(database)
    assert len(finished) == problems
    # What was finished before the kill is as it was, not done again.
    assert {row: finished[row] for row in kept} == kept
    assert _count(database, "samples") == problems * samples


def _outcomes(database: Path) -> int:
    try:
        return _count(database, "outcomes")
    except sqlite3.OperationalError:
        return 0


def _count(database: Path, table: str) -> int:
    if not database.exists():
        return 0
    with sqlite3.connect(database) as connection:
        (number,) = connection.execute(f"select count(*) from {table}").fetchone()
    return int(number)


def _rows(database: Path) -> dict[str, tuple[str, int]]:
    with sqlite3.connect(database) as connection:
        found = connection.execute("select problem_uid, created, generated_tokens from outcomes")
        return {uid: (created, tokens) for uid, created, tokens in found}
