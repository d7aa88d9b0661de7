"""The runner of long commands: in order, nothing done twice, a failure told."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

PLACES = [{core} for core in os.sched_getaffinity(0)]


@pytest.fixture
def jobs(script: Callable[[str], ModuleType]) -> ModuleType:
    """The script, as a module."""
    return script("jobs")


def writes(name: str, text: str = "x", seconds: float = 0.0) -> tuple[str, ...]:
    program = f"import time; time.sleep({seconds}); open({name!r}, 'a').write({text!r})"
    return (sys.executable, "-c", program)


@pytest.mark.process
def test_jobs_wait_for_what_they_need_and_are_done_once(jobs: ModuleType, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    todo = [
        jobs.Job("last", writes(out, "3"), ("middle",)),
        jobs.Job("first", writes(out, "1", 0.3)),
        jobs.Job("middle", writes(out, "2"), ("first",)),
    ]
    for _ in range(2):
        spent = jobs.run_all(todo, tmp_path, PLACES)
        assert set(spent.seconds) == {"first", "middle", "last"}
        assert Path(out).read_text() == "123"


@pytest.mark.process
def test_a_failed_job_is_told_and_only_what_needs_it_is_left(
    jobs: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    todo = [
        jobs.Job("fails", (sys.executable, "-c", "raise SystemExit(1)")),
        jobs.Job("needs it", writes(out, "a"), ("fails",)),
        jobs.Job("does not", writes(out, "b", 0.5)),
    ]
    with pytest.raises(SystemExit, match="not done: fails, needs it; run it again"):
        jobs.run_all(todo, tmp_path, PLACES)
    assert Path(out).read_text() == "b"
    mended = [jobs.Job("fails", (sys.executable, "-c", "")), *todo[1:]]
    jobs.run_all(mended, tmp_path, PLACES)
    assert Path(out).read_text() == "ba"


@pytest.mark.process
def test_a_job_runs_on_one_core_and_its_log_is_kept(jobs: ModuleType, tmp_path: Path) -> None:
    program = "import os; print(len(os.sched_getaffinity(0)))"
    jobs.run_all([jobs.Job("a b", (sys.executable, "-c", program))], tmp_path, PLACES)
    assert (tmp_path / "logs" / "a-b.log").read_text() == "1\n"


@pytest.mark.process
def test_what_is_needed_but_not_asked_for_counts_as_there(jobs: ModuleType, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    jobs.run_all([jobs.Job("late", writes(out), ("early",))], tmp_path, PLACES)
    assert Path(out).read_text() == "x"


@pytest.mark.process
def test_an_interrupted_run_ends_its_jobs_and_keeps_their_time(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    sleep = time.sleep

    def interrupt(seconds: float) -> None:
        monkeypatch.undo()
        sleep(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        jobs.run_all([jobs.Job("slow", writes(str(out), "x", 5.0))], tmp_path, PLACES)
    spent = json.loads((tmp_path / "spent.json").read_text())
    assert spent["wall"] >= spent["seconds"]["slow"] > 0
    assert not out.exists()


@pytest.mark.process
def test_a_job_that_was_done_by_another_command_or_recipe_is_done_again(
    jobs: ModuleType, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    job = jobs.Job("a", writes(out), recipe={"steps": 1})
    for other in (job, job, jobs.Job("a", writes(out, "y"), recipe={"steps": 1}),
                  jobs.Job("a", writes(out, "y"), recipe={"steps": 2})):  # fmt: skip
        jobs.run_all([other], tmp_path, PLACES)
    assert Path(out).read_text() == "xyy"


@pytest.mark.process
def test_what_only_made_models_need_is_not_run(jobs: ModuleType, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "training.json").write_text(json.dumps({"steps": 5, "loss": 0.1}))
    out = str(tmp_path / "out")

    def run(steps: int) -> None:
        todo = [
            jobs.Job("samples", writes(out, "s")),
            jobs.Job("model", writes(out, "m"), ("samples",), makes=model,
                           recipe={"steps": steps}),
            jobs.Job("use", writes(out, "u"), ("model",)),
        ]  # fmt: skip
        jobs.run_all(todo, tmp_path, PLACES)

    run(5)
    assert Path(out).read_text() == "u"
    (tmp_path / "done.json").unlink()
    run(6)
    assert Path(out).read_text() == "usmu"
