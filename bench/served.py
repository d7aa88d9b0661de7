"""`apportion serve` as a process of its own, for benches that ask it over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import ROOT

_TICK = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs.

    Attributes:
        url: of the API, as OpenAI's clients want it.
        process: of the server.
        log: where its log is written, a JSON object a line.
    """

    url: str
    process: subprocess.Popen[str]
    log: Path

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a path of the server, for instance `/readyz`."""
        try:
            with urllib.request.urlopen(self.url.removesuffix("/v1") + path, timeout=10) as found:
                return found.status, found.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under a name so far."""
        return [event for event in _events(self.log) if event["event"] == name]


@contextmanager
def served(*arguments: str | Path, ready_within: float = 300.0) -> Iterator[Served]:
    """A server on a free port of this machine, its models loaded.

    Args:
        arguments: of `apportion serve`.
        ready_within: seconds after which the bench gives up.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        command = [sys.executable, "-m", "planner.cli", "serve", "--port", "0", "--json"]
        with log.open("w") as lines:
            process = subprocess.Popen(
                [*command, *map(str, arguments)],
                cwd=ROOT, stdout=subprocess.DEVNULL, stderr=lines, text=True,
            )  # fmt: skip
        try:
            give_up = time.monotonic() + ready_within
            server: Served | None = None
            while server is None or server.get("/readyz")[0] != 200:
                if process.poll() is not None or time.monotonic() > give_up:
                    sys.exit(f"bench: the server is not ready: {log.read_text()[-2000:]}")
                time.sleep(_TICK)
                if server is None:
                    said = [one for one in _events(log) if one["event"] == "listening"]
                    server = Served(f"{said[0]['address']}/v1", process, log) if said else None
            yield server
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _events(log: Path) -> list[dict[str, Any]]:
    """Lines that are events: models write others there while they load."""
    found = []
    for line in log.read_text().splitlines():
        if line.startswith("{") and line.endswith("}"):
            found.append(json.loads(line))
    return [one for one in found if "event" in one]
