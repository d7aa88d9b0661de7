"""Work for a client that may go away: who waits is woken, and nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest
from starlette.types import Message

from planner.service.http.client_task import ClientTask
from planner.service.http.faults import ClientGoneError


async def silent() -> Message:
    """A client that stays and says nothing."""
    await asyncio.Event().wait()
    raise AssertionError


async def gone() -> Message:
    """A client that has gone."""
    return {"type": "http.disconnect"}


async def never() -> int:
    await asyncio.Event().wait()
    return 0


def test_the_result_is_what_the_work_returns() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def main() -> int:
        async with ClientTask(work(), silent) as attended:
            return await attended.result()

    assert asyncio.run(main()) == 7


def test_what_the_work_raises_is_raised() -> None:
    async def work() -> int:
        raise LookupError

    async def main() -> None:
        async with ClientTask(work(), silent) as attended:
            await attended.result()

    with pytest.raises(LookupError):
        asyncio.run(main())


def test_when_the_client_has_gone_the_work_is_cancelled() -> None:
    ended = []

    async def work() -> int:
        try:
            return await never()
        finally:
            ended.append(True)

    async def main() -> None:
        async with ClientTask(work(), gone) as attended:
            await attended.result()

    with pytest.raises(ClientGoneError):
        asyncio.run(main())
    assert ended == [True]


def test_nothing_is_left_of_work_that_never_began() -> None:
    async def main() -> None:
        async with ClientTask(never(), silent):
            raise LookupError

    gc.collect()  # what earlier tests have left
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(LookupError):
            asyncio.run(main())
        gc.collect()  # a coroutine that was never awaited says so when it goes
    assert not [one for one in told if "never awaited" in str(one.message)]


def test_who_waits_goes_on_in_the_turn_after_the_work_has_ended() -> None:
    async def main() -> int:
        loop, turns = asyncio.get_running_loop(), 0

        def count() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(count)

        async def work() -> int:
            await asyncio.sleep(0.01)
            loop.call_soon(count)
            return 0

        async with ClientTask(work(), silent) as attended:
            await attended.result()
            return turns

    assert asyncio.run(main()) <= 1
