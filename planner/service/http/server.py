"""Runs the application: uvicorn, and an orderly end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI

from executor.errors import InputError
from planner.service.answering.request_handler import LAST_WRITES, Desk
from planner.service.http.slow_clients import impatient

Listening = Callable[[str], None]


class Server(uvicorn.Server):
    """A server that finishes what runs before it ends.

    The first signal has new questions refused with 503, while what runs goes on for at most
    `drain_seconds`; then the rest is cancelled. The second signal ends it at once.

    Args:
        app: made by `create_app`.
        host, port: where it listens; port 0 is any that is free.
        listening: told of the address when it does.
    """

    def __init__(
        self, app: FastAPI, host: str, port: int, listening: Listening = lambda _: None
    ) -> None:
        self._desk: Desk = app.state.desk
        self._listening = listening
        self._ending: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
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
                http=impatient(self._desk.settings.write_seconds, self._desk.unread),
                timeout_graceful_shutdown=LAST_WRITES,
            )
        )
        self._desk.log.adopt("uvicorn.error")

    @property
    def address(self) -> str:
        """Where it listens, once it has started."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; InputError where that cannot be."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit:
            where = f"--host {self.config.host} --port {self.config.port}"
            raise InputError(f"{where}: cannot listen there; is the port taken?") from None
        self._desk.log.info("listening", address=self.address)
        self._listening(self.address)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self._loop is None or self._desk.closing:
            self.should_exit = self.force_exit = True
            return
        self._desk.close()
        self._loop.call_soon_threadsafe(self._end, signal.Signals(sig).name)

    def drain(self) -> None:
        """Do as on the first signal; may be called from any thread."""
        self.handle_exit(signal.SIGTERM, None)

    def _end(self, why: str) -> None:
        self._desk.log.info("draining", signal=why, running=self._desk.queue.running)
        self._ending = asyncio.create_task(self._finish())

    async def _finish(self) -> None:
        await self._desk.finish(self._desk.settings.drain_seconds)
        self.should_exit = True
