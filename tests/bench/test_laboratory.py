"""The laboratory's runner: jobs in order, one a core, nothing done twice, a failure told."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from planner.cli.main import build_parser

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


@pytest.mark.process
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
        assert set(spent.seconds) == {"first", "middle", "last"}
        assert Path(out).read_text() == "123"


@pytest.mark.process
def test_a_failed_job_is_told_and_only_what_needs_it_is_left(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    todo = [
        laboratory.Job("fails", (sys.executable, "-c", "raise SystemExit(1)")),
        laboratory.Job("needs it", writes(out, "a"), ("fails",)),
        laboratory.Job("does not", writes(out, "b", 0.5)),
    ]
    with pytest.raises(SystemExit, match="not done: fails, needs it; run it again"):
        laboratory.run_all(todo, tmp_path, CORES)
    assert Path(out).read_text() == "b"
    mended = [laboratory.Job("fails", (sys.executable, "-c", "")), *todo[1:]]
    laboratory.run_all(mended, tmp_path, CORES)
    assert Path(out).read_text() == "ba"


@pytest.mark.process
def test_a_job_runs_on_one_core_and_its_log_is_kept(laboratory: ModuleType, tmp_path: Path) -> None:
    program = "import os; print(len(os.sched_getaffinity(0)))"
    laboratory.run_all([laboratory.Job("a b", (sys.executable, "-c", program))], tmp_path, CORES)
    assert (tmp_path / "logs" / "a-b.log").read_text() == "1\n"


@pytest.mark.process
def test_what_is_needed_but_not_asked_for_counts_as_there(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    laboratory.run_all([laboratory.Job("late", writes(out), ("early",))], tmp_path, CORES)
    assert Path(out).read_text() == "x"


@pytest.mark.process
def test_an_interrupted_run_ends_its_jobs_and_keeps_their_time(
    laboratory: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    sleep = time.sleep

    def interrupt(seconds: float) -> None:
        monkeypatch.undo()
        sleep(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(laboratory.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        laboratory.run_all([laboratory.Job("slow", writes(str(out), "x", 5.0))], tmp_path, CORES)
    spent = json.loads((tmp_path / "spent.json").read_text())
    assert spent["wall"] >= spent["seconds"]["slow"] > 0
    assert not out.exists()


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


@pytest.mark.process
def test_a_job_that_was_done_by_another_command_or_recipe_is_done_again(
    laboratory: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    job = laboratory.Job("a", writes(out), recipe={"steps": 1})
    for other in (job, job, laboratory.Job("a", writes(out, "y"), recipe={"steps": 1}),
                  laboratory.Job("a", writes(out, "y"), recipe={"steps": 2})):  # fmt: skip
        laboratory.run_all([other], tmp_path, CORES)
    assert Path(out).read_text() == "xyy"


@pytest.mark.process
def test_what_only_made_models_need_is_not_run(laboratory: ModuleType, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "training.json").write_text(json.dumps({"steps": 5, "loss": 0.1}))
    out = str(tmp_path / "out")

    def run(steps: int) -> None:
        todo = [
            laboratory.Job("samples", writes(out, "s")),
            laboratory.Job("model", writes(out, "m"), ("samples",), makes=model,
                           recipe={"steps": steps}),
            laboratory.Job("use", writes(out, "u"), ("model",)),
        ]  # fmt: skip
        laboratory.run_all(todo, tmp_path, CORES)

    run(5)
    assert Path(out).read_text() == "u"
    (tmp_path / "done.json").unlink()
    run(6)
    assert Path(out).read_text() == "usmu"


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
