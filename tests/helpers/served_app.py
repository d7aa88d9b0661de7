"""The real application over the simulated policy: in process, or on a free port of this machine.

Tests use `in_process` unless a socket is at stake (slow or vanishing clients, time limits on what
arrives, draining, load): it starts no server, and a request has ended in the server once its
response is there.
"""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
from anyio.from_thread import BlockingPortal
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from executor.policies.simulated import SimulatedPolicy
from planner.service.answering.answerer import Answerer
from planner.service.http.app import create_app
from planner.service.http.server import DrainingServer
from planner.service.http.settings import ServiceSettings
from planner.service.monitoring.logs import ServiceLog
from planner.service.monitoring.metrics import ReadGauges
from tests.helpers.waiting import until as until

MODEL = SimulatedPolicy().name
QUESTION = "simulated problem: what is x?"


class ObservedApp:
    """An application whose log and metrics can be read."""

    def __init__(
        self,
        answerer: Answerer,
        settings: ServiceSettings | None = None,
        routers: tuple[APIRouter, ...] = (),
        gauges: ReadGauges | None = None,
    ) -> None:
        settings = settings or ServiceSettings()
        self._lines = io.StringIO()
        log = ServiceLog(self._lines, prompts=settings.log_prompts)
        self.app = create_app(answerer, settings, routers=routers, gauges=gauges, log=log)
        self.handler = self.app.state.request_handler

    @property
    def text(self) -> str:
        """The whole log."""
        return self._lines.getvalue()

    def events(self, name: str = "request") -> list[dict[str, Any]]:
        """The lines of one event in the log."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["event"] == name]

    def metric(self, line: str) -> float:
        """The value of a metric, by its name and labels; 0 if it has none yet."""
        for one in self.handler.metrics.text().decode().splitlines():
            name, _, value = one.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0


class Served(ObservedApp):
    """An application behind a server that runs in a thread of its own."""

    def __init__(self, *options: Any) -> None:
        super().__init__(*options)
        self.server = DrainingServer(self.app, "127.0.0.1", 0)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    @property
    def url(self) -> str:
        return self.server.address

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60, **options)

    def stop(self) -> None:
        self.server.drain()
        self.thread.join(60)
        assert not self.thread.is_alive()


class InProcess(ObservedApp):
    """An application that is called without a server; its requests share one event loop."""

    url = "http://localhost"
    portal: BlockingPortal

    def client(self) -> TestClient:
        return _Client(self.app, self.portal)

    def openai_client(self, **options: Any) -> openai.OpenAI:
        """OpenAI's own client, which calls the application in process."""
        given = {"api_key": "any", "max_retries": 0} | options
        return openai.OpenAI(base_url=f"{self.url}/v1", http_client=self.client(), **given)


class _Client(TestClient):
    """A client in the event loop of an application that has started already."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        super().__init__(app, InProcess.url, follow_redirects=False)
        self.portal = portal

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def serving(
    answerer: Answerer,
    settings: ServiceSettings | None = None,
    routers: tuple[APIRouter, ...] = (),
    gauges: ReadGauges | None = None,
) -> Iterator[Served]:
    """A server that listens; at the end it has shut down in order."""
    served = Served(answerer, settings, routers, gauges)
    served.thread.start()
    until(lambda: served.server.started)
    try:
        yield served
    finally:
        served.stop()


@contextmanager
def in_process(
    answerer: Answerer,
    settings: ServiceSettings | None = None,
    routers: tuple[APIRouter, ...] = (),
    gauges: ReadGauges | None = None,
) -> Iterator[InProcess]:
    """An application that has started, without a server; at the end it has ended."""
    served = InProcess(answerer, settings, routers, gauges)
    with TestClient(served.app, InProcess.url) as running:
        assert running.portal is not None
        served.portal = running.portal
        yield served


@contextmanager
def asking(served: Served, body: dict[str, Any]) -> Iterator[socket.socket]:
    """A connection on which a question was asked; the client goes when the block ends."""
    content = json.dumps(body).encode()
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as client:
        head = (
            "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        )
        client.sendall(head.encode() + content)
        yield client


def chat(text: str = QUESTION, **more: Any) -> dict[str, Any]:
    """The body of a request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}
