"""The state of one server in a pool, its failures, and how long the pool waits for servers."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from dataclasses import dataclass, field

from executor.engines.base import RequestRefusedError
from executor.servers.address import first_line
from executor.servers.prefixes import Prefixes


@dataclass(frozen=True, slots=True)
class Patience:
    """Time limits of requests to servers, in seconds unless stated otherwise.

    Attributes:
        connect: longest wait for a connection or a health check.
        stall: longest silence of a server, on all its requests, before it counts as lost.
        outage: longest time that all servers may be down before the run ends.
        attempts: most tries of one request (a number).
        back_off: wait before the second try; it doubles with each try, up to `back_off_most`.
        back_off_most: longest wait before a try.
    """

    connect: float = 5.0
    stall: float = 120.0
    outage: float = 60.0
    attempts: int = 6
    back_off: float = 0.25
    back_off_most: float = 10.0

    def pause(self, failures: int) -> float:
        """Return the seconds before the next try after so many failures, with jitter."""
        # Not tenacity or stamina: they own the loop, and here a try may change the server, and the
        # health checks of a keeper task share the schedule.
        longest = min(self.back_off_most, self.back_off * 2 ** max(0, failures - 1))
        return float(longest * random.uniform(0.5, 1.0))


class ServerLostError(Exception):
    """The server or connection of a request was lost; another server may answer it."""


@dataclass(eq=False)
class Server:
    """The state of one server in a pool; times are those of `time.monotonic`.

    Attributes:
        url: URL without `/v1`.
        outstanding: tokens that unfinished requests may still cost it.
        requests: number of unfinished requests.
        taken: number of requests that it has ever taken.
        heard: time of its last sign of life.
        fault: reason why it counts as down; None while it is up.
        down_since: time when it went down.
        retry_at: time of the next health check while it is down.
        failures: failed health checks since it went down.
        asked: time of the last health check while it was up.
        prefixes: beginnings of prompts that it has seen.
    """

    url: str
    outstanding: int = 0
    requests: int = 0
    taken: int = 0
    heard: float = 0.0
    fault: str | None = None
    down_since: float = 0.0
    prefixes: Prefixes = field(default_factory=Prefixes)
    asked: float = 0.0
    retry_at: float = 0.0
    failures: int = 0
    _gone: asyncio.Future[str] | None = None

    @property
    def gone(self) -> asyncio.Future[str]:
        """A future that gets a reason when the server's requests are given up."""
        if self._gone is None or self._gone.done():
            self._gone = asyncio.get_running_loop().create_future()
        return self._gone

    def give_up(self, reason: str) -> None:
        """Give up the server's requests; their tasks get the reason."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(reason)

    def start_over(self, now: float) -> None:
        """Forget the requests of an event loop that has ended; check the server's health soon."""
        self.outstanding = self.requests = 0
        self._gone = None
        self.down_since = self.retry_at = now


@dataclass(eq=False)
class Lease:
    """The place of one request on a server.

    Attributes:
        server: the server.
        left: tokens that the request may still cost.
    """

    server: Server
    left: int

    def heard(self, tokens: int = 0) -> None:
        """Note a sign of life of the server, with `tokens` of its outstanding work done."""
        self.server.heard = time.monotonic()
        done = min(tokens, self.left)
        self.left -= done
        self.server.outstanding -= done


def refused(status: int, body: bytes, url: str) -> Exception:
    """Return the error of an HTTP status: `ServerLostError` if another try may succeed."""
    words = first_line(body.decode(errors="replace"))
    if status >= 500:
        return ServerLostError(f"{url}: status {status}, {words}")
    return RequestRefusedError(f"{url} refused a request: status {status}, {words}")


def reason_of(error: Exception) -> str:
    """Describe an error of httpx, some of which have no message."""
    return first_line(error) or type(error).__name__


def allow_files(more: int) -> None:
    """Raise this process's limit of open files by `more`, as far as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 + more
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
