"""The whole road through the command line with real vLLM: a real policy, a real PRM, real kills."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from executor.strategy import parse_names
from planner.plans.serialization import load_plan, plan_to_dict
from planner.usecases import demo as demo_usecase
from tests.helpers.command import ROOT, apportion, document, document_process, environment
from tests.helpers.shared import SHARED

pytestmark = pytest.mark.vllm

HELD_OUT = ROOT / "data" / "problems" / "heldout.jsonl"
LABORATORY = ROOT / "data" / "problems" / "laboratory"


@dataclass(frozen=True)
class Demo:
    """A demo with few problems.

    Attributes:
        policy: name in the catalog.
        prm: name of its PRM, and where the demo's folder has it, or its name if it is bundled.
        samples: per problem; also the largest of `BUDGETS`.
        trials: of the outcome model.
    """

    policy: str
    prm: str
    prm_path: str
    trials: int
    samples: int = 16

    @property
    def line(self) -> list[str]:
        return [
            "demo", "--out", "out", "--policy", self.policy, "--problems", str(PROBLEMS_EACH),
            "--samples", str(self.samples), "--trials", str(self.trials), "--kv-cache-gib", "1",
        ]  # fmt: skip


PROBLEMS_EACH = 8
BUDGETS = (4, 16)  # of the strategies that are measured; the laboratory's own demo goes up to 64
# The first brings its PRM; the second, 300 times as large, trains one.
DEMOS = {
    "lab": Demo("lab-0.4m", "lab-0.4m-prm", "lab-0.4m-prm", 3),
    "smollm2": Demo("smollm2-135m", "smollm2-135m-head", "out/smollm2-135m-head", 6),
}
Made = tuple[Path, Demo, Any]


@pytest.fixture(scope="module", params=["lab", pytest.param("smollm2", marks=pytest.mark.slow)])
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    """A demo's folder, what it was asked for, and its document."""
    place, asked = tmp_path_factory.mktemp("demo"), DEMOS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_usecase, "LIVE_BUDGETS", BUDGETS)
        yield place, asked, document(place, *asked.line)


def test_the_demo_ends_with_a_plan_its_accuracy_and_a_report(demo: Made) -> None:
    place, asked, document = demo
    plan = load_plan(place / "out" / "plan.json")
    assert json.loads(json.dumps(plan_to_dict(plan))) == document["plan"]
    assert "all" in plan.entries
    assert len(document["profile"]["problems"]) == PROBLEMS_EACH
    assert document["profile"]["rewards"]["samples"] == PROBLEMS_EACH * asked.samples
    held_out = document["held_out"]
    assert [run["name"] for run in held_out] == ["plan", "greedy", f"majority(n={asked.samples})"]
    for run in held_out:
        assert run["problems"] == run["graded"] == PROBLEMS_EACH
        assert run["interval"][0] <= run["accuracy"] <= run["interval"][1]
        assert_adds_up(run)
    for paired in document["plan_minus"]:
        assert paired["problems"] == PROBLEMS_EACH
        assert paired["interval"][0] <= paired["difference"] <= paired["interval"][1]
    page = (place / "out" / "report.html").read_text()
    assert f"majority(n={asked.samples})" in page
    # Last, what was recorded of a real model; the demo's own store knows nothing of it.
    assert document["real"]["policy"] == "qwen2.5-coder-1.5b"
    assert Path(place / document["real_report"]).read_text().count("qwen2.5-coder-1.5b") > 1


def assert_adds_up(run: Any) -> None:
    """A run's ledger equals the engines' own counters, to the token."""
    ledger, policy = run["ledger"], run["engine"]["policy"]
    generated = ledger["generated"] + ledger["discarded"] + ledger["probe"]
    assert generated == policy["generated"]
    assert ledger["prompt"] + ledger["cached"] == policy["prompt"]
    if run["engine"]["prm"] is not None:
        assert ledger["prm"] + ledger["prm_cached"] == run["engine"]["prm"]["prompt"]


def run_every_strategy(place: Path, policy: str, prm: str, *problems: str | Path) -> None:
    """Every strategy leaves an outcome for each of five problems, and ledgers that add up."""
    made = document(
        place, "run", "--strategy", "all", "--budget", "4", "--policy", policy, "--prm", prm,
        "--problems", *problems, "--limit", "5", "--max-tokens", "128",
    )  # fmt: skip
    names = [run["name"].split("(")[0] for run in made["runs"]]
    assert names == parse_names("all")
    for run in made["runs"]:
        assert run["problems"] == len(run["answers"]) == 5
        assert run["engine"]["solved"] == 5
        assert_adds_up(run)


