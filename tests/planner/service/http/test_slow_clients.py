"""Clients that do not read what they are sent."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import pytest

from executor.ledger import Ledger
from executor.strategy import Majority
from planner.service.answering.answerer import Query, QueryResult, ReportProgress
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, asking, chat, serving, until

# Bytes: more than the buffers between a server and its client hold.
SIZE = 32 << 20


class Flood:
    """An answerer of more text than lies between a server and its client."""

    model = MODEL
    concurrency = 1

    def __init__(self, characters: int) -> None:
        self._text = "x" * characters

    async def answer(self, query: Query, progress: ReportProgress) -> QueryResult:
        return QueryResult(
            (self._text,), ("stop",), None, Majority(1), "all", None, None, Ledger(), 0.0,
            {"flops": None, "usd": None, "seconds": None}, (), {},
        )  # fmt: skip

    def decode(self, token_ids: Sequence[int]) -> str:
        raise NotImplementedError

    async def ready(self) -> str | None:
        return None

    async def close(self) -> None:
        pass


def received(client: socket.socket) -> int:
    """Bytes that come until the connection ends, in whatever way."""
    read = 0
    try:
        while part := client.recv(1 << 20):
            read += len(part)
    except ConnectionError:
        pass
    return read


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_client_that_reads_nothing_is_let_go(stream: bool) -> None:
    with (
        serving(Flood(SIZE), ServiceSettings(write_seconds=0.3)) as served,
        asking(served, chat(stream=stream)) as client,
    ):
        connections = served.server.server_state.connections
        until(lambda: connections)
        began = time.monotonic()
        until(lambda: not connections, seconds=20)
        assert time.monotonic() - began >= 0.25
        until(lambda: served.events())
        assert served.handler.queue.running == 0
        assert served.metric('apportion_cancelled_total{reason="unread"}') == 1
        (line,) = served.events("unread")
        assert line["seconds"] == 0.3
        client.settimeout(10)
        assert received(client) < SIZE


def test_a_client_that_reads_slowly_gets_it_all() -> None:
    with (
        serving(Flood(SIZE), ServiceSettings(write_seconds=1.0)) as served,
        asking(served, chat()) as client,
    ):
        client.settimeout(10)
        began, read = time.monotonic(), 0
        while read < SIZE and (part := client.recv(1 << 18)):
            read += len(part)
            time.sleep(0.01)
        assert read >= SIZE
        assert time.monotonic() - began > 1.0
        assert served.metric('apportion_cancelled_total{reason="unread"}') == 0
