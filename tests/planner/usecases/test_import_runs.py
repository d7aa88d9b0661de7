"""Imports as a library makes them; the formats have tests of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.store.store import Store
from planner.usecases.import_runs import import_runs
from tests.helpers.foreign_runs import lines

RECORD = {
    "problem": "1 + 1?", "answer": "2", "policy": "theirs", "prm": "r",
    "samples": [{"answer": "2", "rewards": [0.9], "tokens": 5}, {"answer": "3", "tokens": 5}],
}  # fmt: skip


def test_runs_become_evidence_once(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/store.db", tmp_path / "theirs.jsonl"
    lines(file, RECORD)
    first, again = (
        import_runs(str(file), format="jsonl", study="them", store=url) for _ in range(2)
    )
    assert (first.study, first.path) == ("them", file)
    assert (first.runs["added"], again.runs["unchanged"]) == (1, 1)
    assert first.imported[0]["accuracy"] == 0.5
    document = first.to_dict()
    assert set(document) == {"format", "path", "study", "runs", "imported"}
    assert json.loads(json.dumps(document))["format"] == "jsonl"
    with Store.open(url, create=False) as store:
        assert [spec.policy for spec in store.runs()] == ["theirs"]


def test_a_width_is_at_least_two(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--width is 1; expected at least 2"):
        import_runs(tmp_path, format="jsonl", width=1, store=f"sqlite:///{tmp_path}/store.db")
    assert not list(tmp_path.iterdir())
