"""A pool of servers of one model: load balancing, health checks and retries."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import httpx

from executor.access import NO_ACCESS, Access
from executor.concurrency import retrieve, to_the_end
from executor.errors import EngineError
from executor.servers.letter import Letter
from executor.servers.metrics import SEQUENCES
from executor.servers.prefixes import Prefixes
from executor.servers.server import Lease, Patience, Server, ServerLostError, allow_files, reason_of

T = TypeVar("T")

_TICK = 0.2
# Seconds of silence after which a server's health is checked.
_QUIET = 5.0
# Number of HTTP clients, used in turn: whenever a request begins or ends, httpx looks at every pair
# of a client's connections, which with hundreds of them takes longer than the answers.
_CLIENTS = 32
# Seconds for which a sign of life counts as a health check.
_FRESH = 1.0
# Seconds in which a server that is not too busy answers a health check.
_PROMPT = 0.3


class Pool:
    """The servers of one model, used from one event loop at a time.

    Each event loop has clients of its own. A keeper task of the loop checks the health of servers
    that are down or silent, and closes the clients in the end.
    """

    def __init__(
        self,
        label: str,
        urls: Sequence[str],
        patience: Patience | None = None,
        access: Access = NO_ACCESS,
    ) -> None:
        self.label = label
        self._access = access
        self.patience = patience or Patience()
        self.servers = [Server(url) for url in urls]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._keeper: asyncio.Task[None] | None = None
        self._clients: Iterator[httpx.AsyncClient] = iter(())

    @property
    def client(self) -> httpx.AsyncClient:
        """The running loop's next HTTP client, in turn."""
        self._attach()
        return next(self._clients)

    async def request(
        self, prompt: Sequence[int], tokens: int, send: Callable[[Lease], Awaitable[T]]
    ) -> T:
        """Run `send` on the server with the least work, and on another one if that is lost.

        Args:
            prompt: prompt of the request; a server that has seen its beginning need not forward
                that part.
            tokens: most further tokens that the request may cost.
            send: function that sends it and awaits the answer; it raises `ServerLostError` for a
                failure that another server may not have.

        Raises:
            EngineError: every try failed, or all servers stayed down.
        """
        avoid: Server | None = None
        for failures in range(1, self.patience.attempts + 1):
            async with self._lease(prompt, tokens, avoid) as lease:
                try:
                    return await send(lease)
                except ServerLostError as error:
                    avoid, reason = lease.server, str(error)
                    if avoid.fault is None:  # down until a health check succeeds
                        self.down(avoid, reason)
            if failures < self.patience.attempts:
                await asyncio.sleep(self.patience.pause(failures))
        raise EngineError(
            f"{self.label}: a request failed {self.patience.attempts} times, "
            f"last at {avoid.url if avoid else '?'}: {reason}"
        )

    async def attend(
        self,
        lease: Lease,
        reading: Coroutine[Any, Any, None],
        stop: Callable[[asyncio.Task[None]], Coroutine[Any, Any, None]],
    ) -> None:
        """Await `reading` of an answer until it ends or its server is given up.

        Args:
            lease: place of the request.
            reading: coroutine that reads the answer.
            stop: function that ends the request if the caller is cancelled; awaited to its end.

        Raises:
            ServerLostError: the server or the connection was lost, or the server failed.
            EngineError: the server refused the request.
        """
        task = asyncio.ensure_future(self._read(lease.server, reading))
        gone = lease.server.gone
        either: list[asyncio.Future[Any]] = [task, gone]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await to_the_end(_first(stop(task), gone))
            await end(task)
            raise
        if not task.done():
            await end(task)
            raise ServerLostError(gone.result())
        task.result()

    async def _read(self, server: Server, reading: Coroutine[Any, Any, None]) -> None:
        try:
            await reading
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self.down(server, reason_of(error))
            raise ServerLostError(f"{server.url}: {reason_of(error)}") from None
        except (httpx.TransportError, httpx.StreamError) as error:
            # The process may have died, or only this connection: a health check will show.
            self.down(server, reason_of(error))
            raise ServerLostError(f"{server.url}: {reason_of(error)}") from None

    async def fault(self) -> str | None:
        """Return why no server can answer now, or None if one can.

        Silent servers are checked. One that is too busy to answer the check at once counts as well
        if it gave a sign of life lately.
        """
        client = self.client
        faults = await asyncio.gather(*(self._fault(server, client) for server in self.servers))
        if any(fault is None for fault in faults):
            return None
        pairs = zip(self.servers, faults, strict=True)
        return "; ".join(f"{server.url}: {fault}" for server, fault in pairs)

    async def _fault(self, server: Server, client: httpx.AsyncClient) -> str | None:
        """Return why a server cannot answer now, or None if it can."""
        silent = time.monotonic() - max(server.heard, server.asked)
        if server.fault is not None or silent <= _FRESH:
            return server.fault
        try:
            async with asyncio.timeout(_PROMPT):
                fault = await self._check(server, client)
        except TimeoutError:
            return f"silent for {silent:.0f} s" if silent > _QUIET else None
        server.asked = time.monotonic()
        if fault is not None and server.fault is None:
            self.down(server, fault)
        return server.fault

    def down(self, server: Server, fault: str, *, rest: float = 0.0, losing: bool = False) -> None:
        """Give a server no requests until a health check succeeds.

        Args:
            server: the server.
            fault: reason, for messages.
            rest: seconds before its health is checked.
            losing: whether its unfinished requests are given up.
        """
        now = time.monotonic()
        if server.fault is None:
            server.down_since, server.failures = now, 0
        server.fault = fault
        server.retry_at = now + rest
        server.prefixes.clear()
        if losing:
            server.give_up(f"{server.url}: {fault}")

    @contextlib.asynccontextmanager
    async def _lease(
        self, prompt: Sequence[int], tokens: int, avoid: Server | None
    ) -> AsyncIterator[Lease]:
        self._attach()
        chain = Prefixes.chain(prompt)
        server = await self._free(chain, len(prompt), avoid)
        cost = len(prompt) - server.prefixes.overlap(chain) + tokens
        if not server.requests:
            server.heard = time.monotonic()
        server.prefixes.add(chain)
        server.outstanding += cost
        server.requests += 1
        server.taken += 1
        lease = Lease(server, cost)
        loop = self._loop
        try:
            yield lease
        finally:
            if loop is self._loop:  # otherwise the request was forgotten with its loop
                server.outstanding -= lease.left
                server.requests -= 1
                self._wake()

    async def _free(self, chain: Sequence[int], length: int, avoid: Server | None) -> Server:
        """Wait for a server with room, first come, first served, and return the best one."""
        first = False
        while True:
            server = self._best(chain, length, avoid) if first or not self._waiting else None
            if server is not None:
                return server
            place = asyncio.get_running_loop().create_future()
            (self._waiting.appendleft if first else self._waiting.append)(place)
            try:
                await place
            except BaseException:
                if place in self._waiting:
                    self._waiting.remove(place)
                else:
                    self._wake()  # pass the turn on
                raise
            first = True

    def _best(self, chain: Sequence[int], length: int, avoid: Server | None) -> Server | None:
        up = [server for server in self.servers if server.fault is None]
        up = [server for server in up if server is not avoid] or up
        free = [server for server in up if server.requests < SEQUENCES]

        def cost(server: Server) -> tuple[int, int]:
            return server.outstanding + length - server.prefixes.overlap(chain), server.taken

        return min(free, key=cost, default=None)

    def _wake(self) -> None:
        """Wake the first request that waits for a server."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return

    def _attach(self) -> None:
        """Make the running loop the pool's, and forget the requests of an earlier one."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._waiting.clear()
        allow_files(len(self.servers) * SEQUENCES)
        timeout = httpx.Timeout(None, connect=self.patience.connect)
        limits = httpx.Limits(max_connections=None)
        trusted = httpx.create_ssl_context()
        clients = [
            httpx.AsyncClient(
                timeout=timeout,
                limits=limits,
                verify=trusted,
                auth=Letter(self._access),
                params=dict(self._access.query),
            )
            for _ in range(_CLIENTS)
        ]
        self._clients = itertools.cycle(clients)
        now = time.monotonic()
        for server in self.servers:
            server.start_over(now)
        self._keeper = loop.create_task(self._keep(clients))

    async def _keep(self, clients: Sequence[httpx.AsyncClient]) -> None:
        """Watch the servers until the loop ends, then close its clients."""
        client = clients[0]
        try:
            while True:
                await self._tick()
                await asyncio.gather(*(self._watch(server, client) for server in self.servers))
                self._give_up()
        finally:
            await asyncio.gather(*(one.aclose() for one in clients))

    async def _tick(self) -> None:
        """Sleep for a tick; time in which the loop stood still is not silence of the servers.

        After a pause of this process (a stopped job, a machine that swaps), what the servers sent
        meanwhile waits in the connections. They must not be given up before it has been read.
        """
        began = time.monotonic()
        await asyncio.sleep(_TICK)
        now = time.monotonic()
        late = max(0.0, now - began - _TICK)
        for server in self.servers:
            server.heard = min(now, server.heard + late)

    async def _watch(self, server: Server, client: httpx.AsyncClient) -> None:
        now, stall = time.monotonic(), self.patience.stall
        silent = now - server.heard if server.requests else 0.0
        if silent > stall:
            # Its health check may succeed all the same, so it rests before it gets requests again.
            self.down(server, f"silent for {stall:g} s", rest=stall, losing=True)
        elif server.fault is not None:
            if now >= server.retry_at:
                await self._try_again(server, client, quiet=silent > _QUIET)
        elif silent > _QUIET and now - server.asked > _QUIET:
            server.asked = now
            fault = await self._check(server, client)
            if fault is not None:
                self.down(server, fault, losing=True)

    async def _try_again(self, server: Server, client: httpx.AsyncClient, *, quiet: bool) -> None:
        """Check a server that is down; give up a quiet server if the check fails."""
        fault = await self._check(server, client)
        if fault is None:
            server.fault = None
            server.heard = time.monotonic()
            for _ in range(len(self._waiting)):
                self._wake()
        else:
            server.failures += 1
            self.down(server, fault, rest=self.patience.pause(server.failures), losing=quiet)

    async def _check(self, server: Server, client: httpx.AsyncClient) -> str | None:
        """Check a server's health; None if it is well, else the fault."""
        try:
            answer = await client.get(f"{server.url}/health", timeout=self.patience.connect)
        except httpx.HTTPError as error:
            return reason_of(error)
        return None if answer.status_code == 200 else f"/health has status {answer.status_code}"

    def _give_up(self) -> None:
        """Fail the requests that wait if all servers have been down for too long."""
        if any(server.fault is None for server in self.servers):
            return
        since = max(server.down_since for server in self.servers)
        if time.monotonic() - since <= self.patience.outage:
            return
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(
                    EngineError(
                        f"{self.label}: no server has answered for "
                        f"{self.patience.outage:g} s ({self._faults()})"
                    )
                )

    def _faults(self) -> str:
        return "; ".join(f"{server.url}: {server.fault}" for server in self.servers)


async def _first(work: Coroutine[Any, Any, None], gone: asyncio.Future[str]) -> None:
    """Await `work` until its server is given up."""
    task = asyncio.ensure_future(work)
    either: list[asyncio.Future[Any]] = [task, gone]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    await end(task)


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.wait({task})
    retrieve(task)
