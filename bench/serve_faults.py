"""The service under faults, with real vLLM: killed engines, too many requests, and nonsense.

`apportion serve` runs as its own command line starts it, on the laboratory's models.

- *apart*: the policy's engine has its own process, which is killed (SIGKILL) while clients ask.
  Clients ask again when the server tells them to.
- *server*: the policy is a `vllm serve` at an address. It is killed too, and this bench starts it
  again, as an operator would.
- *burst*: 500 requests at once, three times, against a bounded queue.
- *malformed*: 1,000 requests that are wrong in their bytes, their JSON or a field.

After the loss of an engine, every question must have been answered once, with the answer that it
gets undisturbed. The server must have returned only 200 and 503, and 503 in OpenAI's shape with
Retry-After. An engine in the server's own process can be lost by an error that vLLM raises (it is
then loaded again, too), or with the whole process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import LABORATORY, finish
from live import CHAT, POLICY, Connection, Live, Reply, body, recorded_plan, serving

from executor.engines.options import EngineOptions
from executor.problem import Problem
from executor.serving.command import ServeCommand, serve_policy
from executor.serving.launch import LaunchedServer, free_port, running
from profiling.problems.files import load_problems

CLIENTS = 50
BURST, BURSTS = 500, 3
QUEUE = 100
MALFORMED = 1000
# An answer that takes so long never comes.
_HUNG = 120.0
_LONGEST_RETRY = 0.5
_SERVER_OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.5)
_ENGINE = ("--kv-cache-gib", "0.5")
_ANSWERED = "apportion_answers_total"
_ERROR = {"message", "type", "param", "code"}
_GROWN = 256 << 20  # bytes of memory, from the first burst to the last


@dataclass(slots=True)
class Traffic:
    """What clients saw; times are of `time.perf_counter`.

    Attributes:
        replies: every response, when it came, by question.
        ready: what /readyz said, and when.
    """

    replies: list[tuple[int, float, Reply]] = field(default_factory=list)
    ready: list[tuple[float, int]] = field(default_factory=list)

    def statuses(self) -> Counter[int]:
        """How many of each."""
        return Counter(reply.status for _, _, reply in self.replies)

    def answers(self) -> dict[int, str | None]:
        """Of the questions that were answered: whether one was twice, /metrics must tell."""
        found: dict[int, str | None] = {}
        for index, _, reply in self.replies:
            if reply.status == 200:
                (told,) = reply.record["apportion"]
                found[index] = told["answer"]
        return found


async def clients(
    live: Live, problems: Sequence[Problem], trouble: Callable[[], None] | None, after: int
) -> tuple[Traffic, float]:
    """Ask all questions, 50 at a time; clients ask again for what was not answered.

    Returns:
        What they saw, and when there was trouble: once `after` questions were answered.
    """
    traffic, troubled = Traffic(), 0.0
    left = iter(range(len(problems)))
    asked = [body(problem.text, seed=index, explain=True) for index, problem in enumerate(problems)]
    ended = asyncio.Event()

    async def client() -> None:
        nonlocal troubled
        async with Connection(live.port) as server:
            for index in left:
                while True:
                    reply = await server.post(CHAT, asked[index], _HUNG)
                    traffic.replies.append((index, time.perf_counter(), reply))
                    if reply.status != 503:
                        break
                    # Not as long as it is told to: what comes back early is seen early.
                    await asyncio.sleep(min(_LONGEST_RETRY, float(reply.headers["retry-after"])))
                answered = sum(one.status == 200 for _, _, one in traffic.replies)
                if trouble is not None and not troubled and answered >= after:
                    troubled = time.perf_counter()
                    trouble()

    async def watch() -> None:
        async with Connection(live.port) as server:
            while not ended.is_set():
                reply = await server.get("/readyz", _HUNG)
                traffic.ready.append((time.perf_counter(), reply.status))
                await asyncio.sleep(0.1)

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    ended.set()
    await watching
    return traffic, troubled


def disturbed(
    live: Live, problems: Sequence[Problem], trouble: Callable[[], None]
) -> dict[str, Any]:
    """Ask the same questions undisturbed and disturbed, and compare."""
    plain, _ = asyncio.run(clients(live, problems, None, 0))
    before = answered(live)
    traffic, at = asyncio.run(clients(live, problems, trouble, len(problems) // 3))
    given, lost = traffic.answers(), [r for _, _, r in traffic.replies if r.status == 503]
    bad = [reply for reply in lost if not clean(reply)]
    if bad:
        sys.exit(f"bench: {bad[0]}")
    good = sorted(when for _, when, reply in traffic.replies if reply.status == 200 and when > at)
    failed = [when for _, when, reply in traffic.replies if reply.status == 503]
    unready = [when for when, status in traffic.ready if status == 503]
    again = [when for when, status in traffic.ready if unready and when > unready[-1]]
    expected = plain.answers()
    must(set(traffic.statuses()) <= {200, 503}, f"statuses {traffic.statuses()}")
    must(len(given) == len(problems), f"{len(given)} of {len(problems)} were answered")
    counted = answered(live) - before
    must(counted == len(problems), f"{counted} answers to {len(problems)} questions, by /metrics")
    must(live.process.poll() is None, "the server has ended")
    return {
        "questions": len(problems),
        "statuses": dict(sorted(traffic.statuses().items())),
        "answered": len(given),
        "answered_by_metrics": counted,
        "same_answers": sum(given[index] == answer for index, answer in expected.items()),
        "seconds_to_first_503": min(failed, default=at) - at,
        "seconds_of_503": max(failed, default=at) - min(failed, default=at),
        "longest_503": max((reply.seconds for reply in lost), default=0.0),
        "seconds_to_recovery": next((w for w in good if not failed or w > failed[-1]), at) - at,
        "unready_after": min(unready, default=at) - at,
        "ready_after": min(again, default=at) - at,
        "longest_answer": max(reply.seconds for _, _, reply in traffic.replies),
        "ready_codes": dict(Counter(status for _, status in traffic.ready)),
    }


def must(holds: bool, what: str) -> None:
    """End the bench where something does not hold."""
    if not holds:
        sys.exit(f"bench: {what}")


def clean(reply: Reply) -> bool:
    """Whether an error is in OpenAI's shape, and says when to ask again."""
    error = reply.record.get("error", {})
    return (
        set(error) == _ERROR
        and error["code"] == "engine_unavailable"
        and int(reply.headers["retry-after"]) >= 1
    )


