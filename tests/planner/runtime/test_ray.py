"""Commands with `--ray` and real vLLM: two workers, each with a policy and a PRM of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.helpers.command import ROOT, apportion
from tests.helpers.command import document_process as document

LABORATORY = ROOT / "data" / "problems" / "laboratory"
MODELS = ["--policy", "lab-0.4m", "--prm", "lab-0.4m-prm"]
ENGINE = ["--kv-cache-gib", "0.25", "--max-tokens", "256", "--concurrency", "4"]
TWO = ["--ray", "--ray-workers", "2"]


def problems(file: str, limit: int) -> list[str]:
    return ["--problems", str(LABORATORY / f"{file}.jsonl"), "--limit", str(limit)]


@pytest.mark.slow
@pytest.mark.vllm
def test_a_run_of_two_workers_is_the_run_of_one_process(tmp_path: Path) -> None:
    arguments = ["run", "--strategy", "beam_search", "--budget", "4", *MODELS, *ENGINE]
    (spread,) = document(tmp_path, *arguments, *problems("heldout", 10), *TWO)["runs"]
    assert spread["problems"] == len({one["id"] for one in spread["answers"]}) == 10
    assert spread["engine"]["solved"] == 10
    ledger, engine = spread["ledger"], spread["engine"]
    assert ledger["generated"] + ledger["discarded"] == engine["policy"]["generated"]
    assert ledger["prompt"] + ledger["cached"] == engine["policy"]["prompt"]
    assert ledger["prm"] + ledger["prm_cached"] == engine["prm"]["prompt"]
    (alone,) = document(tmp_path, *arguments, *problems("heldout", 12))["runs"]
    assert alone["engine"]["solved"] == 2
    assert alone["answers"][:10] == spread["answers"]


@pytest.mark.vllm
@pytest.mark.slow
def test_profiles_measures_and_plans_run_on_workers(tmp_path: Path) -> None:
    profiled = problems("profile", 24)
    profile = ["profile", *profiled, "--max-samples", "16", *ENGINE]
    # Drawn in one process, scored by workers.
    document(tmp_path, *profile, "--policy", "lab-0.4m")
    scored = document(tmp_path, *profile, *MODELS, *TWO)
    assert len(scored["problems"]) == 24
    assert scored["rewards"]["samples"] == 24 * 16
    measured = document(
        tmp_path, "measure", *profiled, *MODELS, *ENGINE, *TWO,
        "--strategies", "greedy,beam_search,dvts", "--budgets", "4",
    )  # fmt: skip
    assert [run["engine"]["solved"] for run in measured["runs"]] == [24] * 3
    document(tmp_path, "fit", "--trials", "6")
    document(tmp_path, "plan", *MODELS, "--budget", "20", "--out", "plan.json")
    run = ["run", "--plan", "plan.json", *problems("heldout", 8), "--kv-cache-gib", "0.25"]
    (planned,) = document(tmp_path, *run, *TWO)["runs"]
    assert planned["engine"]["solved"] == planned["problems"] == 8
    assert all(answer["strategy"] for answer in planned["answers"])
    (again,) = document(tmp_path, *run)["runs"]
    assert again["engine"]["solved"] == 0


@pytest.mark.parametrize(
    ("options", "clue"),
    [
        (["--ray-workers", "2"], "--ray-workers needs --ray; give --ray too, or leave it out"),
        (["--ray-address", "auto"], "--ray-address needs --ray; give --ray too, or leave it out"),
        (["--ray", "--ray-workers", "0"], "--ray-workers 0: must be at least 1"),
    ],
)
def test_bad_options_are_one_line(tmp_path: Path, options: list[str], clue: str) -> None:
    ended = apportion(tmp_path, "profile", *problems("heldout", 1), *MODELS, *options)
    assert ended.returncode == 2
    assert ended.stderr.strip() == f"apportion: {clue}"
    assert not (tmp_path / "apportion.db").exists()


def test_a_ray_that_is_not_installed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ended = apportion(tmp_path, "profile", *problems("heldout", 1), *MODELS, "--ray")
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    (said,) = [line for line in ended.stderr.splitlines() if line.startswith("apportion: ")]
    assert said.endswith("install apportion with its extra ray")
    # Said before a store is made.
    assert not (tmp_path / "apportion.db").exists()
