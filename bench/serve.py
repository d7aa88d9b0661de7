"""What the server itself takes of a request's time, with 50 requests in flight.

The server runs in a process of its own, as `apportion serve` does; requests come over HTTP on 50
connections that stay open. No model runs: a request is generated for by sleeping, half a second on
average and each time another, so that what is measured is not how 50 requests wait for each other
after having come at once. Own time is what a client waits, less that sleep: the way to the server
and back, reading, routing, votes and grading, writing, and waiting for the other 49. Timers
wake up to a millisecond late, which counts, too: `routed` sleeps twice where it probes first.
`by_its_own_clock` is what the server says in its log: all but waiting for the answerer.

`server` answers at once with a text made before; `routed` is the whole road of a question: probes,
difficulty, a strategy of a plan for it under a budget of the request's own, votes, ledger, drift.
The plan is made of the bundled evidence on the middle laboratory policy and its strong PRM, of
strategies that sample whole responses, and the difficulty model is fitted to its pools.

`saturated` is the same without sleep: a closed loop of 50 clients, of which each waits for all
others, so that its times say how much a core can do and not how long a request takes.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from recommend import POLICY, plan_of
from routing import pools_of

from executor.answers import MathGrader
from executor.ledger import Ledger
from executor.policy import Draw
from executor.runner import Executor
from executor.simulated import SimulatedPolicy, SimulatedPrm
from executor.strategy import BestOfN, Greedy, Majority
from planner.constraint import Constraint
from planner.plan import Plan
from planner.service.answerer import Answered, Query, Report
from planner.service.planned import PlanAnswerer
from planner.service.settings import Settings
from profiling.fit_difficulty import DifficultyEstimator
from profiling.laboratory.catalog import prms_of

IN_FLIGHT = 50
MEAN_SLEEP = 0.5
BUDGET = 16
KINDS = ("server", "routed")
_SAMPLING = (Greedy, Majority, BestOfN)

_slept: ContextVar[list[float]] = ContextVar("slept")


async def generate(mean: float) -> None:
    """Take the time that an engine would, and note it for the request."""
    seconds = random.uniform(0.5, 1.5) * mean if mean else 0.0
    _slept.get().append(seconds)
    await asyncio.sleep(seconds)


class CannedPolicy(SimulatedPolicy):
    """Writes the same responses every time, which were made before."""

    def __init__(self, mean: float) -> None:
        super().__init__(0.7, 2)
        self._mean = mean
        self._made: dict[int, list[Draw]] = {}

    async def draw(self, prompt_ids: Sequence[int], **options: Any) -> list[Draw]:
        """See `Policy.draw`."""
        n, ledger, finished = options["n"], options["ledger"], options.get("finished")
        if n not in self._made:
            made = {"finished": None, "ledger": Ledger(), "seed": 1}
            self._made[n] = await super().draw(prompt_ids, **(options | made))
        await generate(self._mean)
        draws = self._made[n]
        ledger.prompt += n * len(prompt_ids)
        ledger.generated += sum(len(draw.token_ids) for draw in draws)
        if finished is not None:
            for child, draw in enumerate(draws):
                finished(child, draw)
        return draws


class Canned:
    """An answerer that has its answer ready."""

    model = "canned"

    def __init__(self, mean: float) -> None:
        self._mean = mean
        text = "\n\n".join(f"Step {k}: so x is {k}." for k in range(8))
        self._answered = Answered(
            (text,), ("stop",), "7", Majority(16), "medium", 0.5, (0.4, 0.6),
            Ledger(prompt=900, generated=4000), 0.5, {"flops": 1e9, "usd": None, "seconds": 0.5},
            (), {},
        )  # fmt: skip

    async def answer(self, query: Query, progress: Report) -> Answered:
        """The answer, after some time."""
        await generate(self._mean)
        return self._answered

    def decode(self, token_ids: Sequence[int]) -> str:
        """Not asked for."""
        raise NotImplementedError

    async def ready(self) -> None:
        """It always is."""

    async def close(self) -> None:
        """Nothing to release."""


class Timed:
    """An answerer that tells with each answer how long was slept for it."""

    def __init__(self, answerer: Any) -> None:
        self._answerer = answerer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answerer, name)

    async def answer(self, query: Query, progress: Report) -> Answered:
        """See `Answerer.answer`."""
        slept: list[float] = []
        _slept.set(slept)
        answered = await self._answerer.answer(query, progress)
        return dataclasses.replace(answered, explain={"slept": sum(slept)})


def laboratory_plan() -> Plan:
    """A plan that routes, of strategies whose draws come one after another."""
    prm = prms_of(POLICY)["strong"]
    plan = plan_of(POLICY, prm)
    with MathGrader() as grader:
        pools, probes = pools_of(POLICY, prm, grader)
        rates = [(int(pools[p].correct.sum()), len(pools[p])) for p in probes]
        fitted = DifficultyEstimator().fit(list(probes.values()), rates)
    known = {
        level: tuple(one for one in entries if isinstance(one.strategy, _SAMPLING))
        for level, entries in plan.alternatives.items()
    }
    levels = [level for level in known if level != "all"]
    return dataclasses.replace(
        plan,
        alternatives=known,
        entries={level: entries[0] for level, entries in known.items()},
        classifier=fitted.model_,
        rests_on={"mix": dict.fromkeys(levels, 100)},
    )


def serve(kind: str, mean: float, plan: str, log: str, pipe: Any) -> None:
    """The server's process: tells its address, and ends when it is killed."""
    import gc

    from planner.service.app import create_app
    from planner.service.drift import Drift
    from planner.service.logs import Log
    from planner.service.server import Server

    answerer: Any = Canned(mean)
    if kind == "routed":
        read = Plan.load(Path(plan))
        drift = Drift(read)
        executor = Executor(CannedPolicy(mean), SimulatedPrm(), MathGrader(), read.sampling)
        answerer = PlanAnswerer(
            read,
            lambda: executor,
            watch=lambda query, routed, _: drift.observe(query.text, routed.agreement),
        )
    settings = Settings(constraint=Constraint(budget=BUDGET), concurrency=2 * IN_FLIGHT)

    def listening(address: str) -> None:
        gc.collect()
        gc.freeze()  # as `apportion serve` does
        pipe.send(address)

    with open(log, "w") as lines:
        app = create_app(Timed(answerer), settings, log=Log(lines))
        Server(app, "127.0.0.1", 0, listening).run()


