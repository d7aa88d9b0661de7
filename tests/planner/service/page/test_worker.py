"""Work beside the event loop: the loop goes on, one piece at a time, and no endless queue."""

from __future__ import annotations

import asyncio
import threading

import pytest

from planner.service.page import worker
from planner.service.page.worker import BusyError, SerialWorker


def test_the_loop_goes_on_while_something_is_worked_out() -> None:
    free = threading.Event()

    async def work() -> bool:
        asked = asyncio.create_task(SerialWorker().ask(free.wait, 30))
        await asyncio.sleep(0.01)  # were the loop blocked, nobody would ever set the event
        assert not asked.done()
        free.set()
        return await asked

    assert asyncio.run(work())


def test_one_thing_is_worked_out_at_a_time() -> None:
    busy = threading.Lock()

    def alone() -> bool:
        got = busy.acquire(blocking=False)
        threading.Event().wait(0.002)
        if got:
            busy.release()
        return got

    async def many() -> list[bool]:
        one = SerialWorker()
        return await asyncio.gather(*(one.ask(alone) for _ in range(10)))

    assert asyncio.run(many()) == [True] * 10


def test_who_comes_when_too_many_wait_is_sent_away_and_may_come_again() -> None:
    free = threading.Event()

    async def crowd() -> None:
        one = SerialWorker()
        waiting = [asyncio.create_task(one.ask(free.wait, 30)) for _ in range(worker._MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="ask again"):
            await one.ask(free.wait)
        free.set()
        await asyncio.gather(*waiting)
        assert await one.ask(lambda: 7) == 7

    asyncio.run(crowd())


def test_an_error_is_the_askers() -> None:
    async def ask() -> None:
        one = SerialWorker()
        with pytest.raises(ZeroDivisionError):
            await one.ask(lambda: 1 // 0)
        assert await one.ask(lambda: 7) == 7

    asyncio.run(ask())
