"""The queue and the body's limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from executor.errors import InputError
from planner.service.faults import RequestError
from planner.service.limits import Queue
from planner.service.settings import Settings
from tests.planner.service.conftest import Answering
from tests.planner.service.served import chat, serving


async def work(queue: Queue, index: int, done: list[int], seconds: float = 0.0) -> None:
    with queue.places(1) as places:
        async with queue.turn(places):
            await asyncio.sleep(seconds)
            done.append(index)


def test_turns_come_in_order_and_so_many_at_once() -> None:
    async def main() -> list[int]:
        queue, done = Queue(2, 10), []  # type: ignore[var-annotated]
        tasks = [asyncio.create_task(work(queue, i, done, 0.001)) for i in range(12)]
        await asyncio.sleep(0)
        assert (queue.running, queue.waiting) == (2, 10)
        with pytest.raises(RequestError) as refused, queue.places(1):
            pass
        assert refused.value.status == 429
        await asyncio.gather(*tasks)
        assert (queue.running, queue.waiting) == (0, 0)
        return done

    assert asyncio.run(main()) == list(range(12))


def test_who_gives_up_while_waiting_leaves_its_place() -> None:
    async def main() -> None:
        queue, done = Queue(1, 2), []  # type: ignore[var-annotated]
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
        queue = Queue(1, 3)
        with queue.places(3) as places:
            async with queue.turn(places):
                assert (queue.running, queue.waiting) == (1, 2)
            assert (queue.running, queue.waiting) == (0, 2)
            with queue.places(2):
                assert queue.waiting == 4
                with pytest.raises(RequestError), queue.places(1):
                    pass
        assert (queue.running, queue.waiting) == (0, 0)

    asyncio.run(main())


def test_failures_do_not_say_how_long_an_answer_takes() -> None:
    async def main() -> None:
        queue = Queue(1, 10)
        for fails in (False, True):
            with contextlib.suppress(OSError), queue.places(1) as places:
                async with queue.turn(places):
                    if fails:
                        raise OSError
                    await asyncio.sleep(0.05)
        assert queue.retry_after() >= 0.05

    asyncio.run(main())


def test_when_to_ask_again_grows_with_the_queue() -> None:
    async def main() -> None:
        queue, done = Queue(1, 100), []  # type: ignore[var-annotated]
        assert queue.retry_after() == 1.0
        await work(queue, 0, done, 0.02)
        alone = queue.retry_after()
        assert 0.02 <= alone < 0.1
        with queue.places(9):
            assert queue.retry_after() == pytest.approx(10 * alone)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("field", "value"), [("concurrency", 0), ("queue", -1), ("max_body", 0), ("drain_seconds", -1)]
)
def test_settings_that_cannot_be(field: str, value: int) -> None:
    with pytest.raises(InputError, match=field.replace("_", "-")):
        Settings(**{field: value})  # type: ignore[arg-type]


def test_a_body_that_is_too_large(make_answerer: Answering) -> None:
    with serving(make_answerer(), Settings(max_body=1000)) as served, served.client() as client:
        told = client.post("/v1/chat/completions", json=chat("x" * 1000))
        assert told.status_code == 413 and told.json()["error"]["code"] == "request_too_large"

        def pieces() -> object:
            for _ in range(100):
                yield b" " * 100

        headers = {"content-type": "application/json"}
        chunked = client.post("/v1/chat/completions", content=pieces(), headers=headers)  # type: ignore[arg-type]
        assert chunked.status_code == 413
        assert client.post("/v1/chat/completions", json=chat("x" * 100)).status_code == 200


def test_a_body_that_does_not_come(make_answerer: Answering) -> None:
    with serving(make_answerer(), Settings(body_seconds=0.1)) as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as client:
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                b"content-length: 100\r\n\r\n{"
            )
            assert client.recv(4096).startswith(b"HTTP/1.1 408 ")


def test_only_json_is_read(make_answerer: Answering) -> None:
    with serving(make_answerer()) as served, served.client() as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            told = client.post("/v1/completions", content=b"{}", headers={"content-type": kind})
            assert told.status_code == 415 and told.json()["error"]["message"]
