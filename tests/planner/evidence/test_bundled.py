"""The first day: `recommend` answers in an empty folder, without torch, from bundled evidence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from planner.evidence import gathering as evidence
from planner.notes import NoteCode
from tests.helpers.notes import worded

ROOT = Path(__file__).parents[3]


def test_recommend_answers_from_bundled_evidence_and_says_so(
    tmp_path: Path, without_engines: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", without_engines, "recommend", "--policy", "smollm2-135m",
         "--prm", "smollm2-135m-head", "--budget", "16", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    document = json.loads(ended.stdout)
    assert set(document["strategy"]) == {"name", "n", "width", "score", "vote"}
    assert document["interval"][0] <= document["predicted_accuracy"] <= document["interval"][1]
    assert document["cost"]["flops"] > 0
    assert worded(document, NoteCode.BUNDLED_EVIDENCE)
    [vote] = worded(document, NoteCode.VOTE_GAIN)
    assert "smollm2-135m-head" in vote
    assert list(tmp_path.iterdir()) == []


def test_bundled_evidence_is_whole() -> None:
    frame = evidence.bundled()
    assert set(frame["name"]) == {"greedy", "majority", "best_of_n", "beam_search", "dvts"}
    assert frame["accuracy"].between(0, 1).all()
    assert evidence.bundled_policies() == tuple(sorted(frame["policy"].unique()))
    assert (frame["generated_tokens"] > 0).all()
    ledger = [column for column in frame.columns if column.endswith("_tokens")]
    assert frame[ledger].notna().all(axis=None)
    assert not frame["policy"].eq("").any()
    # A PRM's rows and only those name it.
    uses = frame["name"].isin(["best_of_n", "beam_search", "dvts"])
    assert (frame["prm"].ne("") == uses).all()
