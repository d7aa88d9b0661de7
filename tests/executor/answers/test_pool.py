"""The children that compare: replaced, shared fairly, stopped when nobody waits."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from executor.answers import killable
from executor.answers.pool import PATIENCE, ChildPool, Reply
from executor.concurrency import in_thread
from tests.helpers.toy_nursery import asked, toy_nursery
from tests.helpers.waiting import until

pytestmark = pytest.mark.process


@pytest.fixture(autouse=True)
def _sleep_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy nursery's children sleep, which takes no processor time."""
    monkeypatch.setattr(killable, "STARVED", 1.0)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ChildPool]:
    pool = ChildPool(toy_nursery(tmp_path), places=2, slow_places=1)
    yield pool
    pool.close()


def ask(
    pool: ChildPool, gold: str, target: str = "a", seconds: float = 10.0,
    slow: bool = False, deadline: float | None = None,
) -> Reply:  # fmt: skip
    request = {"gold": gold, "target": target, "both": False, "seconds": seconds}
    return pool.ask(request, seconds, slow=slow, deadline=deadline)


def equal(pool: ChildPool, gold: str, target: str = "a") -> bool | None:
    value = ask(pool, gold, target).value
    return None if value is None else value["equal"]


def test_no_process_starts_before_it_is_needed(pool: ChildPool) -> None:
    assert pool.pid is None
    assert equal(pool, "A")
    assert pool.pid is not None


def test_a_request_that_takes_too_long_is_cut_and_the_next_is_answered(pool: ChildPool) -> None:
    started = time.monotonic()
    reply = ask(pool, "sleep", seconds=0.5)
    assert reply.value is None and reply.slow
    assert 0.5 <= reply.seconds <= time.monotonic() - started < 30  # of a minute
    assert equal(pool, "a")


def test_a_request_that_takes_longer_than_the_patience_is_answered(pool: ChildPool) -> None:
    reply = ask(pool, f"sleep{PATIENCE + 0.1:.2f}")
    assert reply.value == {"equal": False}
    assert reply.slow and reply.seconds >= PATIENCE + 0.1


def test_a_request_on_which_two_children_die_is_given_up(pool: ChildPool, tmp_path: Path) -> None:
    assert ask(pool, "die").value is None
    assert asked(tmp_path) == ["die=a", "die=a"]
    assert equal(pool, "a")


def test_all_children_killed_from_outside_are_replaced(pool: ChildPool) -> None:
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(partial(equal, pool), ["sleep0.1", "sleep0.1"])) == [False, False]
    pid = pool.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert [equal(pool, "a") for _ in range(3)] == [True] * 3


def test_slow_requests_do_not_hold_up_quick_ones(pool: ChildPool, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        # More than both lanes have places; those that are known to be slow have one place.
        slow = [threads.submit(ask, pool, "sleep", seconds=0.8, slow=True) for _ in range(3)]
        until(lambda: asked(tmp_path))
        assert all(equal(pool, "a") for _ in range(20))
        assert sum(one.done() for one in slow) < 2  # these are done one after another
        assert all(one.result().value is None for one in slow)


def test_requests_that_turn_out_slow_share_the_slow_lane_in_turn(pool: ChildPool) -> None:
    with ThreadPoolExecutor(4) as threads:
        slow = [threads.submit(ask, pool, "sleep0.5") for _ in range(4)]
        time.sleep(3 * PATIENCE)  # two at a time, all four have left the quick lane
        assert equal(pool, "a")
        assert not any(one.done() for one in slow[2:])
        assert all(one.result().value is not None for one in slow)


def test_a_place_that_is_not_free_before_the_deadline_is_not_waited_for(
    pool: ChildPool, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(ask, pool, "sleep2", slow=True)
        until(lambda: asked(tmp_path))
        assert ask(pool, "a", slow=True, deadline=time.monotonic() + 0.1) == Reply(
            None, 0.0, slow=True, started=False
        )
        assert not busy.done()
        assert busy.result().value is not None


@pytest.mark.parametrize("waiting", [False, True], ids=["at work", "waiting"])
def test_work_that_nobody_waits_for_ends_at_once(
    pool: ChildPool, tmp_path: Path, waiting: bool
) -> None:
    ended = threading.Event()

    def work() -> None:
        try:
            ask(pool, "sleep-mine", seconds=50, slow=True)
        finally:
            ended.set()

    async def cancelled() -> None:
        if waiting:
            other = asyncio.create_task(in_thread(lambda: ask(pool, "sleep2", slow=True)))
            await asyncio.to_thread(until, lambda: asked(tmp_path))
        task = asyncio.create_task(in_thread(work))
        if waiting:
            await asyncio.sleep(0.3)  # until it waits for its place; nothing can be seen of that
        else:
            await asyncio.to_thread(until, lambda: asked(tmp_path))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(ended.wait, 30), "it went on to its own end"
        if waiting:
            assert not other.done()
            assert (await other).value is not None

    asyncio.run(cancelled())
    assert ("sleep-mine=a" in asked(tmp_path)) is not waiting
    assert equal(pool, "a")


def test_a_thousand_requests_leave_no_process(pool: ChildPool) -> None:
    with ThreadPoolExecutor(16) as threads:
        words = [f"{i}" for i in range(500)] * 2
        assert all(threads.map(lambda word: equal(pool, word, word), words))
    nursery = pool.pid
    assert nursery is not None
    children = Path(f"/proc/{nursery}/task/{nursery}/children").read_text().split()
    assert 1 <= len(children) <= 2
    pool.close()
    for pid in (nursery, *map(int, children)):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
