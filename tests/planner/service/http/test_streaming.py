"""Streams: progress that no client trips over, then the chosen answer, word by word."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from executor.ledger import Ledger
from executor.policies.simulated import SimulatedPolicy, reference_answer
from executor.strategy import Greedy
from planner.service.answering.answerer import Query, QueryProgress, QueryResult, ReportProgress
from planner.service.answering.simulated import SimulatedAnswerer
from planner.service.http import streaming
from planner.service.http.client_task import ClientTask
from planner.service.http.requests import MAX_N, CompletionRequest
from planner.service.http.response_formats import TEXT_FORMAT, CompletionWriter
from planner.service.http.settings import ServiceSettings
from planner.service.http.streaming import LatestProgress, send_events
from planner.service.http.writing import split_words
from tests.helpers.served_app import MODEL, chat, in_process
from tests.planner.service.conftest import Answering

PATH = "/v1/chat/completions"


class Talkative(SimulatedAnswerer):
    """Reports a thousand times on the way."""

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        for stage in ("probing", "searching"):
            for tokens in range(500):
                progress(QueryProgress(stage, tokens, None, None))
                await asyncio.sleep(0.001)
        return await super().answer(query, progress)


def events(response: httpx.Response) -> tuple[list[str], list[Any]]:
    """Comments, and the records of the events."""
    assert response.headers["content-type"].startswith("text/event-stream")
    parts = response.text.removesuffix("\n\n").split("\n\n")
    assert parts.pop() == "data: [DONE]"
    comments = [part[2:] for part in parts if part.startswith(": ")]
    records = [json.loads(part[6:]) for part in parts if part.startswith("data: ")]
    assert len(comments) + len(records) == len(parts)
    return comments, records


@given(st.text())
def test_pieces_make_up_the_text(text: str) -> None:
    pieces = split_words(text)
    assert "".join(pieces) == text
    assert all(pieces)


def test_progress_is_told_in_comments(make_answerer: Answering) -> None:
    with in_process(make_answerer(latency=0.5)) as served, served.client() as client:
        comments, records = events(client.post(PATH, json=chat(stream=True)))
    progress = json.loads(comments[0].removeprefix("apportion "))
    assert progress == {
        "stage": "searching", "generated_tokens": 0, "strategy": "majority", "difficulty": None,
    }  # fmt: skip
    assert all(record["choices"] for record in records)


def test_a_stream_says_what_was_run_whether_asked_or_not(make_answerer: Answering) -> None:
    with in_process(make_answerer(p=1.0)) as served, served.client() as client:
        for more in ({}, {"explain": True}, {"stream_options": {"include_usage": True}}):
            body = chat("what is x?", stream=True, n=2, **more)
            _, records = events(client.post(PATH, json=body))
            if "stream_options" in more:
                usage = records.pop()
                assert usage["choices"] == [] and "apportion" not in usage
            *answer, last = records
            assert all(record["choices"] and "apportion" not in record for record in answer)
            assert last["choices"][0]["finish_reason"] == "stop"
            (told,) = last["apportion"]
            assert told["strategy"]["name"] == "majority" and told["id"] == last["id"]
            assert told["answer"] == reference_answer("what is x?")


def test_of_several_prompts_a_stream_says_what_was_run_for_each(make_answerer: Answering) -> None:
    with in_process(make_answerer(p=1.0)) as served, served.client() as client:
        body = {"model": MODEL, "prompt": ["what is x?", "what is y?"], "stream": True}
        _, records = events(client.post("/v1/completions", json=body))
    told = records[-1]["apportion"]
    assert [one["id"] for one in told] == [f"{records[-1]['id']}-{index}" for index in range(2)]
    assert [one["answer"] for one in told] == [reference_answer(f"what is {i}?") for i in "xy"]


def test_only_who_asks_gets_progress_as_chunks(make_answerer: Answering) -> None:
    with in_process(make_answerer(latency=0.5)) as served, served.client() as client:
        comments, records = events(client.post(PATH, json=chat(stream=True, progress=True)))
        explained, others = events(client.post(PATH, json=chat(stream=True, explain=True)))
    assert not comments
    first, *answer = records
    assert first["choices"] == [] and first["apportion"]["progress"]["stage"] == "searching"
    assert all(record["choices"] for record in answer)
    assert explained and all(record["choices"] for record in others)


@pytest.mark.long
def test_a_search_that_reports_much_is_told_of_little(make_answerer: Answering) -> None:
    answerer = make_answerer()
    talkative = Talkative(answerer.policy, answerer._executor.grader)
    with in_process(talkative) as served, served.client() as client:
        response = client.post(PATH, json=chat(stream=True))
    comments, _ = events(response)
    told = [json.loads(comment.removeprefix("apportion ")) for comment in comments]
    assert {one["stage"] for one in told} >= {"probing", "searching"}
    # About ten a second of the thousand reports, and always a newer one.
    assert len(told) < 10 * response.elapsed.total_seconds() + 10
    order = [(one["stage"], one["generated_tokens"]) for one in told]
    assert order[:-1] == sorted(order[:-1])


def test_a_silent_stream_says_that_it_is_alive(make_answerer: Answering) -> None:
    answerer = make_answerer(latency=1.0)
    with in_process(answerer, ServiceSettings(heartbeat=0.1)) as served, served.client() as client:
        response = client.post(PATH, json=chat(stream=True))
    comments, records = events(response)
    assert 2 <= comments.count("alive") <= 10 * response.elapsed.total_seconds()
    assert records


def test_a_fault_before_the_first_event_is_a_plain_response(
    make_answerer: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However slow the machine is: progress would be the first event.
    monkeypatch.setattr(streaming, "_HOLD_SECONDS", 60.0)
    with in_process(make_answerer(faults={1})) as served, served.client() as client:
        told = client.post(PATH, json=chat(stream=True))
    assert told.status_code == 503
    assert told.headers["content-type"] == "application/json"


def test_a_long_answer_arrives_whole(make_answerer: Answering) -> None:
    policy = SimulatedPolicy(depth=300, p=1.0, max_context=200_000)
    answerer = SimulatedAnswerer(policy, make_answerer()._executor.grader)
    with in_process(answerer) as served, served.client() as client:
        body = chat("long?", strategy="greedy", max_tokens=8192)
        whole = client.post(PATH, json=body).json()
        _, records = events(client.post(PATH, json=body | {"stream": True}))
    text = "".join(record["choices"][0]["delta"].get("content", "") for record in records)
    assert text == whole["choices"][0]["message"]["content"]
    assert len(text) > 7000


@pytest.mark.long
def test_a_stream_of_many_chunks_holds_few_of_them_and_up_nobody() -> None:
    texts = tuple(f"{index} " + "word " * 200 for index in range(MAX_N))
    answered = QueryResult(
        texts, ("stop",) * len(texts), None, Greedy(), "all", None, None, Ledger(), 0.0, {}, (), {}
    )
    asked = CompletionRequest(model=MODEL, prompt="what is x?", n=len(texts), stream=True)
    parts: list[tuple[int, int]] = []
    turns = 0

    async def send(message: Message) -> None:
        """As of a client that reads all at once: it waits for nothing."""
        parts.append((len(message.get("body", b"")), turns))

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def answer() -> tuple[QueryResult, ...]:
        return (answered,)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        task = asyncio.create_task(others())
        async with ClientTask(answer(), receive) as work:
            tracemalloc.start()
            await send_events(
                CompletionWriter(TEXT_FORMAT, "id", asked, MODEL),
                work,
                LatestProgress(),
                send,
                heartbeat=60.0,
                on_failure=repr,
            )
            assert tracemalloc.get_traced_memory()[1] < 2 << 20  # all of them are more
            tracemalloc.stop()
        task.cancel()

    asyncio.run(main())
    sizes, seen = zip(*parts, strict=True)
    assert sum(sizes) > 4 << 20 and max(sizes) < 64 << 10
    assert seen[-1] >= len(texts) * 200 // 64
