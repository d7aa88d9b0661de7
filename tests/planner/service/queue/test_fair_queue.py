"""Whose turn it is."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.service.queue import fair_queue
from planner.service.queue.fair_queue import (
    FairQueue,
    QueueError,
    QueueFullError,
    TooManyQuestionsError,
    TurnTimeoutError,
)


class Clock:
    """A clock in place of `time`, which a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fair_queue, "time", clock)
    return clock


async def work(queue: FairQueue, index: int, done: list[int], seconds: float = 0.0) -> None:
    with queue.reserve(1) as reservation:
        async with queue.turn(reservation):
            await asyncio.sleep(seconds)
            done.append(index)


def test_turns_come_in_order_and_so_many_at_once() -> None:
    async def main() -> list[int]:
        queue, done = FairQueue(lambda: 2, 10), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(work(queue, i, done, 0.001)) for i in range(12)]
        await asyncio.sleep(0)
        assert (queue.running, queue.waiting) == (2, 10)
        with pytest.raises(QueueFullError), queue.reserve(1):
            pass
        await asyncio.gather(*tasks)
        assert (queue.running, queue.waiting) == (0, 0)
        return done

    assert asyncio.run(main()) == list(range(12))


def test_who_gives_up_while_waiting_leaves_its_place() -> None:
    async def main() -> None:
        queue, done = FairQueue(lambda: 1, 2), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(work(queue, i, done, 0.01)) for i in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert done == [2]
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


def test_a_place_is_given_back_when_its_own_question_ends() -> None:
    async def main() -> None:
        queue = FairQueue(lambda: 1, 3)
        with queue.reserve(3) as reservation:
            async with queue.turn(reservation):
                assert (queue.running, queue.waiting) == (1, 2)
            assert (queue.running, queue.waiting) == (0, 2)
            with queue.reserve(2):
                assert queue.waiting == 4
                with pytest.raises(QueueFullError), queue.reserve(1):
                    pass
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


