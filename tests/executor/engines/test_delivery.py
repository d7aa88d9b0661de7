"""What the engines send arrives: all of it, in order, with one wake-up a step."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable

import pytest

from executor.engines.delivery import Delivery, Outbox
from executor.errors import EngineError


class Loop(asyncio.SelectorEventLoop):
    """An event loop that counts how often other threads woke it."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def call_soon_threadsafe(self, *arguments: object, **options: object) -> asyncio.Handle:
        self.woken += 1
        return super().call_soon_threadsafe(*arguments, **options)  # type: ignore[arg-type]


def from_thread(loop: Loop, work: Callable[[], None]) -> None:
    """Run `work` in another thread, then what it sent to the loop."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_what_is_gathered_arrives_in_order_with_one_wake_up() -> None:
    loop, outbox, seen = Loop(), Outbox(), list[int]()

    def step() -> None:
        outbox.open()
        for number in range(5):
            outbox.put(loop, functools.partial(seen.append, number))
        assert loop.woken == 0
        outbox.flush()

    from_thread(loop, step)
    assert (seen, loop.woken) == ([0, 1, 2, 3, 4], 1)
    loop.close()


def test_outside_a_step_and_from_other_threads_it_is_sent_at_once() -> None:
    loop, outbox, seen = Loop(), Outbox(), list[str]()

    def step() -> None:
        outbox.put(loop, functools.partial(seen.append, "before"))
        outbox.open()
        other = threading.Thread(target=outbox.put, args=(loop, lambda: seen.append("beside")))
        other.start()
        other.join()
        assert loop.woken == 2
        outbox.flush()

    from_thread(loop, step)
    assert seen == ["before", "beside"]
    loop.close()


def test_a_closed_loop_wants_nothing_and_the_others_get_theirs() -> None:
    closed, loop, outbox, seen = Loop(), Loop(), Outbox(), list[str]()
    closed.close()

    def step() -> None:
        outbox.open()
        outbox.put(closed, functools.partial(seen.append, "nobody"))
        outbox.put(loop, functools.partial(seen.append, "somebody"))
        outbox.flush()

    from_thread(loop, step)
    assert seen == ["somebody"]
    loop.close()


def test_a_delivery_ends_once_and_its_first_end_counts() -> None:
    async def ends(*errors: BaseException) -> None:
        delivery = Delivery(asyncio.get_running_loop())
        thread = threading.Thread(target=lambda: [delivery.fail(error) for error in errors])
        thread.start()
        thread.join()
        await delivery.done

    with pytest.raises(EngineError, match="first"):
        asyncio.run(ends(EngineError("first"), EngineError("second")))
