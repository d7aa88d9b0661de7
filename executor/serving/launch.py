"""Servers on this machine that run during a `with` block, for tests and benches."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from executor.errors import EngineError
from executor.serving.command import ServeCommand

# Several servers share the cores; threads that are bound to cores would mostly wait.
_SHARED = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "VLLM_LOGGING_LEVEL": "WARNING",
}  # fmt: skip


class LaunchedServer:
    """A server in a child process, in a process group of its own."""

    def __init__(self, command: ServeCommand, log: Path) -> None:
        self.url = f"http://127.0.0.1:{command.port}"
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command.arguments,
                env={**os.environ, **command.environment, **_SHARED},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self, seconds: float) -> None:
        """Wait until it is well.

        Raises:
            EngineError: it ends, or takes longer than `seconds`.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return
            time.sleep(0.25)
        raise EngineError(f"a server did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """Kill it and its child processes at once, as a crash would."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it, with SIGTERM first."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self.kill()


@contextmanager
def running(
    commands: Sequence[ServeCommand], folder: Path, *, seconds: float = 300
) -> Iterator[list[LaunchedServer]]:
    """Run the servers of `commands`, and yield them when all are well.

    Args:
        commands: commands of the servers.
        folder: folder of their logs.
        seconds: most seconds that each may take to start.
    """
    servers = []
    try:
        for command in commands:
            servers.append(LaunchedServer(command, folder / f"server-{command.port}.log"))
        for server in servers:
            server.wait(seconds)
        yield servers
    finally:
        for server in servers:
            server.stop()


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