def test_every_strategy_runs_with_a_head_that_was_trained_for_it(tmp_path: Path) -> None:
    """The head reads the tiny policy's own hidden states."""
    trained = document(
        tmp_path, "fit-prm", "--policy", "lab-0.4m", "--problems", LABORATORY / "train.jsonl",
        "--limit", "8", "--max-samples", "16", "--kv-cache-gib", "0.25", "--out", "head",
    )  # fmt: skip
    assert (trained["prm"], trained["held_out"]["samples"]) == ("head", 8 * 16)
    run_every_strategy(tmp_path, "lab-0.4m", "head", LABORATORY / "heldout.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("demo", ["smollm2"], indirect=True)
def test_every_strategy_runs_with_the_head_of_the_demo(demo: Made) -> None:
    place, asked, _ = demo
    run_every_strategy(place, asked.policy, asked.prm_path, HELD_OUT)


def test_recommend_answers_from_the_store_of_the_demo(demo: Made) -> None:
    place, asked, _ = demo
    pair = ["--policy", asked.policy, "--prm", asked.prm]
    store = ["--store", "sqlite:///out/apportion.db"]
    answered = document(place, "recommend", *pair, *store, "--budget", "4")
    keys = {
        "policy", "prm", "difficulty", "strategy", "predicted_accuracy", "interval", "cost",
        "alternatives", "evidence", "notes", "note_codes", "runner_up", "cheaper", "pareto",
        "cost_unit", "next_measurement", "efficiency_gain", "chance_of_target",
    }  # fmt: skip
    assert set(answered) == keys
    assert answered["strategy"]["n"] <= 4
    assert answered["interval"][0] <= answered["predicted_accuracy"] <= answered["interval"][1]
    assert answered["cost"]["flops"] > 0
    assert answered["evidence"]


def test_a_second_demo_does_nothing_again(demo: Made) -> None:
    place, asked, first = demo
    again = document(place, *asked.line)
    # A plan that routes is run again if its predictions have changed (`run_settings`): the first
    # demo measures how fast the engine is, and the second one's plan has seconds.
    changed = load_plan(place / "out" / "plan.json").routes and again["plan"] != first["plan"]
    solved = [run["engine"]["solved"] for run in again["held_out"]]
    assert solved == [PROBLEMS_EACH if changed else 0, 0, 0]
    before, after = ([run["correct"] for run in made["held_out"]] for made in (first, again))
    assert after[changed:] == before[changed:]
    chosen = ({name: entry["strategy"] for name, entry in made["plan"]["entries"].items()}
              for made in (first, again))  # fmt: skip
    assert next(chosen) == next(chosen)


def test_other_options_need_another_folder(demo: Made) -> None:
    place, _, _ = demo
    ended = apportion(place, "demo", "--out", "out", "--problems", "9")
    assert ended.returncode == 2
    assert "give another folder" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("demo", ["smollm2"], indirect=True)
def test_real_benchmarks_with_every_strategy(demo: Made) -> None:
    place, asked, _ = demo
    benchmarks = SHARED / "data"
    singleop = benchmarks / "benchmarks" / "singleop.jsonl"
    gsm8k = benchmarks / "benchmarks" / "gsm8k_test.jsonl"
    if not (singleop.is_file() and gsm8k.is_file()):
        pytest.skip(f"the real benchmarks are not at {benchmarks}")
    made = document_process(
        place, "run", "--strategy", "all", "--budget", "4",
        "--policy", asked.policy, "--prm", asked.prm_path,
        "--problems", singleop, "--limit", "30",
        "--problems", gsm8k, "--limit", "10", "--max-tokens", "256",
    )  # fmt: skip
    assert len(made["runs"]) == len(parse_names("all"))
    for run in made["runs"]:
        assert run["problems"] == run["graded"] == 40
        assert_adds_up(run)


def test_an_unknown_prm_is_one_line(tmp_path: Path) -> None:
    ended = apportion(
        tmp_path, "run", "--strategy", "dvts", "--budget", "4", "--policy", "lab-0.4m",
        "--prm", "no-such-prm", "--problems", HELD_OUT, "--limit", "1",
    )  # fmt: skip
    assert ended.returncode == 2
    assert (
        ended.stderr.strip()
        .splitlines()[-1]
        .startswith("apportion: PRM no-such-prm: no such model")
    )


def test_kill_9_loses_at_most_what_was_in_flight(tiny_llama: Path, tmp_path: Path) -> None:
    problems, samples = 12, 4
    arguments = [
        "profile", "--problems", str(HELD_OUT), "--limit", str(problems),
        "--policy", str(tiny_llama), "--max-samples", str(samples),
        "--max-tokens", "160", "--concurrency", "2", "--max-model-len", "512",
        "--kv-cache-gib", "0.25",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "planner.cli.main", *arguments],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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
    made = document(tmp_path, *arguments)
    assert len(made["problems"]) == problems
    assert all(problem["samples"] == samples for problem in made["problems"])
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
