"""Helpers of benches of the running service: the command as a process, and a lean client.

The client writes and reads HTTP/1.1 itself, because it uses the same cores as the engines, and the
official client takes some milliseconds per request.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import select
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
from common import MODELS, ROOT

from planner.choice.constraint import Constraint

sys.path.insert(0, str(ROOT))
from recommend import plan_of
from routing import pools_of

from executor.answers.grader import MathGrader
from executor.models.templates import template_for
from executor.strategy import BestOfN, Majority, Sampling, Strategy
from planner.choice.probe_cost import ProbeCost
from planner.plans.plan import Plan, PlanBasis
from profiling.difficulty.fitting import DifficultyEstimator
from profiling.laboratory.catalog import prms_of
from profiling.pass_rate import PassRate

POLICY = "lab-0.8m"
CHAT = "/v1/chat/completions"
EACH = 16
FIXED: Mapping[str, Strategy] = {
    f"majority@{EACH}": Majority(EACH),
    f"best_of_n@{EACH}": BestOfN(EACH),
}
"""What routing is compared with: one strategy for all questions."""
BUDGET = EACH + 4
"""Most generations a question: a strategy of 16, and four probes."""
_START_SECONDS = 240.0
_DRAIN_SECONDS = 5
_END_SECONDS = 20.0  # longer than it drains and writes its last: it ends by itself


def recorded_plan() -> Plan:
    """A plan of what is recorded of the middle laboratory policy and its strong PRM."""
    prm = prms_of(POLICY)["strong"]
    with MathGrader() as grader:
        pools, probes = pools_of(POLICY, prm, grader)
    rates = [(int(pools[p].correct.sum()), len(pools[p])) for p in probes]
    fitted = DifficultyEstimator().fit(list(probes.values()), rates)
    mix = Counter(str(PassRate(*rate).difficulty) for rate in rates)
    tokens = float(np.mean([one.tokens.mean() for one in probes.values()]))
    return dataclasses.replace(
        plan_of(POLICY, prm),
        sampling=Sampling(max_tokens=256),
        template=template_for(POLICY, MODELS / POLICY),
        classifier=fitted.model_,
        constraint=Constraint(budget=BUDGET),
        rests_on=PlanBasis(mix=dict(mix)),
        probe_cost=ProbeCost(tokens, tokens),
    )


@dataclass(frozen=True, slots=True)
class Live:
    """`apportion serve` in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under a name so far; models write other lines while they load."""
        lines = self.log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [one for one in found if one.get("event") == name]

    def ready(self) -> bool:
        """Whether it says that questions can be answered."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200
        except httpx.HTTPError:
            return False

    def resident(self) -> int:
        """Bytes of its memory, without that of its children."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    def children(self) -> list[int]:
        """Processes that it started and that run."""
        path = Path(f"/proc/{self.process.pid}/task")
        return [int(pid) for task in path.iterdir()
                for pid in (task / "children").read_text().split()]  # fmt: skip

    def metrics(self) -> dict[str, float]:
        """What it tells Prometheus, by name and labels."""
        lines = httpx.get(f"{self.url}/metrics", timeout=30).text.splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}


@contextmanager
def serving(plan: Path, *options: str) -> Iterator[Live]:
    """The command, ready; at the end it has been told to end."""
    log = plan.with_name("serve.log")
    store = f"sqlite:///{plan.with_name('served.db')}"
    command = [sys.executable, "-m", "planner.cli.main", "serve", "--plan", str(plan),
               "--port", "0", "--json", "--store", store, "--drain-seconds", f"{_DRAIN_SECONDS}",
               *options]  # fmt: skip
    with log.open("w") as lines:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=lines, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    try:
        ends = time.monotonic() + _START_SECONDS
        said = _said(process, ends)
        if said is None:
            sys.exit(f"bench: the server did not start: {log.read_text()[-2000:]}")
        live = Live(process, int(said["address"].removesuffix("/v1").rsplit(":", 1)[1]), log)
        while not live.ready():
            if process.poll() is not None or time.monotonic() > ends:
                sys.exit(f"bench: the server is not ready: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield live
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _said(process: subprocess.Popen[str], ends: float) -> dict[str, str] | None:
    """The document that the server begins with; None where none comes by then."""
    assert process.stdout is not None
    pipe, said = process.stdout.fileno(), b""
    while not said.endswith(b"}\n"):
        # What is read by lines cannot be awaited for so long and no longer.
        ready, _, _ = select.select([pipe], [], [], max(0.0, ends - time.monotonic()))
        some = os.read(pipe, 4096) if ready else b""
        if not some:
            return None
        said += some
    document: dict[str, str] = json.loads(said)
    return document


@dataclass(frozen=True, slots=True)
class Reply:
    """A response; status 0 and the reason where the connection ended without one."""

    status: int
    headers: Mapping[str, str]
    record: Any
    seconds: float


class Connection:
    """One that stays open, as OpenAI's client keeps them; opened again where it was closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._close()

    async def post(self, path: str, body: bytes, seconds: float) -> Reply:
        """Send a body and await the response, for so long."""
        head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return await self._timed(f"POST {path}", head, body, seconds)

    async def get(self, path: str, seconds: float) -> Reply:
        """Ask for a path."""
        return await self._timed(f"GET {path}", "", b"", seconds)

    async def _timed(self, first: str, head: str, body: bytes, seconds: float) -> Reply:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                status, headers, content = await self._exchange(first, head, body)
        except (OSError, EOFError, TimeoutError) as error:
            self._close()
            return Reply(0, {}, type(error).__name__, time.perf_counter() - began)
        if headers.get("connection") == "close":
            self._close()
        return Reply(status, headers, json.loads(content), time.perf_counter() - began)

    async def _exchange(
        self, first: str, head: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(f"{first} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n".encode() + body)
        said = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        status, *lines = said.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in lines)}
        content = await reader.readexactly(int(headers["content-length"]))
        return int(status.split()[1]), headers, content

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def body(text: str, **wanted: Any) -> bytes:
    """Of a request for an answer to a question."""
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": POLICY, "messages": messages, **wanted}).encode()