def answered(live: Live) -> int:
    """Questions that the server says it has answered."""
    return int(sum(v for name, v in live.metrics().items() if name.startswith(_ANSWERED + "{")))


def engine_of(live: Live) -> int:
    """The process of its policy's engine."""
    for pid in live.children():
        if b"executor.engines.child_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    sys.exit("bench: the server has no engine process")


def apart(plan: Path, problems: Sequence[Problem]) -> dict[str, Any]:
    """The engine's process killed."""
    with serving(plan, "--apart", *_ENGINE) as live:
        first = engine_of(live)
        found = disturbed(live, problems, lambda: os.kill(first, signal.SIGKILL))
        return found | {"another_engine": engine_of(live) != first}


class Looked:
    """A `vllm serve` that is started again after it was killed."""

    def __init__(self, command: ServeCommand, folder: Path, server: LaunchedServer) -> None:
        self._command = command
        self._folder = folder
        self._server = server
        self.again: LaunchedServer | None = None

    def kill(self) -> None:
        """Kill it, and start another at its address at once; returns before that is well."""
        self._server.kill()
        self.again = LaunchedServer(self._command, self._folder / "again.log")


@contextmanager
def looked_after(folder: Path) -> Iterator[tuple[str, Looked]]:
    """A server of the policy, its address, and who looks after it."""
    command = serve_policy(POLICY, free_port(), _SERVER_OPTIONS)
    with running([command], folder) as (server,):
        looked = Looked(command, folder, server)
        try:
            yield f"{server.url}/v1", looked
        finally:
            if looked.again is not None:
                looked.again.kill()


