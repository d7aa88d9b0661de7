"""The jobs that make the laboratory again."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from planner.cli.main import build_parser


@pytest.fixture
def laboratory(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("laboratory")


def test_the_jobs_make_the_whole_matrix(laboratory: ModuleType, tmp_path: Path) -> None:
    todo = laboratory.jobs(tmp_path, laboratory.POOL, None)
    names = [job.name for job in todo]
    assert len(set(names)) == len(names)
    for job in todo:
        assert set(job.after) <= set(names), job
        assert job.name not in job.after
        if job.command[1:3] == ("-m", "planner.cli.main"):
            build_parser().parse_args([str(part) for part in job.command[3:]])
    for policy in laboratory.POLICIES:
        scored = [name for name in names if name.startswith(f"{policy} pool scored by")]
        searched = [name for name in names if name.startswith(f"{policy} search with")]
        assert (len(scored), len(searched)) == (5, 3)


def test_forgetting_deletes_what_was_made_and_nothing_else(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    model = tmp_path / "models" / "one"
    model.mkdir(parents=True)
    for name in ("mine.txt", "matrix.db", "matrix.db-wal", "done.json", "lock"):
        (tmp_path / name).write_text("x")
    (tmp_path / "models" / "one.training").write_text("x")
    laboratory.forget(tmp_path, [laboratory.Job("one", (), makes=model)])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["lock", "mine.txt", "models"]


def test_a_second_run_beside_the_first_changes_nothing(
    laboratory: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "done.json").write_text("{}")
    monkeypatch.setattr(
        sys, "argv", ["laboratory.py", "--work", str(tmp_path), "--from-nothing", "--only"]
    )
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(SystemExit, match="another run works there"):
            laboratory.main()
    assert (tmp_path / "done.json").exists()
