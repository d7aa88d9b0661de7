"""Virtual time: timers fire in order and at once, and threads hold the clock."""

from __future__ import annotations

import asyncio
import time

import pytest

from executor.testing import virtual_time


def test_an_hour_passes_at_once_and_to_the_second() -> None:
    async def hour() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(3600)
        return loop.time() - began

    began = time.monotonic()
    assert virtual_time.run(hour()) == pytest.approx(3600)
    assert time.monotonic() - began < 60


def test_what_is_due_first_comes_first() -> None:
    order: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await asyncio.sleep(seconds)
        order.append(name)

    async def race() -> None:
        await asyncio.gather(after(3, "c"), after(1, "a"), after(2, "b"))

    virtual_time.run(race())
    assert order == ["a", "b", "c"]


def test_slow_code_uses_up_no_timeout() -> None:
    async def work() -> str:
        async with asyncio.timeout(0.01):
            time.sleep(0.03)
            await asyncio.sleep(0)
            await asyncio.sleep(0.009)
        return "in time"

    assert virtual_time.run(work()) == "in time"


def test_a_timeout_expires_before_what_sleeps_longer() -> None:
    async def work() -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(2)

    with pytest.raises(TimeoutError):
        virtual_time.run(work())


def test_the_clock_waits_for_a_thread() -> None:
    async def work() -> str:
        async with asyncio.timeout(0.001):
            return await asyncio.to_thread(lambda: time.sleep(0.05) or "done")

    assert virtual_time.run(work()) == "done"
