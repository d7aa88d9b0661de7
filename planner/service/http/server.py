"""Runs the application with uvicorn, and shuts it down in order."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from executor.errors import InputError
from planner.service.http.connections import ConnectionBounds
from planner.service.http.request_handler import LAST_WRITES_SECONDS, RequestHandler

_OPEN_FILES = 65_536

OnListening = Callable[[str], None]


class DrainingServer(uvicorn.Server):
    """A server that finishes running requests before it ends.

    After the first signal, new questions are refused with 503, and running requests may go on for
    `drain_seconds`; then they are cancelled. After the second signal the server ends at once.

    Args:
        app: an application made by `create_app`.
        host: the address to listen at.
        port: the port to listen at; 0: any free port.
        on_listening: called with the server's address once it listens.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, on_listening: OnListening = lambda _: None
    ) -> None:
        self._handler: RequestHandler = app.state.request_handler
        self._on_listening = on_listening
        self._drain_task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        settings = self._handler.settings
        bounds = ConnectionBounds(
            head_bytes=settings.max_head,
            head_seconds=settings.head_seconds,
            write_seconds=settings.write_seconds,
            per_client=settings.max_connections,
            on_closed=self._handler.record_closed,
        )
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                ws="none",
                http=bounds.protocol(),
                timeout_graceful_shutdown=LAST_WRITES_SECONDS,
            )
        )
        self._handler.log.adopt("uvicorn.error")

    @property
    def address(self) -> str:
        """URL of the server, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen.

        Raises:
            InputError: the server cannot listen at this host and port.
        """
        self._loop = asyncio.get_running_loop()
        _allow_many_connections()
        try:
            await super().startup(sockets)
        except SystemExit:
            address = f"--host {self.config.host} --port {self.config.port}"
            raise InputError(
                f"{address}: the server cannot listen there; is the port taken?"
            ) from None
        self._handler.log.info("listening", address=self.address)
        self._on_listening(self.address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain after the first signal, and end at once after the second."""
        if self._loop is None or self._handler.closing:
            self.should_exit = self.force_exit = True
            return
        self._handler.close()
        self._loop.call_soon_threadsafe(self._start_drain, signal.Signals(sig).name)

    def drain(self) -> None:
        """Act as on the first signal; may be called from any thread."""
        self.handle_exit(signal.SIGTERM, None)

    def _start_drain(self, signal_name: str) -> None:
        self._handler.log.info("draining", signal=signal_name, running=self._handler.queue.running)
        self._drain_task = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        await self._handler.drain(self._handler.settings.drain_seconds)
        self.should_exit = True


def _allow_many_connections() -> None:
    """Raise the limit on open files, one of which every connection is, as far as this process may.

    Shells start processes with a low limit, for programs that use `select`.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
