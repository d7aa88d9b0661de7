"""Requests that are wrong in every way there is: each is refused as such, and the server lives."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.types import Receive, Scope, Send

from tests.helpers.served_app import MODEL, InProcess, Served, chat, in_process, serving
from tests.planner.service.conftest import Answering

SAMPLE = 200
PATHS = ("/v1/chat/completions", "/v1/completions")
WHOLE = {
    PATHS[0]: chat(),
    PATHS[1]: {"model": MODEL, "prompt": "what is x?"},
}
# What each field cannot be; a string is as wrong for a number as the other way round.
WRONG: dict[str, list[Any]] = {
    "model": [None, 3, [], {}, "other"],
    "max_tokens": [0, -1, 1.5, "9", [], True, 10**30],
    "n": [0, -1, 129, "2", 1.5, {}],
    "seed": ["a", 1.5, 2**63, []],
    "stop": [3, [3], ["a"] * 17, "", {"a": 1}],
    "stream": ["yes", 2, []],
    "stream_options": [3, {"no": 1}, []],
    "top_k": [40, "1"],
    "temperature": [-0.1, 2.1, "hot", [], float("nan"), float("inf")],
    "top_p": [-0.1, 1.5, "1"],
    "frequency_penalty": [1, "a"],
    "logit_bias": [{"1": 1}, 3],
    "budget": [0, -4, 1.5, "many", 10**9],
    "target_accuracy": [0, 1.1, "good", float("nan")],
    "max_seconds": [0, -1, "soon", float("inf")],
    "max_usd": [0, -1, []],
    "strategy": ["none", "", "dvts(n=3)", 3, {}, {"name": "majority", "n": []},
                 {"name": "best_of_n", "n": 4, "score": {}}, "majority(n=" + "9" * 5000 + ")"],
    "explain": ["yes", 3],
    "unheard_of": [1, None],
    "": [1],
}  # fmt: skip
WRONG_CHAT: dict[str, list[Any]] = {
    "messages": [None, [], "hi", [3], [{}], [{"role": "user"}], [{"role": "tool", "content": "x"}],
                 [{"role": "user", "content": 3}], [{"role": "user", "content": " "}],
                 [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
                 [{"role": "assistant", "content": "so"}],
                 [{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}]],
    "tools": [[{}], 3, [{"type": 3}]],
    "tool_choice": ["required", {"type": "function", "function": {"name": "f"}}, 3],
    "response_format": [{"type": "json_object"}, 3, {"type": "xml"}, {"type": "json_schema"}],
    "logprobs": [True, 3],
}  # fmt: skip
WRONG_PLAIN: dict[str, list[Any]] = {
    "prompt": [None, "", [], [""], [[]], [-1], [1.5], ["a", 3], [[1], "a"], {}, [2**31], [0x110000],
               [[0xD800]]],
    "echo": [True],
    "best_of": [4],
    "suffix": ["end"],
}  # fmt: skip


@pytest.fixture(scope="module")
def served(make_answerer: Answering) -> Iterator[InProcess]:
    with in_process(make_answerer(p=1.0)) as running:
        yield running


@pytest.fixture(scope="module")
def socket_served(make_answerer: Answering) -> Iterator[Served]:
    with serving(make_answerer(p=1.0)) as running:
        yield running


@pytest.fixture(scope="module")
def client(served: InProcess) -> Iterator[httpx.Client]:
    with served.client() as made:
        yield made


@st.composite
def malformed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A path, and a body that is surely wrong there."""
    path = draw(st.sampled_from(PATHS))
    kind = draw(st.sampled_from(("bytes", "json", "cut", "field", "fields")))
    if kind == "bytes":
        return path, draw(st.binary(max_size=200))  # no eight of its bytes are a request
    if kind == "json":
        leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
        nested = st.recursive(
            leaves,
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(st.text(max_size=8), inner, max_size=4)
            ),
            max_leaves=12,
        )
        return path, json.dumps(draw(nested)).encode()
    body = json.dumps(WHOLE[path]).encode()
    if kind == "cut":
        return path, body[: draw(st.integers(0, len(body) - 1))]
    wrong = WRONG | (WRONG_CHAT if path == PATHS[0] else WRONG_PLAIN)
    names = draw(st.lists(st.sampled_from(sorted(wrong)), min_size=1, unique=True,
                          max_size=1 if kind == "field" else 5))  # fmt: skip
    record = WHOLE[path] | {name: draw(st.sampled_from(wrong[name])) for name in names}
    return path, json.dumps(record).encode()


