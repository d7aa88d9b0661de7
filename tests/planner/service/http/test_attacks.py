"""Requests made to stall the server, to make it fail, or to fill its log."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from executor.answers.grader import MathGrader
from planner.service.http.faults import RequestError
from planner.service.http.parsing import parse_request
from planner.service.http.requests import ChatRequest, CompletionRequest
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, InProcess, chat, in_process, until
from tests.planner.service.answering.test_planned import EASY, plan_of, service_of
from tests.planner.service.conftest import Answering

PATH = "/v1/chat/completions"


# The Host header


@pytest.fixture(scope="module")
def local(make_answerer: Answering) -> Iterator[InProcess]:
    with in_process(make_answerer(p=1.0), ServiceSettings(local_only=True)) as running:
        yield running


HERE = (
    "localhost", "LOCALHOST:8080", "localhost:", "127.0.0.1", "127.0.0.1:8080", "127.8.9.10:1",
    "[::1]", "[::1]:8080",
)  # fmt: skip
ELSEWHERE = (
    "2130706433", "2130706433:8080", "127.1", "0x7f000001", "0177.0.0.1", "017700000001", "", ":",
    ":8080", "::1", "[::1", "::1]", "[]", "[::]", "[:]:8", "[[::1]]", "0", "0.0.0.0", "8080",
    "localhost:80:80", "localhost:8080x", "localhost:-1", "localhost.evil.example", "evil.example",
    "evil@localhost", "localhost@evil", "localhost/", "localhost\\", "127.0.0.1.", "a" * 10_000,
    "\xb2", "localhost:\xb2", "127.0.0.\xb9", "\xff\xfe", "[fe80::1%lo]", "localhost, localhost",
    "1" * 5000, ":" * 5000, "[" * 5000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("host", "status"), [(host, 200) for host in HERE] + [(host, 403) for host in ELSEWHERE]
)
def test_a_host_is_this_machine_or_not(local: InProcess, host: str, status: int) -> None:
    with local.client() as client:
        told = client.get("/healthz", headers={"host": host.encode("latin-1")})
    assert told.status_code == status
    assert not local.events("failed")


# Time limits


@pytest.fixture(scope="module")
def planned(grader: MathGrader) -> Iterator[InProcess]:
    settings = ServiceSettings(constraint=plan_of().constraint, max_body=1 << 22)
    with in_process(service_of(grader).answerer, settings) as running:
        until(lambda: running.events("ready"))
        yield running


@pytest.mark.parametrize("more", ["", ',"stream":true', ',"n":3', ',"strategy":"greedy"'])
@pytest.mark.parametrize(
    "seconds",
    ["1e-9", "1e-300", "1e-323", "5e-324", "0", "-0.0", "-1", "-1e308", "NaN", "Infinity", "1e999",
     "0.000999", '"1"', "true", "[]", "1" * 5000],
)  # fmt: skip
def test_a_time_limit_out_of_range_is_refused(planned: InProcess, seconds: str, more: str) -> None:
    body = json.dumps(chat(EASY.text))[:-1] + f',"max_seconds":{seconds}{more}}}'
    with planned.client() as client:
        headers = {"content-type": "application/json"}
        told = client.post(PATH, content=body, headers=headers)
    assert told.status_code == 400
    assert "\n" not in told.json()["error"]["message"]


@pytest.mark.parametrize("seconds", [0.001, 0.002, 0.004, 1e300])
def test_a_short_time_limit_writes_no_error_lines(
    planned: InProcess, caplog: pytest.LogCaptureFixture, seconds: float
) -> None:
    with planned.client() as client, caplog.at_level(logging.WARNING):
        told = client.post(PATH, json=chat(EASY.text, max_seconds=seconds))
    assert told.status_code == 200 or told.json()["error"]["code"] == "deadline_exceeded"
    assert not caplog.records
    assert {json.loads(line)["level"] for line in planned.text.splitlines()} == {"info"}


# Bodies that take long to read


MEGABYTE = 1 << 20
USER = {"role": "user", "content": "a"}
LARGE: dict[str, tuple[Any, dict[str, Any]]] = {
    "empty messages": (ChatRequest, {"messages": [{}] * (MEGABYTE // 3)}),
    "numbers as messages": (ChatRequest, {"messages": [0] * (MEGABYTE // 2)}),
    "numbers as parts": (
        ChatRequest, {"messages": [{"role": "user", "content": [0] * (MEGABYTE // 2)}]},
    ),
    "negative token ids": (CompletionRequest, {"prompt": [-1] * (MEGABYTE // 3)}),
    "no prompts": (CompletionRequest, {"prompt": [None] * (MEGABYTE // 5)}),
    "prompts of no ids": (CompletionRequest, {"prompt": [[]] * (MEGABYTE // 3)}),
    "numbers as stops": (CompletionRequest, {"prompt": "a", "stop": [0] * (MEGABYTE // 2)}),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "fields"), LARGE.values(), ids=LARGE)
def test_a_large_wrong_body_is_refused_at_once(kind: Any, fields: dict[str, Any]) -> None:
    """Ten seconds went into errors of which one was told."""
    body = json.dumps({"model": MODEL} | fields).encode()
    began = time.process_time()
    with pytest.raises(RequestError) as caught:
        parse_request(kind, body)
    assert caught.value.status == 400
    assert time.process_time() - began < 4.0


# Long conversations


def ask(client: httpx.Client, messages: list[dict[str, str]]) -> httpx.Response:
    return client.post(PATH, json={"model": "simulated-policy", "messages": messages})


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "a " * 500_000}, USER],
        [{"role": "user", "content": "a " * 250_000}, {"role": "assistant", "content": "b"}, USER],
        [*[USER, {"role": "assistant", "content": "b" * 400}] * 1000, USER],
        [{"role": "user", "content": "a " * 500_000}],
    ],
    ids=["system", "history", "turns", "question"],
)
def test_what_cannot_fit_is_refused_before_its_tokens_are_counted(
    planned: InProcess, messages: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = planned.handler.answerer._executor.policy

    def count(*_: object) -> list[int]:
        raise AssertionError("the tokens were counted")

    monkeypatch.setattr(policy, "prompt", count)
    with planned.client() as client:
        told = ask(client, messages)
    assert told.status_code == 400
    assert told.json()["error"]["code"] == "context_length_exceeded"


def test_a_long_history_is_read_beside_the_event_loop(
    planned: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = planned.handler.answerer._executor.policy
    counted: list[str] = []

    def slow(*_: object) -> list[int]:
        counted.append("began")
        time.sleep(0.5)
        counted.append("ended")
        return [1] * 10_000

    monkeypatch.setattr(policy, "prompt", slow)
    history = [USER, {"role": "assistant", "content": "b"}] * 40
    done: list[httpx.Response] = []
    with planned.client() as client:
        asking = threading.Thread(target=lambda: done.append(ask(client, [*history, USER])))
        asking.start()
        until(lambda: counted)
        assert client.get("/healthz").status_code == 200
        assert counted == ["began"]
        asking.join()
    assert done[0].status_code == 400
