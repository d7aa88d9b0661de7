"""The body's limits, and settings that cannot be."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from executor.errors import InputError
from executor.store.store import Store
from planner.service.feedback.recorder import FeedbackRecorder
from planner.service.http.app import create_app
from planner.service.http.feedback_route import feedback_router
from planner.service.http.keys import ApiKeys
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.logs import ServiceLog
from planner.service.page import page_router
from tests.helpers.served_app import chat, in_process, serving
from tests.planner.service.conftest import Answering


@pytest.mark.parametrize(
    ("field", "value"), [("concurrency", 0), ("queue", -1), ("max_body", 0), ("drain_seconds", -1)]
)
def test_settings_that_cannot_be(field: str, value: int) -> None:
    with pytest.raises(InputError, match=field.replace("_", "-")):
        ServiceSettings(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "match"), [(None, "there are no keys"), (ApiKeys(["sk-one-0123"]), "at least 1")]
)
def test_a_share_of_the_places_is_a_key_s(keys: ApiKeys | None, match: str) -> None:
    with pytest.raises(InputError, match=match):
        ServiceSettings(keys=keys, max_per_key=0)


def test_a_body_that_is_too_large(make_answerer: Answering) -> None:
    with (
        in_process(make_answerer(), ServiceSettings(max_body=1000)) as served,
        served.client() as client,
    ):
        told = client.post("/v1/chat/completions", json=chat("x" * 1000))
        assert told.status_code == 413 and told.json()["error"]["code"] == "request_too_large"
        assert client.post("/v1/chat/completions", json=chat("x" * 100)).status_code == 200


def test_a_body_that_grows_too_large(make_answerer: Answering) -> None:
    """Its head gives no length, and no part of it is too large."""
    app = create_app(make_answerer(), ServiceSettings(max_body=1000), log=ServiceLog(io.StringIO()))

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100

    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            headers = {"content-type": "application/json"}
            return await client.post("/v1/chat/completions", content=parts(), headers=headers)

    told = asyncio.run(main())
    assert told.status_code == 413 and told.json()["error"]["code"] == "request_too_large"


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[tuple[APIRouter, ...]]:
    """The routers that read bodies besides OpenAI's paths."""
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        asked = ServiceSettings(body_seconds=0.1)
        yield (
            feedback_router(FeedbackRecorder(store), asked),
            page_router("sqlite:///nowhere.db", settings=asked),
        )


BODIES = ("/v1/completions", "/v1/chat/completions", "/v1/feedback", "/api/difficulty")


def test_a_body_that_does_not_come(
    make_answerer: Answering, readers: tuple[APIRouter, ...]
) -> None:
    with serving(make_answerer(), ServiceSettings(body_seconds=0.1), readers) as served:
        host, port = served.url.removeprefix("http://").split(":")
        for path in BODIES:
            with socket.create_connection((host, int(port)), timeout=60) as client:
                client.sendall(
                    f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
                    "content-length: 100\r\n\r\n{".encode()
                )
                assert client.recv(4096).startswith(b"HTTP/1.1 408 "), path


def test_a_packed_body_is_not_read(make_answerer: Answering) -> None:
    body = json.dumps(chat()).encode()
    with in_process(make_answerer()) as served, served.client() as client:
        for coding, status in (("gzip", 415), ("br", 415), ("identity", 200)):
            headers = {"content-type": "application/json", "content-encoding": coding}
            told = client.post("/v1/chat/completions", content=body, headers=headers)
            assert told.status_code == status
            if status == 415:
                assert "Content-Encoding" in told.json()["error"]["message"]


def test_only_json_is_read(make_answerer: Answering, readers: tuple[APIRouter, ...]) -> None:
    with in_process(make_answerer(), routers=readers) as served, served.client() as client:
        for path in BODIES:
            for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
                told = client.post(path, content=b"{}", headers={"content-type": kind})
                assert told.status_code == 415 and told.json()["error"]["message"], path
