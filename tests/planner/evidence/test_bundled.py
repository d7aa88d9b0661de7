"""The first day: `recommend` answers in an empty folder from bundled evidence."""

from __future__ import annotations

from pathlib import Path

from planner.evidence.bundled import bundled_policies, bundled_rows
from planner.notes import NoteCode
from tests.helpers import command
from tests.helpers.notes import worded


def test_recommend_answers_from_bundled_evidence_and_says_so(tmp_path: Path) -> None:
    pair = ("--policy", "smollm2-135m", "--prm", "smollm2-135m-head")
    document = command.document(tmp_path, "recommend", *pair, "--budget", "16")
    assert set(document["strategy"]) == {"name", "n", "width", "score", "vote"}
    assert document["interval"][0] <= document["predicted_accuracy"] <= document["interval"][1]
    assert document["cost"]["flops"] > 0
    assert worded(document, NoteCode.BUNDLED_EVIDENCE)
    [vote] = worded(document, NoteCode.VOTE_GAIN)
    assert "smollm2-135m-head" in vote
    assert list(tmp_path.iterdir()) == []


def test_bundled_evidence_is_whole() -> None:
    frame = bundled_rows()
    assert set(frame["name"]) == {"greedy", "majority", "best_of_n", "beam_search", "dvts"}
    assert frame["accuracy"].between(0, 1).all()
    assert bundled_policies() == tuple(sorted(frame["policy"].unique()))
    assert (frame["generated_tokens"] > 0).all()
    ledger = [column for column in frame.columns if column.endswith("_tokens")]
    assert frame[ledger].notna().all(axis=None)
    assert not frame["policy"].eq("").any()
    # A PRM's rows and only those name it.
    uses = frame["name"].isin(["best_of_n", "beam_search", "dvts"])
    assert (frame["prm"].ne("") == uses).all()
