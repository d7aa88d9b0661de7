"""The nursery and its children: replaced when they die, never left behind."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from executor.answers import killable, worker
from executor.answers.killable import Child, ChildDiedError, Nursery, WorkerError
from tests.helpers.toy_nursery import toy_nursery

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return toy_nursery(tmp_path)


def compare(child: Child, gold: str, target: str, seconds: float = 10) -> bool | None:
    request = {"gold": gold, "target": target, "both": False, "seconds": seconds}
    child.line.send(json.dumps(request).encode() + b"\n")
    reply = child.line.receive(seconds)
    return None if reply is None else reply["equal"]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not collected by its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not alive(pid)


def test_children_answer_one_request_after_another(script: Path) -> None:
    nursery = Nursery(script)
    one, two = nursery.child(), nursery.child()
    assert one.pid != two.pid != nursery.pid
    for child in (one, two):
        assert child.usable
        assert [compare(child, "a", b) for b in ("A", "b", "a")] == [True, False, True]
    nursery.close()


def test_a_child_that_is_ended_in_the_middle_is_gone_at_once(script: Path) -> None:
    nursery = Nursery(script)
    child, other = nursery.child(), nursery.child()
    assert compare(child, "sleep", "a", 0.05) is None
    child.end()
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)
    assert compare(other, "a", "a")
    nursery.close()


def test_a_wait_can_go_on_after_its_time(script: Path) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    assert compare(child, "sleep0.2", "b", 0.05) is None
    assert child.line.receive(10) == {"equal": False}
    nursery.close()


def test_a_dead_child_is_not_usable(script: Path) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    with pytest.raises(ChildDiedError):
        compare(child, "die", "a")
    assert not child.usable
    child.end()
    killed = nursery.child()
    os.kill(killed.pid, signal.SIGKILL)
    assert gone(killed.pid)
    assert not killed.usable
    nursery.close()


def test_a_killed_nursery_is_replaced_and_takes_its_children_with_it(script: Path) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    first = nursery.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert gone(child.pid)
    child.end()
    assert compare(nursery.child(), "a", "a")
    assert nursery.pid not in (None, first)
    nursery.close()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_closed_nursery_leaves_no_process_and_can_start_again(script: Path, busy: bool) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    if busy:
        assert compare(child, "sleep", "a", 0.05) is None
    pid = nursery.pid
    assert pid is not None
    nursery.close()
    for each in (pid, child.pid):
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)
    assert nursery.pid is None
    assert compare(nursery.child(), "a", "a")
    nursery.close()


def test_a_forgotten_nursery_leaves_no_process(script: Path) -> None:
    nursery = Nursery(script)
    pid = nursery.child().pid
    del nursery
    gc.collect()
    assert gone(pid)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_children_end_with_a_parent_that_is_killed(script: Path, busy: bool) -> None:
    """The parent has no guard on `__main__`, which a spawned process would import again."""
    program = textwrap.dedent(
        f"""
        import time
        from pathlib import Path
        from executor.answers.killable import Nursery
        nursery = Nursery(Path({str(script)!r}))
        child = nursery.child()
        if {busy}:
            line = b'{{"gold": "sleep", "target": "a", "both": false, "seconds": 60}}\\n'
            child.line.send(line)
        print(nursery.pid, child.pid, flush=True)
        time.sleep(60)
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(map(alive, pids))
        parent.kill()
    assert [pid for pid in pids if not gone(pid)] == []


def test_a_nursery_that_cannot_start_is_an_error_and_not_a_wrong_answer(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("""import os; os.write(0, b'{"error": "no math here"}\\n')""")
    with pytest.raises(WorkerError, match=r"child\.py does not start: no math here"):
        Nursery(script).child()
    script.write_text("raise SystemExit(1)")
    with pytest.raises(WorkerError, match=r"child\.py does not start: it ended at once"):
        Nursery(script).child()


def test_a_nursery_that_is_silent_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(killable, "START_SECONDS", 0.2)
    script = tmp_path / "child.py"
    script.write_text("import time; time.sleep(30)")
    nursery = Nursery(script)
    started = time.monotonic()
    with pytest.raises(WorkerError, match=r"child\.py does not"):
        nursery.child()
    assert nursery.pid is None
    assert time.monotonic() - started < 20  # of 30 s


def test_large_replies_do_not_block(tmp_path: Path) -> None:
    mine, theirs = killable.socket.socketpair()
    line = killable.Line(mine)
    with (
        theirs,
        subprocess.Popen(
            [sys.executable, "-c", "print('{\"x\": \"' + 'y' * 1_000_000 + '\"}')"], stdout=theirs
        ),
    ):
        assert line.receive(10) == {"x": "y" * 1_000_000}
    line.close()


def test_time_is_the_childs_own(script: Path) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    line = b'{"gold": "sleep0.3", "target": "a", "both": false, "seconds": 1}\n'
    child.send(line)
    started = time.monotonic()
    reply, spent = child.receive(0.05)
    assert reply is None and spent > 0.01
    assert time.monotonic() - started >= 0.05 * killable.STARVED
    reply, spent = child.receive(10)
    assert reply == {"equal": False} and spent < 0.8 * (time.monotonic() - started)
    child.send(line.replace(b"sleep0.3", b"sleep"))
    started = time.monotonic()
    assert child.receive(50, deadline=started + 0.05)[0] is None
    assert time.monotonic() - started < 20
    nursery.close()


def test_a_child_without_parents_ends_by_its_own_processor_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A child that gets little of a core has more seconds from its parent than by the clock."""
    set_to: list[tuple[int, float]] = []
    monkeypatch.setattr(signal, "setitimer", lambda *timer: set_to.append(timer))
    monkeypatch.setattr(worker, "equal", lambda gold, target: gold == target)
    mine, theirs = socket.socketpair()
    with mine, theirs:
        mine.sendall(b'{"gold": "a", "target": "a", "seconds": 0.5}\n')
        mine.shutdown(socket.SHUT_WR)
        worker.serve(theirs)
        assert json.loads(mine.recv(100)) == {"equal": True}
    assert set_to == [(signal.ITIMER_PROF, 1.5), (signal.ITIMER_PROF, 0)]


def test_a_busy_child_ends_soon_after_its_time(script: Path) -> None:
    nursery = Nursery(script)
    child = nursery.child()
    child.send(b'{"gold": "sqrt", "target": "a", "seconds": 0.01}\n')
    with pytest.raises(ChildDiedError):
        child.receive(30)
    nursery.close()