def test_malformed_requests(served: InProcess, client: httpx.Client) -> None:
    """A sample; `bench/serve_faults.py` sends a thousand to a server over sockets."""
    asked = 0

    @seed(0)
    @settings(max_examples=SAMPLE, suppress_health_check=list(HealthCheck), database=None)
    @given(malformed())
    def check(request: tuple[str, bytes]) -> None:
        nonlocal asked
        asked += 1
        path, body = request
        headers = {"content-type": "application/json"}
        told = client.post(path, content=body, headers=headers)
        assert 400 <= told.status_code < 500, (body, told.text)
        error = told.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"] and "\n" not in error["message"] and error["code"]

    check()
    assert asked >= SAMPLE
    assert served.handler.answerer.policy.calls == 0
    assert client.post(PATHS[0], json=chat()).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"[" * 500_000, b'{"a":' * 200_000, b'"' + b"\\" * 500_000, b"1" * 1_000_000,
     b'{"model": "\\ud800", "prompt": "a"}', b'{"model": "\xff", "prompt": "a"}'],
    ids=["deep list", "deep object", "escapes", "long number", "half a character", "not UTF-8"],
)  # fmt: skip
def test_json_made_to_harm(client: httpx.Client, body: bytes) -> None:
    told = client.post(PATHS[1], content=body, headers={"content-type": "application/json"})
    assert told.status_code == 400 and told.json()["error"]["code"]


@pytest.mark.parametrize(
    "raw",
    [b"nonsense\r\n\r\n", b"GET /v1/models HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00",
     b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
     b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n"
     b"transfer-encoding: chunked\r\n\r\nzz\r\n"],
    ids=["nonsense", "version", "TLS", "negative length", "two lengths"],
)  # fmt: skip
def test_what_is_not_http(socket_served: Served, raw: bytes) -> None:
    host, port = socket_served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        said = connection.recv(4096)
        assert not said or said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 415 ")), said
    with socket_served.client() as client:
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/v1/chat/completions", 405), ("PUT", "/v1/models", 405),
     ("GET", "/v1/models/other", 404), ("GET", "/docs", 404), ("GET", "/v1/../../etc/passwd", 404)],
)  # fmt: skip
def test_paths_and_methods_in_openais_shape(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    told = client.request(method, path)
    assert told.status_code == status
    assert told.json()["error"]["type"] == "invalid_request_error"


OPERATIONS = (
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/completions"),
    ("POST", "/v1/responses"),
    ("GET", "/v1/models"),
    ("GET", "/v1/models/{model}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
)


@pytest.fixture(scope="module")
def document(served: InProcess) -> Any:
    """Schemathesis starts and ends an application at each call; this one goes on."""

    async def running(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await served.app(scope, receive, send)
            return
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})

    return schemathesis.openapi.from_asgi("/openapi.json", running)


def test_the_document_has_no_other_operations(document: Any) -> None:
    found = {(one.ok().method.upper(), one.ok().path) for one in document.get_all_operations()}
    assert found == set(OPERATIONS)


QUESTIONS = WHOLE | {"/v1/responses": {"model": MODEL, "input": "what is x?"}}
"""The least that is answered at each path."""


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*one, GenerationMode.POSITIVE) for one in OPERATIONS]
    # In a GET there is nothing that could be wrong.
    + [(*one, GenerationMode.NEGATIVE) for one in OPERATIONS[:3]],
)
def test_the_openapi_document_holds(
    served: InProcess, document: Any, method: str, path: str, mode: GenerationMode
) -> None:
    """Statuses, types and schemas are those of the document, whatever is asked."""
    answered = served.handler.answerer.policy.calls

    @settings(max_examples=60, suppress_health_check=list(HealthCheck), database=None)
    @given(document[path][method].as_strategy(generation_mode=mode), st.data())
    def check(case: schemathesis.Case, data: st.DataObject) -> None:
        if method == "POST" and mode is GenerationMode.POSITIVE and data.draw(st.booleans()):
            # Nearly all with dozens of fields are refused; a question with a few is answered.
            few = data.draw(st.sets(st.sampled_from(sorted(case.body)), max_size=3))
            case.body = {name: case.body[name] for name in few} | QUESTIONS[path]
        # Valid by the document, but not together: fields that exclude each other.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()
    if method == "POST" and mode is GenerationMode.POSITIVE:
        assert served.handler.answerer.policy.calls > answered