def server(plan: Path, problems: Sequence[Problem]) -> dict[str, Any]:
    """The server of the policy killed, and started again."""
    with (
        looked_after(plan.parent) as (url, looked),
        serving(plan, "--policy", url, *_ENGINE) as live,
    ):
        # A request of a server is a connection's work: far slower than an engine of one's own.
        return disturbed(live, problems[: len(problems) // 4], looked.kill)


def burst(live: Live, problems: Sequence[Problem]) -> dict[str, Any]:
    """Far more at once than there are places."""
    statuses: Counter[int] = Counter()
    before = answered(live)

    async def one(number: int, index: int) -> Reply:
        problem = problems[index % len(problems)]
        async with Connection(live.port) as server:
            return await server.post(CHAT, body(problem.text, seed=BURST * number + index), _HUNG)

    async def at_once(number: int) -> list[Reply]:
        return await asyncio.gather(*(one(number, index) for index in range(BURST)))

    resident = 0
    longest = 0.0
    for number in range(BURSTS):
        for reply in asyncio.run(at_once(number)):
            statuses[reply.status] += 1
            longest = max(longest, reply.seconds)
            must(reply.status in (200, 429), f"{reply}")
            must(reply.status == 200 or int(reply.headers["retry-after"]) >= 1, f"{reply}")
        if not number:
            resident = live.resident()
    counted, grown = answered(live) - before, live.resident() - resident
    must(counted == statuses[200], f"{statuses[200]} answers came, {counted} were made")
    must(grown < _GROWN, f"memory has grown by {grown / 2**20:.0f} MiB")
    return {
        "statuses": dict(sorted(statuses.items())),
        "answered_by_metrics": counted,
        "longest_answer": longest,
        "mib_after_the_first": resident / 2**20,
        "mib_after_the_last": (resident + grown) / 2**20,
    }


_WRONG: tuple[dict[str, Any], ...] = (
    {"model": "other"}, {"model": 3}, {"messages": []}, {"messages": "hi"}, {"messages": [{}]},
    {"messages": [{"role": "tool", "content": "x"}]}, {"n": 0}, {"n": 1.5}, {"max_tokens": -1},
    {"max_tokens": 10**30}, {"seed": "a"}, {"stop": 3}, {"stream": "yes"}, {"temperature": 9},
    {"temperature": float("nan")}, {"budget": 0}, {"budget": 10**9}, {"strategy": "none"},
    {"strategy": "majority(n=" + "9" * 5000 + ")"}, {"strategy": {"name": "dvts", "n": []}},
    {"target_accuracy": 2}, {"max_seconds": 0}, {"max_usd": -1}, {"explain": 3}, {"tools": [{}]},
    {"logprobs": True}, {"unheard_of": 1}, {"response_format": {"type": "json_object"}},
)  # fmt: skip


def nonsense(random_: random.Random) -> bytes:
    """A body that is surely wrong."""
    whole = body("What is 1 + 1?")
    kind = random_.choice(("bytes", "cut", "type", "field", "fields"))
    if kind == "bytes":
        return random_.randbytes(random_.randrange(200))
    if kind == "cut":
        return whole[: random_.randrange(len(whole))]
    if kind == "type":
        wrong = random_.choice(([], [[[]]], "a", 3, None, True, -1e308, {}, {"a": {"b": []}}))
        return json.dumps(wrong).encode()
    record = json.loads(whole)
    for _ in range(1 if kind == "field" else 4):
        record |= random_.choice(_WRONG)
    return json.dumps(record).encode()


def malformed(live: Live) -> dict[str, Any]:
    """Requests that are wrong, one after another on open connections."""
    random_ = random.Random(0)
    bodies = iter([nonsense(random_) for _ in range(MALFORMED)])
    statuses: Counter[int] = Counter()

    async def client() -> None:
        async with Connection(live.port) as server:
            for one in bodies:
                reply = await server.post(CHAT, one, _HUNG)
                statuses[reply.status] += 1
                must(400 <= reply.status < 500, f"{reply}")
                must(set(reply.record["error"]) == _ERROR, f"{reply}")

    async def every() -> None:
        await asyncio.gather(*(client() for _ in range(8)))

    before = answered(live)
    asyncio.run(every())
    must(answered(live) == before, "nonsense was answered")
    must(live.process.poll() is None and live.ready(), "the server is not ready any more")
    return {"statuses": dict(sorted(statuses.items()))}


def shed(plan: Path, problems: Sequence[Problem]) -> dict[str, dict[str, Any]]:
    """Too much, and nonsense, to a server that is left alone."""
    with serving(plan, "--queue", str(QUEUE), *_ENGINE) as live:
        return {"burst": burst(live, problems), "malformed": malformed(live)}


def main() -> None:
    """Every fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--cases", nargs="+", default=("apart", "server", "shed"))
    parser.add_argument("--plan", type=Path, help="default: one of what is recorded")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # Else what was started would outlive a bench that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    problems = load_problems(LABORATORY / "heldout.jsonl", limit=arguments.problems)
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        plan = Path(scratch) / "plan.json"
        if arguments.plan is None:
            recorded_plan().save(plan)
        else:
            plan.write_bytes(arguments.plan.read_bytes())
        for case in arguments.cases:
            match case:
                case "apart":
                    found[case] = apart(plan, problems)
                case "server":
                    found[case] = server(plan, problems)
                case _:
                    found |= shed(plan, problems)
            print(case, json.dumps(found.get(case, found)), file=sys.stderr)
    finish(found, "; ".join(f"{name}: {line(each)}" for name, each in found.items()),
           as_json=arguments.json)  # fmt: skip


def line(found: dict[str, Any]) -> str:
    """One case in words."""
    words = ", ".join(f"{times} of {status}" for status, times in found["statuses"].items())
    if "questions" in found:
        words += (
            f"; {found['answered']} of {found['questions']} questions answered once "
            f"({found['answered_by_metrics']} by /metrics), "
            f"{found['same_answers']} as undisturbed; "
            f"first answer {found['seconds_to_recovery']:.1f} s after the kill"
        )
    if "ready_after" in found:
        words += f"; /readyz 503 from {found['unready_after']:.1f} to {found['ready_after']:.1f} s"
    if "mib_after_the_last" in found:
        words += (
            f"; {found['answered_by_metrics']} answered by /metrics; "
            f"{found['mib_after_the_first']:.0f} MiB after the first burst, "
            f"{found['mib_after_the_last']:.0f} after the last"
        )
    return words


if __name__ == "__main__":
    main()
