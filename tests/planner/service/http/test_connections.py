"""Clients that send no end of a head, hold connections, or do not read what they are sent."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import statistics
import threading
import time
from collections.abc import Iterable, Iterator, Sequence

import pytest

from executor.ledger import Ledger
from executor.strategy import Majority
from planner.service.answering.answerer import Query, QueryResult, ReportProgress
from planner.service.http.connections import client_of
from planner.service.http.keys import ApiKeys
from planner.service.http.settings import ServiceSettings
from tests.helpers.served_app import MODEL, Served, asking, chat, serving, until
from tests.planner.service.conftest import Answering

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
        until(lambda: not connections)
        assert time.monotonic() - began >= 0.25
        until(lambda: served.events())
        assert served.handler.queue.running == 0
        assert served.metric('apportion_cancelled_total{reason="unread"}') == 1
        (line,) = served.events("unread")
        assert line["seconds"] == 0.3
        client.settimeout(60)
        assert received(client) < SIZE


def test_a_client_that_reads_slowly_gets_it_all() -> None:
    with (
        serving(Flood(SIZE), ServiceSettings(write_seconds=1.0)) as served,
        asking(served, chat()) as client,
    ):
        client.settimeout(60)
        began, read = time.monotonic(), 0
        while read < SIZE and (part := client.recv(1 << 18)):
            read += len(part)
            time.sleep(0.01)
        assert read >= SIZE
        assert time.monotonic() - began > 1.0
        assert served.metric('apportion_cancelled_total{reason="unread"}') == 0


# Before a request is there


@pytest.fixture(scope="module")
def served(make_answerer: Answering) -> Iterator[Served]:
    # A busy machine may need more than the usual time for a head that is bounded in bytes.
    limits = ServiceSettings(
        head_seconds=60, max_connections=20, keys=ApiKeys(["right-key"]), max_body=1 << 21
    )
    with serving(make_answerer(p=1.0), limits) as running:
        yield running


@pytest.fixture(scope="module")
def hurried(make_answerer: Answering) -> Iterator[Served]:
    limits = ServiceSettings(head_seconds=0.3, keys=ApiKeys(["right-key"]))
    with serving(make_answerer(), limits) as running:
        yield running


def connect(served: Served) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def refused(served: Served, reason: str) -> float:
    return served.metric(f'apportion_refused_connections_total{{reason="{reason}"}}')


def send(client: socket.socket, parts: Iterable[bytes]) -> bytes:
    """Send until the server closes the connection; return what it said, if it got through."""
    try:
        for part in parts:
            client.sendall(part)
    except ConnectionError:
        pass
    said = b""
    try:
        while part := client.recv(1 << 16):
            said += part
    except ConnectionError:
        pass
    return said


CHUNKED = (
    b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"authorization: Bearer right-key\r\ntransfer-encoding: chunked\r\n\r\n"
)
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
LONG = 100
"""Number of pieces, of 64 KiB each."""
PIECE = b"x" * (1 << 16)
TOO_LARGE = {
    "value of a header": [GET, b"a: ", *[PIECE] * LONG],
    "name of a header": [GET, *[PIECE] * LONG],
    "address": [b"GET /", *[PIECE] * LONG],
    "method": [PIECE] * LONG,
    "many headers": [GET, *[b"a: b\r\n" * 10_000] * LONG],
    "second head": [GET, b"\r\n", GET, b"a: ", *[PIECE] * LONG],
    "trailer": [CHUNKED, b"1\r\n{\r\n0\r\na: ", *[PIECE] * LONG],
    "extension of a chunk": [CHUNKED, b"1;a=", *[PIECE] * LONG],
    "no request at all": [b"\r\n" * (1 << 15)] * LONG,
}


@pytest.mark.parametrize("parts", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_head_is_bounded_in_bytes(served: Served, parts: list[bytes]) -> None:
    before = refused(served, "head_too_large")
    with connect(served) as client:
        said = send(client, parts)
    if said and not said.startswith(b"HTTP/1.1 400 "):  # nonsense is refused as such, and earlier
        assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 200 ", b"HTTP/1.1 408 "))
        until(lambda: refused(served, "head_too_large") > before)
    with served.client() as client:
        assert client.get("/healthz").status_code == 200


def test_the_refusal_is_in_openais_shape(served: Served) -> None:
    with connect(served) as client:
        client.sendall(GET + b"a: " + b"x" * (1 << 16))
        said = client.recv(1 << 16)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert json.loads(body)["error"]["code"] == "head_too_large"


def test_others_are_answered_while_a_large_head_comes(served: Served) -> None:
    """A header of 200 MB stalled all others for 12 seconds: its pieces were joined each time."""
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            with connect(served) as client:
                send(client, [GET, b"a: ", *[PIECE] * 1000])

    attack = threading.Thread(target=flood)
    attack.start()
    try:
        with served.client() as client:
            waited: list[float] = []
            for _ in range(20):
                began = time.monotonic()
                assert client.get("/healthz").status_code == 200
                waited.append(time.monotonic() - began)
    finally:
        ended.set()
        attack.join()
    assert statistics.median(waited) < 1.0  # a busy machine may hold up some of them


@pytest.mark.parametrize(
    "first", [b"", b"G", GET, b"\r\n"], ids=["silent", "byte", "half", "blank"]
)
@pytest.mark.parametrize("earlier", [0, 1], ids=["first", "second"])
def test_a_head_is_bounded_in_seconds(hurried: Served, first: bytes, earlier: int) -> None:
    if earlier and not first:
        return  # how long a connection may wait for another request is uvicorn's own bound
    before = refused(hurried, "head_too_slow")
    with connect(hurried) as client:
        for _ in range(earlier):
            client.sendall(GET + b"\r\n")
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        client.sendall(first)
        began = time.monotonic()
        said = send(client, [])
        assert time.monotonic() - began > 0.2
    assert refused(hurried, "head_too_slow") == before + 1
    assert said.startswith(b"HTTP/1.1 408 ") == bool(first)


def test_a_head_that_comes_byte_by_byte_is_bounded_too(hurried: Served) -> None:
    def drips() -> Iterator[bytes]:
        for byte in GET * 100:
            yield bytes([byte])
            time.sleep(0.02)

    with connect(hurried) as client:
        began = time.monotonic()
        send(client, drips())
        # Of the 80 s that all of it takes.
        assert 0.2 < time.monotonic() - began < 40


@pytest.mark.parametrize("path", [b"/v1/completions", b"/nowhere"])
def test_a_body_that_nobody_reads_is_not_received_for_ever(hurried: Served, path: bytes) -> None:
    def drips() -> Iterator[bytes]:
        yield b"POST %b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n\r\n" % path
        for _ in range(4000):
            yield b"x"
            time.sleep(0.01)

    with connect(hurried) as client:
        began = time.monotonic()
        said = send(client, drips())
        assert time.monotonic() - began < 20  # of 40 s
    assert not said or said.startswith(b"HTTP/1.1 401 ")


def test_silent_connections_make_room(served: Served) -> None:
    """400 silent connections of one client reset all others."""
    before = refused(served, "too_many_connections")
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(served)) for _ in range(60)]
        with served.client() as client:
            assert client.get("/healthz").status_code == 200
        assert refused(served, "too_many_connections") >= before + 40
        assert send(silent[0], []) == b""
    until(lambda: not served.server.server_state.connections)
    assert served.server.config.http.bounds.held == {}  # type: ignore[union-attr]


def test_connections_at_work_stay(make_answerer: Answering) -> None:
    with (
        serving(make_answerer(latency=0.5), ServiceSettings(max_connections=2)) as served,
        asking(served, chat()) as first,
        asking(served, chat()) as second,
    ):
        until(lambda: served.handler.queue.running == 2)
        with connect(served) as third:
            assert send(third, []) == b""
        assert refused(served, "too_many_connections") == 1
        for one in (first, second):
            assert one.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_what_fits_is_served(served: Served) -> None:
    key = {"authorization": "Bearer right-key", "content-type": "application/json"}
    with served.client(headers=key) as client:
        assert client.get("/healthz", headers={"a": "x" * 60_000}).status_code == 200
        assert client.get(f"/healthz?{'x' * 60_000}").status_code == 200
        body = json.dumps(chat(user="x" * 1_000_000)).encode()
        assert client.post("/v1/chat/completions", content=body).status_code == 200
        small = (body[start : start + 7] for start in range(0, 70_000, 7))
        rest = (body[start : start + 50_000] for start in range(70_000, len(body), 50_000))
        chunks = itertools.chain(small, rest)
        assert client.post("/v1/chat/completions", content=chunks).status_code == 200
    with connect(served) as client:
        client.sendall(GET + b"\r\n" + GET + b"\r\n")
        said = client.recv(1 << 16)
        while said.count(b"HTTP/1.1 200 ") < 2:
            said += client.recv(1 << 16)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unix:", "unix:"),
        ("unix:/run/proxy.sock", "unix:/run/proxy.sock"),
        ("[::1]", "[::1]"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_who_a_client_is(host: str, client: str) -> None:
    assert client_of(host) == client
