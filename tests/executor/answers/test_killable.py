"""The grader's child process: cut when it hangs, replaced when it dies, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from executor.answers import killable
from executor.answers.grader import MathGrader
from executor.answers.killable import KillableWorker, WorkerError

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
# Thousands of digits of a gamma function take half a minute.
HANGING = [r"2^{3900}(\frac{1}{3})!", r"2^{3900}(\frac{2}{7})!"]


@pytest.mark.parametrize("expression", HANGING)
def test_expression_that_hangs_is_cut_and_the_next_call_works(expression: str) -> None:
    with MathGrader(deadline=0.5) as fresh:
        assert fresh.equivalent("k+1", "1+k")
        start = time.monotonic()
        assert not fresh.equivalent(expression, "7x")
        assert time.monotonic() - start < 5
        assert fresh.timeouts == 1
        assert fresh.worker_pid is None
        fresh.deadline = 10
        assert fresh.equivalent("2(k+1)", "2k+2")
        assert fresh.timeouts == 1


def test_time_out_is_remembered() -> None:
    with MathGrader(deadline=0.3) as fresh:
        for _ in range(3):
            assert not fresh.correct(HANGING[0], "7x")
        assert fresh.timeouts == 1


def test_killed_child_is_replaced() -> None:
    with MathGrader() as fresh:
        assert fresh.equivalent("k+1", "1+k")
        first = fresh.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        assert fresh.equivalent("k+2", "2+k")
        assert fresh.worker_pid not in (None, first)


def test_child_killed_in_the_middle_of_a_question_is_asked_again() -> None:
    with MathGrader(deadline=1) as fresh:
        assert fresh.equivalent("k+1", "1+k")
        pid = fresh.worker_pid
        assert pid is not None
        threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
        assert not fresh.equivalent(HANGING[0], "7x")
        assert fresh.timeouts == 1
        assert fresh.equivalent("k+2", "2+k")


def test_question_that_crashes_the_child_is_given_up_after_two(tmp_path: Path) -> None:
    script, log = tmp_path / "child.py", tmp_path / "log"
    script.write_text(
        "import sys\nprint('{}', flush=True)\nsys.stdin.readline()\n"
        f"open({str(log)!r}, 'a').write('asked ')\n"
    )
    with KillableWorker(script) as worker:
        assert worker.ask({}, 10) is None
        assert worker.lost == 1
    assert log.read_text() == "asked asked "


def test_closed_grader_ends_its_child_and_starts_another_when_asked() -> None:
    with MathGrader() as fresh:
        assert fresh.equivalent("k+1", "1+k")
        pid = fresh.worker_pid
        assert pid is not None
        fresh.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert fresh.equivalent("k+2", "2+k")


def test_many_threads_share_one_child() -> None:
    with MathGrader() as fresh, ThreadPoolExecutor(8) as pool:
        jobs = [(f"{i}k+{i}", f"{i + i % 2}(k+1)", i % 2 == 0) for i in range(2, 42)]
        results = list(pool.map(lambda job: fresh.equivalent(job[0], job[1]), jobs))
        assert results == [expected for _, _, expected in jobs]
        assert fresh.timeouts == 0


def test_from_asyncio_in_a_thread(grader: MathGrader) -> None:
    async def both() -> list[bool]:
        pairs = [("m+1", "1+m"), ("m+1", "2+m")]
        return await asyncio.gather(*(asyncio.to_thread(grader.equivalent, *p) for p in pairs))

    assert asyncio.run(both()) == [True, False]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_child_ends_with_a_parent_that_is_killed(busy: bool) -> None:
    """The parent has no guard on `__main__`, which a spawned process would import again."""
    script = textwrap.dedent(
        f"""
        import threading, time
        from executor.answers.grader import MathGrader
        grader = MathGrader(deadline=1)
        assert grader.equivalent("k+1", "1+k")
        print(grader.worker_pid, flush=True)
        if {busy}:
            grader.equivalent({HANGING[0]!r}, "7x")
        time.sleep(60)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        time.sleep(0.3 if busy else 0)
        assert alive(pid)
        parent.kill()
    end = time.monotonic() + 10
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not alive(pid)


def test_child_that_cannot_start_is_an_error_and_not_a_wrong_answer(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("""print('{"error": "no math here"}')""")
    with KillableWorker(script) as worker, pytest.raises(WorkerError, match="no math here"):
        worker.ask({}, 1)


def test_child_that_is_silent_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killable, "START_SECONDS", 0.2)
    script = tmp_path / "child.py"
    script.write_text("import time; time.sleep(30)")
    with KillableWorker(script) as worker, pytest.raises(WorkerError, match=r"child\.py does not"):
        worker.ask({}, 1)
    assert worker.pid is None


def test_large_replies_do_not_block(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        "import json, sys\nprint('{}', flush=True)\n"
        "for line in sys.stdin: print(json.dumps({'x': 'y' * 1_000_000}), flush=True)\n"
    )
    with KillableWorker(script) as worker:
        for _ in range(3):
            assert worker.ask({}, 10) == {"x": "y" * 1_000_000}
