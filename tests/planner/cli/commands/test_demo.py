"""`apportion demo` with its defaults, as people run it first."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from planner.choice.constraint import Constraint
from planner.cli.commands.demo import show_real
from planner.usecases.demo import REAL, REAL_BENCHMARK, REAL_BUDGET
from planner.usecases.recommend import recommend

ROOT = Path(__file__).parents[4]


def test_what_was_recorded_of_a_real_model_is_told_apart_from_what_ran(tmp_path: Path) -> None:
    console = Console(record=True, width=100, file=io.StringIO())
    answer = recommend(
        REAL, benchmark=REAL_BENCHMARK, constraint=Constraint(budget=REAL_BUDGET),
        store=f"sqlite:///{tmp_path}/none.db",
    )  # fmt: skip
    show_real(console, answer, tmp_path / "real.html")
    said = console.export_text()
    assert "A real model: qwen2.5-coder-1.5b on 100 problems of GSM8K (recorded evidence" in said
    assert "recommended" in said


@pytest.mark.slow
@pytest.mark.vllm
def test_the_default_demo_shows_that_the_best_strategy_depends_on_difficulty(
    tmp_path: Path,
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "planner.cli.main", "demo", "--out", str(tmp_path / "demo"),
        "--json"], cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    document = json.loads(ended.stdout)
    entries = document["plan"]["entries"]
    chosen = {json.dumps(entries[name]["strategy"]) for name in ("easy", "medium", "hard")}
    assert len(chosen) > 1
    assert {one["against"] for one in document["plan_minus"]} == {"greedy", "majority(n=64)"}
    for one in document["plan_minus"]:
        assert one["interval"][0] > 0, one
    assert Path(document["report"]).stat().st_size > 10_000
