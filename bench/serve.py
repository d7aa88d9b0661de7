"""How much of a request's time do routing and the server take, with 50 requests in flight?

The server runs in its own process on its own core, as `apportion serve` does. Requests come over
HTTP from another core, on 50 connections that stay open. No model runs: a request is generated for
by sleeping, half a second on average and a different time for each, so that the bench does not
measure how 50 requests that come at once wait for each other. A timer of the kernel ends the sleep,
and the event loop hears of that as it hears of an engine's answer (Linux only). The delay until it
hears counts, at every request to the policy: for the probes, then for as many samples at a time as
could settle the vote. The loads take turns.

There are three figures, each contained in the next:

- `routing`: the work to route a question: the features of its text, whether they are like the
  profile's, the worth and the result of the probes, the choice, drift, and the record for feedback.
  The server's log has it (`routing_seconds`) for every question.
- `service`: the same, and the server's work before and after a request's questions are answered:
  reading, checking, writing (`own_seconds` of the log). It excludes the work after the response
  (metrics, the log's line) and the answerer's work for each question besides routing (turns, the
  strategy's context, costs and notes).
- `own`: all that a client waits, minus the sleep: the way to the server and back, the search itself
  (responses cut into steps, scored, graded, voted on), and waiting for the other 49.

The search's part of `own` is `alone`: the executor by itself, without a server and without routing,
runs the chosen strategies as often as they were chosen, with its 50 questions in flight by the same
sleep; it draws no probes first. In `mixed`, every other request, at random, names its strategy,
each one of those that `routed` ran. For these, no probes are weighed or drawn first and nothing is
chosen, but the text is still looked at, for drift and for the expected accuracy. The difference
between the medians of the halves is what probing and choosing add for a client, minus the time of
generating.

`server` answers at once with a ready text. `routed` is the whole path of a question, with
strategies of a plan under the request's own budget. The plan is made from the bundled samples of
the middle laboratory policy and its strong PRM, as `apportion plan` makes one, with a difficulty
model and a reference, but keeps only strategies that sample whole responses. Questions are stories
of the laboratory's task that are not in its files; hardly two are alike. The work of models does
not count: a few hundred responses and rewards were made before and come back unchanged. The PRM's
come at once; a model server would need time for them, in another process. The simulated policy
tokenizes prompts, one token per character.

If nothing else runs, a core falls asleep between two requests, and its first work after that takes
a few times as long as in a row. This is part of all the figures above, but not of `saturated`: the
same without sleep, a closed loop of 50 clients, each of which waits for all others. Its times say
how much a core can do and not how long a request takes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from canned import MOST, Canned, Timed, executor_of, laboratory_plan, questions, routing, slept
from common import ROOT, finish

sys.path.insert(0, str(ROOT))

from executor.problem import Problem
from executor.run.runner import Executor
from executor.strategy import from_key
from planner.choice.constraint import Constraint
from planner.plans.serialization import load_plan
from planner.service.http.settings import ServiceSettings

IN_FLIGHT = 50
MEAN_SLEEP = 0.5
ASKED = 1000  # questions that are asked in turn
KINDS = ("server", "routed", "mixed", "alone")


def serve(kind: str, mean: float, plan: str, log: str, core: int, pipe: Any) -> None:
    """The server's process: tells its address, and ends when it is killed."""
    os.sched_setaffinity(0, {core})
    from planner.service.http.app import create_app
    from planner.service.http.server import DrainingServer
    from planner.service.monitoring.logs import ServiceLog

    answerer: Any = Canned(mean, 2 * IN_FLIGHT)
    if kind != "server":
        store = f"sqlite:///{Path(plan).with_name(f'{kind}-{mean:g}.db')}"
        answerer = routing(load_plan(Path(plan)), mean, store)
    settings = ServiceSettings(constraint=Constraint(budget=MOST), concurrency=2 * IN_FLIGHT)

    def listening(address: str) -> None:
        gc.collect()
        gc.freeze()  # as `apportion serve` does
        pipe.send(address)

    with open(log, "w") as lines:
        app = create_app(Timed(answerer), settings, log=ServiceLog(lines))
        DrainingServer(app, "127.0.0.1", 0, listening).run()


def alone(mean: float, plan: str, core: int, pipe: Any) -> None:
    """The process of the executor by itself: told how long to run what, it says what came."""
    os.sched_setaffinity(0, {core})
    import uvloop  # as the server does

    executor = executor_of(load_plan(Path(plan)), mean)
    gc.collect()
    gc.freeze()
    pipe.send("ready")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while True:
            seconds, ran = pipe.recv()
            pipe.send(runner.run(solve(executor, mean, seconds, ran)))


