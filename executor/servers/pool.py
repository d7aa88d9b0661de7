"""Several servers of one model: which one takes a request, which are well, what is tried again."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeVar

import httpx

from executor.concurrency import to_the_end
from executor.errors import EngineError
from executor.servers.metrics import SEQUENCES
from executor.servers.prefixes import Prefixes
from executor.servers.server import Lease, Patience, Server, ServerLostError, allow_files, reason_of

T = TypeVar("T")

_TICK = 0.2
# A server that says nothing for so long is asked whether it is well.
_QUIET = 5.0
# HTTP clients, in turn: whenever a request begins or ends, one of httpx looks at every pair of its
# connections, which with hundreds of them takes more time than the answers.
_CLIENTS = 32
# Who asks whether anything is well goes by what was heard so lately.
_FRESH = 1.0
# Seconds in which a server that is not too busy says that it is well.
_PROMPT = 0.3


class Pool:
    """The servers of one model, used from one event loop at a time.

    Each `asyncio.run` has clients of its own, which a task of that loop closes in the end; the
    same task asks for the health of servers that are down or silent.
    """

    def __init__(self, label: str, urls: Sequence[str], patience: Patience | None = None) -> None:
        self.label = label
        self.patience = patience or Patience()
        self.servers = [Server(url) for url in urls]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._keeper: asyncio.Task[None] | None = None
        self._clients: Iterator[httpx.AsyncClient] = iter(())

    @property
    def client(self) -> httpx.AsyncClient:
        """The HTTP client of the running loop whose turn it is."""
        self._attach()
        return next(self._clients)

    async def request(
        self, prompt: Sequence[int], tokens: int, send: Callable[[Lease], Awaitable[T]]
    ) -> T:
        """Run `send` on the server that has least to do, again elsewhere where it was lost.

        Args:
            prompt: the request's prompt; servers that have seen its beginning need not forward it.
            tokens: most tokens it may cost besides.
            send: function that sends it and awaits the answer; it raises `ServerLostError` for a
                failure that another server may not have.

        Raises:
            EngineError: it failed on every try, or all servers stayed down.
        """
        avoid: Server | None = None
        for failures in range(1, self.patience.attempts + 1):
            async with self._lease(prompt, tokens, avoid) as lease:
                try:
                    return await send(lease)
                except ServerLostError as error:
                    avoid, reason = lease.server, str(error)
                    if avoid.fault is None:  # its health check will tell
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
            lease: the request's place.
            reading: reads the answer.
            stop: ends the request where the caller is cancelled; awaited to its end.

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
            # The process may have died, or only this connection: its health check will tell.
            self.down(server, reason_of(error))
            raise ServerLostError(f"{server.url}: {reason_of(error)}") from None

    async def fault(self) -> str | None:
        """Why nothing can be asked now; None where a server is well. The silent ones are asked, and
        one that is too busy to say so at once is well for as long as it was heard of lately."""
        client = self.client
        faults = await asyncio.gather(*(self._fault(server, client) for server in self.servers))
        if any(fault is None for fault in faults):
            return None
        pairs = zip(self.servers, faults, strict=True)
        return "; ".join(f"{server.url}: {fault}" for server, fault in pairs)

    async def _fault(self, server: Server, client: httpx.AsyncClient) -> str | None:
        """Why a server cannot be asked now; None where it is well."""
        silent = time.monotonic() - max(server.heard, server.asked)
        if server.fault is not None or silent <= _FRESH:
            return server.fault
        try:
            async with asyncio.timeout(_PROMPT):
                fault = await self._check(server, client)
        except TimeoutError:
            return f"has said nothing for {silent:.0f} s" if silent > _QUIET else None
        server.asked = time.monotonic()
        if fault is not None and server.fault is None:
            self.down(server, fault)
        return server.fault

    def down(self, server: Server, fault: str, *, rest: float = 0.0, losing: bool = False) -> None:
        """Give a server no requests until its health check is answered.

        Args:
            server: the server.
            fault: what is wrong.
            rest: seconds before it is asked.
            losing: whether what it is doing is given up, too.
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
            if loop is self._loop:  # else all was forgotten with that loop
                server.outstanding -= lease.left
                server.requests -= 1
                self._wake()

    async def _free(self, chain: Sequence[int], length: int, avoid: Server | None) -> Server:
        """The server to give a request to, once one has room; first come, first served."""
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
                    self._wake()  # it was this one's turn
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
        """Let the first who waits look again."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return

    def _attach(self) -> None:
        """Make the running loop the pool's; what another loop left under way is forgotten."""
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
            httpx.AsyncClient(timeout=timeout, limits=limits, verify=trusted)
            for _ in range(_CLIENTS)
        ]
        self._clients = itertools.cycle(clients)
        now = time.monotonic()
        for server in self.servers:
            server.start_over(now)
        self._keeper = loop.create_task(self._keep(clients))

    async def _keep(self, clients: Sequence[httpx.AsyncClient]) -> None:
        """Look after the servers until the loop ends, then close its clients."""
        client = clients[0]
        try:
            while True:
                await asyncio.sleep(_TICK)
                await asyncio.gather(*(self._look_after(server, client) for server in self.servers))
                self._give_up()
        finally:
            await asyncio.gather(*(one.aclose() for one in clients))

    async def _look_after(self, server: Server, client: httpx.AsyncClient) -> None:
        now, stall = time.monotonic(), self.patience.stall
        silent = now - server.heard if server.requests else 0.0
        if silent > stall:
            # Such servers may call themselves well: they get a rest before they get requests.
            self.down(server, f"said nothing for {stall:g} s", rest=stall, losing=True)
        elif server.fault is not None:
            if now >= server.retry_at:
                await self._try_again(server, client, quiet=silent > _QUIET)
        elif silent > _QUIET and now - server.asked > _QUIET:
            server.asked = now
            fault = await self._check(server, client)
            if fault is not None:
                self.down(server, fault, losing=True)

    async def _try_again(self, server: Server, client: httpx.AsyncClient, *, quiet: bool) -> None:
        """Ask a server that is down whether it is well; if not, one that is quiet is given up."""
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
        """What is wrong with a server; None where it is well."""
        try:
            answer = await client.get(f"{server.url}/health", timeout=self.patience.connect)
        except httpx.HTTPError as error:
            return reason_of(error)
        return None if answer.status_code == 200 else f"/health says {answer.status_code}"

    def _give_up(self) -> None:
        """Fail those who wait where no server has been up for too long."""
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
    """Await `work`, but no longer than its server is there."""
    task = asyncio.ensure_future(work)
    either: list[asyncio.Future[Any]] = [task, gone]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    await end(task)


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it is over, however it ends."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # nobody else asks for it
