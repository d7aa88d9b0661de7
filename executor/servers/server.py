"""One server as its pool sees it, what waiting for servers means, and what their failures are."""

from __future__ import annotations

import asyncio
import random
import resource
import time
from dataclasses import dataclass, field

from executor.errors import EngineError
from executor.servers.address import first_line
from executor.servers.prefixes import Prefixes


@dataclass(frozen=True, slots=True)
class Patience:
    """How long servers are waited for, in seconds.

    Attributes:
        connect: until a connection stands, or a health check is answered.
        stall: that a server may say nothing, on any of its requests, before it counts as lost.
        outage: that all servers may be down before the run ends.
        attempts: how often one request is tried at most.
        back_off: before the first new try; it doubles from try to try, up to `back_off_most`.
    """

    connect: float = 5.0
    stall: float = 120.0
    outage: float = 60.0
    attempts: int = 6
    back_off: float = 0.25
    back_off_most: float = 10.0

    def pause(self, failures: int) -> float:
        """Seconds before the next try after so many failures, with jitter."""
        longest = min(self.back_off_most, self.back_off * 2 ** max(0, failures - 1))
        return float(longest * random.uniform(0.5, 1.0))


class ServerLostError(Exception):
    """A request came to nothing through no fault of its own: it may be tried elsewhere."""


@dataclass(eq=False)
class Server:
    """One server as its pool sees it.

    Attributes:
        url: without `/v1`.
        outstanding: tokens that requests under way may still cost it.
        requests: requests under way.
        taken: requests it was ever given.
        heard: when it last said anything (`time.monotonic`).
        fault: why it is taken to be down; None while it is up.
        down_since, retry_at, failures: while down: since when, when its health is asked for
            next, and how often it was in vain.
        asked: when its health was asked for last, while up.
        prefixes: which prompts it has seen.
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
        """Done, with a reason, once what the server is doing is given up."""
        if self._gone is None or self._gone.done():
            self._gone = asyncio.get_running_loop().create_future()
        return self._gone

    def give_up(self, reason: str) -> None:
        """Tell whoever awaits something of it that nothing will come."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(reason)

    def start_over(self, now: float) -> None:
        """Forget what was under way on a loop that is over; ask soon whether it is well."""
        self.outstanding = self.requests = 0
        self._gone = None
        self.down_since = self.retry_at = now


@dataclass(eq=False)
class Lease:
    """A request's place on a server.

    Attributes:
        server: the server.
        left: tokens it may still cost.
    """

    server: Server
    left: int

    def heard(self, tokens: int = 0) -> None:
        """The server has said something: `tokens` of what was outstanding are done."""
        self.server.heard = time.monotonic()
        done = min(tokens, self.left)
        self.left -= done
        self.server.outstanding -= done


def refused(status: int, body: bytes, url: str) -> Exception:
    """What an answer of this HTTP status is: `ServerLostError` where another try may do better."""
    words = first_line(body.decode(errors="replace"))
    if status >= 500:
        return ServerLostError(f"{url}: status {status}, {words}")
    return EngineError(f"{url} refused a request: status {status}, {words}")


def reason_of(error: Exception) -> str:
    """An error of httpx in words, which it does not always have."""
    return first_line(error) or type(error).__name__


def allow_files(more: int) -> None:
    """Let this process open so many files beyond the usual thousand, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4096 + more
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