async def solve(executor: Executor, mean: float, seconds: float, ran: Mapping[str, int]) -> Load:
    """What `load` does, with questions that go to the executor."""
    answers: list[Answer] = []
    asked = enumerate(cycle(list(islice(questions(2), ASKED))))
    begun = time.perf_counter()
    counts_from, ends = begun + seconds / 10, begun + 1.1 * seconds
    strategies = {name: from_key(name) for name in ran}

    async def worker() -> None:
        await asyncio.sleep(random.uniform(0, mean))
        while time.perf_counter() < ends:
            name = random.choices(list(ran), list(ran.values()))[0]
            number, text = next(asked)
            noted: list[float] = []
            slept.set(noted)
            began = time.perf_counter()
            await executor.solve(Problem(str(number), text), strategies[name])
            took = time.perf_counter() - began - sum(noted)
            if time.perf_counter() >= counts_from:
                answers.append(Answer(took, len(noted), name, True))

    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return Load(answers, time.perf_counter() - counts_from, [])


@dataclass(frozen=True, slots=True)
class Running:
    """A server: its port, and its log."""

    port: int
    log: Path


@contextmanager
def process(work: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """The pipe to a process of its own."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    started = context.Process(target=work, args=(*arguments, theirs), daemon=True)
    started.start()
    try:
        yield mine
    finally:
        started.kill()
        started.join()


@contextmanager
def running(kind: str, mean: float, plan: Path, core: int) -> Iterator[Running]:
    """A server."""
    log = plan.with_name(f"{kind}-{mean:g}.log")
    with process(serve, kind, mean, str(plan), str(log), core) as pipe:
        yield Running(int(pipe.recv().rsplit(":", 1)[1]), log)


@contextmanager
def running_alone(mean: float, plan: Path, core: int) -> Iterator[Any]:
    """The executor by itself: the pipe that it is told by."""
    with process(alone, mean, str(plan), core) as pipe:
        pipe.recv()
        yield pipe


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: str, strategy: str | None
) -> tuple[float, int, str]:
    """One request; seconds waited, less what was slept for it, how often it was, and by which
    strategy (`executor.strategy.key`) it was answered."""
    record: dict[str, Any] = {
        "model": Canned.model,
        "messages": [{"role": "user", "content": text}],
    }
    if strategy is not None:
        record["strategy"] = strategy
    body = json.dumps(record).encode()
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
    told = record["choices"][0]["message"]["content"].partition("\n")[0]
    seconds, times, run = told.split(maxsplit=2)
    return waited - float(seconds), int(times), run


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: own seconds, requests to the policy, the strategy run, whether it was forced."""

    own: float
    draws: int
    ran: str
    forced: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one load: its answers, seconds until the last of them, and what the server's
    log says of each routed question: seconds of the server's own, and of routing."""

    answers: list[Answer]
    seconds: float
    logged: list[tuple[float, float]]


async def load(server: Running, mean: float, seconds: float, forced: Mapping[str, int]) -> Load:
    """Requests over so many seconds, after a tenth as many that do not count.

    Where there are `forced` strategies, every other request, by chance, names one, as often as
    these were run.
    """
    answers: list[Answer] = []
    # Made before: what the client computes meanwhile would count.
    asked = cycle(list(islice(questions(2), ASKED)))
    begun = time.perf_counter()
    counts_from, ends = begun + seconds / 10, begun + 1.1 * seconds
    logged = ""

    def named() -> str | None:
        if not forced or random.random() < 0.5:
            return None
        return random.choices(list(forced), list(forced.values()))[0]

    async def worker() -> None:
        await asyncio.sleep(random.uniform(0, mean))
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while time.perf_counter() < ends:
            strategy = named()
            took, draws, ran = await ask(reader, writer, next(asked), strategy)
            if time.perf_counter() >= counts_from:
                answers.append(Answer(took, draws, ran, strategy is not None))
        writer.close()

    async def read_log() -> None:
        nonlocal logged
        await asyncio.sleep(seconds / 10)
        written = server.log.stat().st_size
        await asyncio.sleep(seconds)
        logged = server.log.read_text()[written:]

    await asyncio.gather(read_log(), *(worker() for _ in range(IN_FLIGHT)))
    lines = [json.loads(line) for line in logged.splitlines() if '"event": "request"' in line]
    told = [(line["own_seconds"], *line["routing_seconds"]) for line in lines]
    return Load(answers, time.perf_counter() - counts_from, told)


def measure(
    mean: float, rounds: int, seconds: float, plan: Path, core: int
) -> dict[str, list[Load]]:
    """All loads in turn, so many times; see `load`."""
    found: dict[str, list[Load]] = {kind: [] for kind in KINDS}
    with (
        running("server", mean, plan, core) as server,
        running("routed", mean, plan, core) as routed,
        running_alone(mean, plan, core) as pipe,
    ):
        for _ in range(rounds):
            found["server"].append(asyncio.run(load(server, mean, seconds, {})))
            found["routed"].append(asyncio.run(load(routed, mean, seconds, {})))
            ran = Counter(answer.ran for answer in found["routed"][0].answers)
            found["mixed"].append(asyncio.run(load(routed, mean, seconds, ran)))
            pipe.send((seconds, ran))
            found["alone"].append(pipe.recv())
    return found


def times(rounds: Sequence[Sequence[Answer]]) -> dict[str, Any]:
    """Own times in milliseconds over all rounds, and the span of the rounds' medians."""
    own = [np.array([answer.own for answer in answers]) * 1e3 for answers in rounds]
    p50, p99 = np.percentile(np.concatenate(own), [50, 99])
    medians = [float(np.median(one)) for one in own]
    return {
        "requests": sum(map(len, own)),
        "p50_ms": float(p50),
        "p50_of_rounds_ms": [min(medians), max(medians)],
        "p99_ms": float(p99),
        "draws": float(np.mean([answer.draws for answers in rounds for answer in answers])),
        "ran": dict(Counter(answer.ran for answers in rounds for answer in answers).most_common()),
    }


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """In milliseconds."""
    p50, p99 = np.percentile(1e3 * np.array(seconds), [50, 99])
    return {"p50_ms": float(p50), "p99_ms": float(p99)}


def main() -> None:
    """All loads, with and without sleep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="each load of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds, rounds = arguments.seconds, arguments.rounds
    # The clients compute, too: on the server's core they would be part of what it takes.
    core, *others = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, others or [core])
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        laboratory_plan().save(plan)
        loads = measure(MEAN_SLEEP, rounds, seconds, plan, core)
        saturated = measure(0.0, 1, seconds, plan, core)
    document: dict[str, Any] = {"in_flight": IN_FLIGHT, "mean_sleep": MEAN_SLEEP}
    logged = [one for load in loads["routed"] for one in load.logged]
    document["routing"] = percentiles([routing for _, routing in logged])
    document["service"] = percentiles([own + routing for own, routing in logged])
    for kind in ("server", "routed", "alone"):
        (full,) = saturated[kind]
        document[kind] = times([one.answers for one in loads[kind]]) | {
            "saturated_requests_per_second": len(full.answers) / full.seconds,
        }
    halves = {
        name: times([[a for a in one.answers if a.forced == forced] for one in loads["mixed"]])
        for name, forced in (("routed", False), ("forced", True))
    }
    # Of the medians alone: both halves share a loop, and its worst moments are those of both.
    adds = halves["routed"]["p50_ms"] - halves["forced"]["p50_ms"]
    document["mixed"] = halves | {"choosing_adds_p50_ms": adds}
    parts = [
        f"{name} {document[name]['p50_ms']:.2f} ms p50, {document[name]['p99_ms']:.2f} ms p99"
        for name in ("routing", "service")
    ] + [
        f"{what} {own['p50_ms']:.2f} ms p50 (rounds {own['p50_of_rounds_ms'][0]:.2f} to "
        f"{own['p50_of_rounds_ms'][1]:.2f}), {own['p99_ms']:.2f} ms p99, {own['draws']:.1f} "
        f"requests to the policy each (saturated {own['saturated_requests_per_second']:.0f} a "
        "second)"
        for what, kind in (
            ("all of a routed request", "routed"), ("of one answered at once", "server"),
            ("of the executor alone", "alone"),
        )
        for own in [document[kind]]
    ]  # fmt: skip
    line = (
        f"{IN_FLIGHT} requests in flight, {rounds} rounds, {len(logged)} questions: "
        f"{'; '.join(parts)}; probing and choosing add {adds:+.2f} ms p50 to the same strategies "
        "forced"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