@contextmanager
def running(kind: str, mean: float, plan: Path, log: Path) -> Iterator[tuple[int, int]]:
    """The port of a server, and its process."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(
        target=serve, args=(kind, mean, str(plan), str(log), theirs), daemon=True
    )
    process.start()
    try:
        yield int(mine.recv().rsplit(":", 1)[1]), int(process.pid or 0)
    finally:
        process.kill()
        process.join()


def cpu_seconds(pid: int) -> float:
    """What a process has computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, model: str, text: str
) -> float:
    """One request; seconds waited, less what was slept for it."""
    messages = [{"role": "user", "content": text}]
    body = json.dumps({"model": model, "messages": messages, "explain": True}).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    began = time.perf_counter()
    writer.write(head.encode() + body)
    said = await reader.readuntil(b"\r\n\r\n")
    length = int(said.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    content = await reader.readexactly(length)
    waited = time.perf_counter() - began
    record = json.loads(content)
    if not said.startswith(b"HTTP/1.1 200"):
        sys.exit(f"bench: {record}")
    return waited - float(record["apportion"][0]["explain"]["slept"])


async def load(port: int, model: str, mean: float, seconds: float, pid: int) -> dict[str, Any]:
    """Own times over so many seconds, after a tenth as many that do not count."""
    own: list[float] = []
    begun = time.perf_counter()
    counts_from, ends = begun + seconds / 10, begun + 1.1 * seconds
    busy = 0.0

    async def worker(index: int) -> None:
        await asyncio.sleep(random.uniform(0, mean))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        number = 0
        while time.perf_counter() < ends:
            number += 1
            text = f"Ann has {index} coins and finds {number} more. How many coins has Ann now?"
            took = await ask(reader, writer, model, text)
            if time.perf_counter() >= counts_from:
                own.append(took)
        writer.close()

    async def count() -> None:
        nonlocal busy
        await asyncio.sleep(seconds / 10)
        before = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        busy = cpu_seconds(pid) - before

    await asyncio.gather(count(), *map(worker, range(IN_FLIGHT)))
    p50, p99 = np.percentile(own, [50, 99]) * 1e3
    return {
        "requests": len(own),
        "requests_per_second": len(own) / seconds,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "longest_ms": 1e3 * max(own),
        "cpu_ms_a_request": 1e3 * busy / len(own),
    }


def measure(kind: str, mean: float, seconds: float, plan: Path) -> dict[str, Any]:
    """One server under one load."""
    model = Canned.model if kind == "server" else SimulatedPolicy().name
    log = plan.with_name("log")
    with running(kind, mean, plan, log) as (port, pid):
        found = asyncio.run(load(port, model, mean, seconds, pid))
    events = map(json.loads, log.read_text().splitlines())
    own = [event["own_seconds"] for event in events if event["event"] == "request"]
    p50, p99 = np.percentile(own, [50, 99]) * 1e3
    return found | {"by_its_own_clock": {"p50_ms": float(p50), "p99_ms": float(p99)}}


def main() -> None:
    """Both servers, with and without sleep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="each of four measurements")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    document: dict[str, Any] = {"in_flight": IN_FLIGHT, "mean_sleep": MEAN_SLEEP}
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        laboratory_plan().save(plan)
        for kind in KINDS:
            document[kind] = measure(kind, MEAN_SLEEP, arguments.seconds, plan)
            document[f"{kind}, saturated"] = measure(kind, 0.0, arguments.seconds, plan)
    line = f"own time with {IN_FLIGHT} requests in flight: " + "; ".join(
        f"{kind} {found['p50_ms']:.2f} ms p50, {found['p99_ms']:.2f} ms p99 "
        f"(saturated {document[f'{kind}, saturated']['requests_per_second']:.0f} requests/s, "
        f"{document[f'{kind}, saturated']['cpu_ms_a_request']:.2f} ms of a core each)"
        for kind in KINDS
        for found in [document[kind]]
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
