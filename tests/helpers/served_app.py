"""A server of the real application on a free port of this machine, over the simulated policy."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import APIRouter

from executor.policies.simulated import SimulatedPolicy
from planner.service.answering.answerer import Answerer
from planner.service.http.app import create_app
from planner.service.http.server import Server
from planner.service.http.settings import Settings
from planner.service.monitoring.logs import Log
from planner.service.monitoring.metrics import Gauges

MODEL = SimulatedPolicy().name
QUESTION = "simulated problem: what is x?"


class Served:
    """A server that runs in a thread of its own."""

    def __init__(
        self,
        answerer: Answerer,
        settings: Settings | None = None,
        routers: tuple[APIRouter, ...] = (),
        gauges: Gauges | None = None,
    ) -> None:
        settings = settings or Settings()
        self._lines = io.StringIO()
        log = Log(self._lines, prompts=settings.log_prompts)
        self.app = create_app(answerer, settings, routers=routers, gauges=gauges, log=log)
        self.desk = self.app.state.desk
        self.server = Server(self.app, "127.0.0.1", 0)
        self.thread = threading.Thread(target=self.server.run, daemon=True)

    @property
    def url(self) -> str:
        return self.server.address

    @property
    def text(self) -> str:
        """All that was logged."""
        return self._lines.getvalue()

    def events(self, name: str = "request") -> list[dict[str, Any]]:
        """What was logged, by event."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if line["event"] == name]

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, **options)

    def metric(self, line: str) -> float:
        """The value of a metric, by its name and labels; 0 where it has none yet."""
        for one in self.desk.metrics.text().decode().splitlines():
            name, _, value = one.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0

    def stop(self) -> None:
        self.server.drain()
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def serving(
    answerer: Answerer,
    settings: Settings | None = None,
    routers: tuple[APIRouter, ...] = (),
    gauges: Gauges | None = None,
) -> Iterator[Served]:
    """A server that listens; at the end it has ended in order."""
    served = Served(answerer, settings, routers, gauges)
    served.thread.start()
    until(lambda: served.server.started)
    try:
        yield served
    finally:
        served.stop()


def until(met: Any, seconds: float = 10.0) -> None:
    """Wait for a condition; an error where it does not come."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def chat(text: str = QUESTION, **more: Any) -> dict[str, Any]:
    """A request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}
