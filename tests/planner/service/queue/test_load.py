"""500 requests at once against a bounded queue, and what is left of them afterwards."""

from __future__ import annotations

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from executor.policies.simulated import reference_answer
from planner.service.http.request_handler import Exchange
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import Served, chat, in_process, serving, until
from tests.planner.service.conftest import Answering

AT_ONCE = 500
ROUNDS = 3


async def ask(served: Served, text: str) -> httpx.Response:
    """One request on a connection of its own; httpx would take longer than the server."""
    body = json.dumps(chat(text)).encode()
    host, port = served.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    said, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = said.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=headers, content=content)


async def storm(served: Served, round_: int) -> list[tuple[str, httpx.Response]]:
    """Different questions, all at once, and what came back for each."""
    questions = [f"round {round_}, {index}: what is x?" for index in range(AT_ONCE)]
    asked = (ask(served, text) for text in questions)
    return list(zip(questions, await asyncio.gather(*asked), strict=True))


def resident() -> int:
    """Bytes of this process in memory."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line
    )
    return 1024 * int(line.split()[1])


@pytest.fixture
def frozen() -> Iterator[None]:
    """Objects that are there already are left out of the search for those that stay."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def left_exchanges() -> list[Exchange]:
    """The requests that are still in memory."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, Exchange)]


@pytest.mark.usefixtures("frozen")
def test_500_at_once_against_a_bounded_queue(make_answerer: Answering) -> None:
    answerer = make_answerer(p=1.0, latency=0.05)
    with serving(answerer, ServiceSettings(concurrency=16, queue=100)) as served:
        statuses: Counter[int] = Counter()
        for round_ in range(ROUNDS):
            for question, response in asyncio.run(storm(served, round_)):
                statuses[response.status_code] += 1
                if response.status_code == 200:
                    (choice,) = response.json()["choices"]
                    # Its own answer, and nobody else's.
                    assert reference_answer(question) in choice["message"]["content"]
                else:
                    assert int(response.headers["retry-after"]) >= 1
                    assert response.json()["error"]["code"] == "queue_full"
            if round_ == 0:
                before = resident()
        assert set(statuses) == {200, 429}
        assert statuses.total() == ROUNDS * AT_ONCE
        assert statuses[200] >= ROUNDS * 116  # all that it has places for
        # A client has its response a moment before the server is done with the request.
        state = served.server.server_state
        until(lambda: not state.tasks and not state.connections)
        until(lambda: not left_exchanges())
        # Nothing was answered twice, or for nobody.
        answered = 'apportion_answers_total{difficulty="all",strategy="majority"}'
        assert served.metric(answered) == statuses[200] == answerer.policy.calls
        assert served.handler.queue.waiting == served.handler.queue.running == 0
        assert resident() - before < 64 << 20


def test_questions_of_one_request_are_let_in_together_or_not(make_answerer: Answering) -> None:
    with (
        in_process(make_answerer(), ServiceSettings(concurrency=2, queue=2)) as served,
        served.client() as client,
    ):
        body = {"model": served.handler.answerer.model, "prompt": ["a?"] * 4}
        assert len(client.post("/v1/completions", json=body).json()["choices"]) == 4
        refused = client.post("/v1/completions", json=body | {"prompt": ["a?"] * 5})
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "prompt"
        assert served.handler.queue.waiting == served.handler.queue.running == 0
