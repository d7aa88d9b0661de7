"""`apportion demo` with its defaults, as people run it first."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


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