def test_how_many_have_a_turn_is_asked_anew() -> None:
    async def main() -> None:
        most = 1
        queue, done = FairQueue(lambda: most, 20), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(work(queue, i, done, 0.01 * (i + 1))) for i in range(12)]
        await asyncio.sleep(0)
        assert (queue.running, queue.waiting, queue.capacity) == (1, 11, 21)
        most = 4
        # Whoever comes goes behind those who wait, of whom some are let in now.
        tasks.append(asyncio.create_task(work(queue, 12, done)))
        await asyncio.sleep(0)
        assert (queue.running, queue.waiting, queue.capacity) == (4, 9, 24)
        most = 2
        await tasks[1]
        assert (queue.running, queue.waiting) == (2, 9)
        for task in tasks[4:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert done == [0, 1, 2, 3]
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


def test_failures_do_not_say_how_long_an_answer_takes(clock: Clock) -> None:
    async def main() -> None:
        queue = FairQueue(lambda: 1, 10)
        for fails in (False, True):
            with contextlib.suppress(OSError), queue.reserve(1) as reservation:
                async with queue.turn(reservation):
                    if fails:
                        raise OSError
                    clock.now += 0.05
        assert queue.retry_after() == pytest.approx(0.05)

    asyncio.run(main())


def test_when_to_ask_again_grows_with_the_queue(clock: Clock) -> None:
    async def main() -> None:
        queue = FairQueue(lambda: 1, 100)
        assert queue.retry_after() == 1.0
        with queue.reserve(1) as reservation:
            async with queue.turn(reservation):
                clock.now += 0.02
        assert queue.retry_after() == pytest.approx(0.02)
        with queue.reserve(9):
            assert queue.retry_after() == pytest.approx(0.2)

    asyncio.run(main())


def test_what_finds_no_room_now_may_come_again_whatever_there_was_room_for() -> None:
    most = 1
    queue = FairQueue(lambda: most, 2)
    for key in (None, 0):
        with pytest.raises(QueueFullError), queue.reserve(4, key):
            pass
    most = 2
    with queue.reserve(4):
        pass


def test_loading_the_models_is_no_part_of_what_an_answer_takes(clock: Clock) -> None:
    async def main() -> None:
        queue = FairQueue(lambda: 1, 8)
        with queue.reserve(1) as reservation:
            async with queue.turn(reservation) as turn:
                clock.now += 0.2  # they are loaded
                queue.start_work(turn)
                clock.now += 0.02
                queue.start_work(turn)
        assert queue.retry_after() == pytest.approx(0.02)

    asyncio.run(main())


def test_once_models_are_there_those_in_line_are_let_in() -> None:
    async def main() -> None:
        most = 1
        queue, done = FairQueue(lambda: most, 8), []  # type: ignore[var-annotated]
        with queue.reserve(1) as reservation:
            async with queue.turn(reservation) as turn:
                others = [asyncio.create_task(work(queue, i, done)) for i in range(3)]
                await asyncio.sleep(0)
                assert (queue.running, queue.waiting) == (1, 3)
                most = 4
                queue.start_work(turn)
                assert (queue.running, queue.waiting) == (4, 0)
                await asyncio.gather(*others)
        assert done == [0, 1, 2]

    asyncio.run(main())


async def request(
    queue: FairQueue, name: str, questions: int, told: list[str], key: int | None = None
) -> None:
    """One request of some questions, each of which takes a moment."""

    async def one() -> None:
        async with queue.turn(reservation):
            told.append(name)
            await asyncio.sleep(0.001)

    with queue.reserve(questions, key) as reservation:
        await asyncio.gather(*(one() for _ in range(questions)))


def test_a_request_of_many_questions_holds_up_nobody() -> None:
    async def main() -> list[str]:
        queue, told = FairQueue(lambda: 2, 100), []  # type: ignore[var-annotated]
        many = asyncio.create_task(request(queue, "many", 40, told))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        few = [asyncio.create_task(request(queue, f"few {i}", 1, told)) for i in range(4)]
        await asyncio.gather(many, *few)
        return told

    told = asyncio.run(main())
    # Both turns were taken; the four come as soon as one of them ends, and many goes on beside.
    assert max(told.index(f"few {i}") for i in range(4)) <= 10
    assert told.count("many") == 40
    assert "many" in told[3:10]


def test_a_key_of_many_requests_holds_up_no_other_key() -> None:
    async def main() -> list[str]:
        queue, told = FairQueue(lambda: 2, 100), []  # type: ignore[var-annotated]
        busy = [asyncio.create_task(request(queue, "busy", 1, told, 0)) for _ in range(40)]
        await asyncio.sleep(0)
        other = asyncio.create_task(request(queue, "other", 3, told, 1))
        await asyncio.gather(*busy, other)
        return told

    told = asyncio.run(main())
    assert [index for index, name in enumerate(told) if name == "other"][-1] <= 9


def test_a_key_gets_its_share_of_the_places_and_no_more() -> None:
    async def main() -> None:
        queue = FairQueue(lambda: 2, 8, max_per_key=4)
        with queue.reserve(3, key=0):
            with pytest.raises(QueueFullError), queue.reserve(2, key=0):
                pass
            with queue.reserve(4, key=1):
                assert queue.waiting == 7
        with pytest.raises(TooManyQuestionsError), queue.reserve(5, key=0):
            pass
        with queue.reserve(4, key=0):
            pass

    asyncio.run(main())


def test_a_busy_key_does_not_lock_another_out() -> None:
    queue = FairQueue(lambda: 1, 4, keys=2)
    with contextlib.ExitStack() as busy:
        for _ in range(4):
            busy.enter_context(queue.reserve(1, key=0))
        with pytest.raises(QueueFullError), queue.reserve(1, key=0):
            pass
        with queue.reserve(1, key=1):
            assert queue.waiting == 5
            with pytest.raises(QueueFullError, match="the queue is full"), queue.reserve(1, key=1):
                pass


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 8), st.booleans()), max_size=40),
    st.integers(2, 6),
    st.integers(1, 4),
    st.integers(0, 60),
)
def test_every_key_gets_its_first_questions_in(
    asked: list[tuple[int, int, bool]], keys: int, concurrency: int, room: int
) -> None:
    """Whatever others hold. Nobody holds more than there is, and one key alone half the room."""
    queue = FairQueue(lambda: concurrency, room, keys=keys)
    with contextlib.ExitStack() as alone:
        for _ in range(concurrency + room // 2):
            alone.enter_context(queue.reserve(1, key=0))
    first = max(1, room // 2 // keys) if keys <= (room + 1) // 2 + 1 else 0
    held: Counter[int] = Counter()
    with contextlib.ExitStack() as all_of_them:
        going: list[tuple[int, int, contextlib.ExitStack]] = []
        for key, questions, ends in asked:
            if ends and going:
                one, number, stack = going.pop(0)
                stack.close()
                held[one] -= number
            with contextlib.suppress(QueueError), contextlib.ExitStack() as stack:
                stack.enter_context(queue.reserve(questions, key % keys))
                going.append((key % keys, questions, stack.pop_all()))
                all_of_them.push(going[-1][2])
                held[key % keys] += questions
            assert queue.waiting == held.total() <= queue.capacity
            for one in range(keys):
                if held[one] < first:
                    with queue.reserve(first - held[one], one):
                        pass
    assert queue.waiting == 0


def test_a_turn_that_does_not_come_in_time() -> None:
    async def main() -> None:
        queue, told = FairQueue(lambda: 1, 8), []  # type: ignore[var-annotated]
        first = asyncio.create_task(work(queue, 0, told, 0.2))
        await asyncio.sleep(0)
        with queue.reserve(1) as reservation:
            with pytest.raises(TurnTimeoutError) as refused:
                async with queue.turn(reservation, timeout=0.01):
                    told.append(1)
            assert refused.value.retry_after > 0
        await first
        assert told == [0]
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_nothing_is_left(
    requests: list[tuple[int, int]], concurrency: int, chance: random.Random
) -> None:
    """Never more turns than allowed; all that stays is answered once; all places come back."""

    async def main() -> None:
        queue, told = FairQueue(lambda: concurrency, 100), []  # type: ignore[var-annotated]
        tasks = [
            asyncio.create_task(request(queue, str(index), questions, told, key))
            for index, (questions, key) in enumerate(requests)
        ]
        going = [task for task in tasks if chance.random() < 0.3]
        for task in going:
            await asyncio.sleep(chance.choice([0, 0, 0.001]))
            assert queue.running <= concurrency
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        counted = Counter(told)
        for index, (task, (questions, _)) in enumerate(zip(tasks, requests, strict=True)):
            if not task.cancelled():
                assert counted[str(index)] == questions
        assert (queue.running, queue.waiting) == (0, 0)
        with queue.reserve(queue.capacity):  # all of them are free
            pass

    asyncio.run(main())
