"""The laboratory's runner: jobs in order, one a core, nothing done twice, a failure told."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
CORES = sorted(os.sched_getaffinity(0))


@pytest.fixture
def laboratory(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, as a module."""
    monkeypatch.syspath_prepend(ROOT / "bench")
    monkeypatch.delitem(sys.modules, "laboratory", raising=False)
    import laboratory  # type: ignore[import-not-found]

    return laboratory


def writes(name: str, text: str = "x", seconds: float = 0.0) -> tuple[str, ...]:
    program = f"import time; time.sleep({seconds}); open({name!r}, 'a').write({text!r})"
    return (sys.executable, "-c", program)


def test_jobs_wait_for_what_they_need_and_are_done_once(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    todo = [
        laboratory.Job("last", writes(out, "3"), ("middle",)),
        laboratory.Job("first", writes(out, "1", 0.3)),
        laboratory.Job("middle", writes(out, "2"), ("first",)),
    ]
    for _ in range(2):
        spent = laboratory.run_all(todo, tmp_path, CORES)
        assert set(spent) == {"first", "middle", "last"}
        assert Path(out).read_text() == "123"


def test_a_failed_job_is_told_and_only_what_needs_it_is_left(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    todo = [
        laboratory.Job("fails", (sys.executable, "-c", "raise SystemExit(1)")),
        laboratory.Job("needs it", writes(out, "a"), ("fails",)),
        laboratory.Job("does not", writes(out, "b", 0.5)),
    ]
    with pytest.raises(SystemExit, match="not done: fails, needs it; the same command goes on"):
        laboratory.run_all(todo, tmp_path, CORES)
    assert Path(out).read_text() == "b"
    mended = [laboratory.Job("fails", (sys.executable, "-c", "")), *todo[1:]]
    laboratory.run_all(mended, tmp_path, CORES)
    assert Path(out).read_text() == "ba"


def test_a_job_runs_on_one_core_and_its_log_is_kept(laboratory: ModuleType, tmp_path: Path) -> None:
    program = "import os; print(len(os.sched_getaffinity(0)))"
    laboratory.run_all([laboratory.Job("a b", (sys.executable, "-c", program))], tmp_path, CORES)
    assert (tmp_path / "logs" / "a-b.log").read_text() == "1\n"


def test_what_is_needed_but_not_asked_for_counts_as_there(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    laboratory.run_all([laboratory.Job("late", writes(out), ("early",))], tmp_path, CORES)
    assert Path(out).read_text() == "x"


def test_an_interrupted_run_ends_its_jobs_and_keeps_their_time(
    laboratory: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    sleep = time.sleep

    def interrupt(seconds: float) -> None:
        sleep(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(laboratory.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        laboratory.run_all([laboratory.Job("slow", writes(str(out), "x", 5.0))], tmp_path, CORES)
    assert json.loads((tmp_path / "spent.json").read_text())["slow"] > 0
    assert not out.exists()


def test_the_jobs_make_the_whole_matrix(laboratory: ModuleType, tmp_path: Path) -> None:
    todo = laboratory.jobs(tmp_path, laboratory.POOL, None)
    names = [job.name for job in todo]
    assert len(set(names)) == len(names)
    for job in todo:
        assert set(job.after) <= set(names)
    for policy in laboratory.POLICIES:
        scored = [name for name in names if name.startswith(f"{policy} pool scored by")]
        searched = [name for name in names if name.startswith(f"{policy} search with")]
        assert (len(scored), len(searched)) == (4, 3)
