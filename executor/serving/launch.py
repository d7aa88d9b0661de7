"""Servers on this machine that live as long as a block: for tests and benches, not for service."""

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

# Several servers share the cores: bound to them, or with a thread each, they would mostly wait.
_SHARED = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1", "VLLM_LOGGING_LEVEL": "WARNING",
}  # fmt: skip


class LaunchedServer:
    """A server that was started here, in a process group of its own."""

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
        """Wait until it is well; EngineError where it ends, or is not in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health", timeout=2).status_code == 200:
                    return
            time.sleep(0.25)
        raise EngineError(f"a server did not start: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it and its workers at once, as a crash would."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """Let it end."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=20)
        self.kill()


@contextmanager
def running(
    commands: Sequence[ServeCommand], folder: Path, *, seconds: float = 300
) -> Iterator[list[LaunchedServer]]:
    """The servers of `commands`, all well; their logs go to `folder`."""
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
    """A port of this machine nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
