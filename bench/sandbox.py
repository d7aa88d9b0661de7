"""The sandbox: how fast it is, and whether it withstands what programs may do to it.

Prints how many trivial programs run in a second, in as many places as there are cores, and the
processor time of one; how many of the attacks of `executor.testing.attacks` passed their tests; how
long honest programs beside each attack had to wait; and how many processes and files all this left.
Give it free cores: two for the figures of the documentation.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.sandbox.inside.warden import descendants
from executor.sandbox.sandbox import Isolation, Limits, Sandbox
from executor.testing.attacks import SUITE, attacks, bait

HONEST = "def answer(n):\n    return n * n + 1\n"
_PAUSE = 0.05  # seconds between two honest programs beside an attack


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast trivial programs run.

    Attributes:
        runs: number of programs.
        per_second: programs in a second of the clock.
        cpu_milliseconds: processor time of a program, of all processes together.
        left_processes, left_files: what the runs left.
    """

    runs: int
    per_second: float
    cpu_milliseconds: float
    left_processes: int
    left_files: int


@dataclass(frozen=True, slots=True)
class Defence:
    """What came of the attacks.

    Attributes:
        attacks: number of them.
        passed: names of those that passed their tests, which means that they succeeded.
        verdicts: what came of each.
        quiet_p99, beside_p99: seconds of an honest program, 99th percentile, without and beside
            attacks.
        honest_failed: number of honest programs beside attacks that did not pass.
    """

    attacks: int
    passed: list[str]
    verdicts: dict[str, str]
    quiet_p99: float
    beside_p99: float
    honest_failed: int


def files() -> set[str]:
    """Return the files and folders of places that programs might write to."""
    places = (Path("/tmp"), Path("/dev/shm"), Path.home(), ROOT)
    return {str(path) for place in places if place.is_dir() for path in place.iterdir()}


def cpu_seconds() -> float:
    """Return the processor time of this process and of the children that ended."""
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def speed(runs: int, places: int, isolation: Isolation | None) -> Speed:
    """Run trivial programs in all places at once."""
    files_before, processes_before = files(), set(descendants(os.getpid()))
    cpu_before = cpu_seconds()
    with (
        Sandbox(isolation=isolation, places=places) as sandbox,
        ThreadPoolExecutor(places) as threads,
    ):
        list(threads.map(lambda _: sandbox.passes(HONEST, SUITE), range(places)))  # warm
        started = time.perf_counter()
        passed = list(threads.map(lambda _: sandbox.passes(HONEST, SUITE), range(runs)))
        seconds = time.perf_counter() - started
    assert all(passed)
    return Speed(
        runs,
        runs / seconds,
        1000 * (cpu_seconds() - cpu_before) / runs,
        len(set(descendants(os.getpid())) - processes_before),
        len(files() - files_before),
    )


def honest(sandbox: Sandbox) -> tuple[float, bool]:
    """Run one honest program; return its seconds, and whether it passed."""
    started = time.perf_counter()
    passed = sandbox.passes(HONEST, SUITE)
    return time.perf_counter() - started, passed


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do something again and again during this context."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(_PAUSE):
            work()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def defend(seconds: float, isolation: Isolation | None) -> Defence:
    """Run each attack while honest programs run in the sandbox's other place."""
    verdicts: dict[str, str] = {}
    seen: list[tuple[float, bool]] = []
    with bait() as laid, Sandbox(Limits(seconds=seconds), places=2, isolation=isolation) as sandbox:
        for _ in range(2):
            honest(sandbox)
        quiet = [honest(sandbox)[0] for _ in range(100)]
        for attack in attacks():
            with beside(lambda: seen.append(honest(sandbox))):
                verdicts[attack.name] = sandbox.run(attack.program(laid), attack.suite)[0].kind
    return Defence(
        len(verdicts),
        [name for name, kind in verdicts.items() if kind == "passed"],
        verdicts,
        p99(quiet),
        p99([one for one, _ in seen]),
        sum(not passed for _, passed in seen),
    )


def p99(seconds: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(seconds, n=100)[98]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="trivial programs")
    parser.add_argument("--places", type=int, default=2, help="programs at once")
    parser.add_argument("--seconds", type=float, default=1.0, help="limit of an attack")
    parser.add_argument("--isolation", type=Isolation, help="namespaces or filters")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    fast = speed(arguments.runs, arguments.places, arguments.isolation)
    defence = defend(arguments.seconds, arguments.isolation)
    document = {
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "speed": asdict(fast),
        "defence": asdict(defence),
    }
    line = (
        f"{fast.per_second:.0f} programs/s in {arguments.places} places "
        f"({fast.cpu_milliseconds:.1f} ms of processor time each); "
        f"{len(defence.passed)} of {defence.attacks} attacks succeeded; p99 of an honest program "
        f"{1000 * defence.beside_p99:.0f} ms beside attacks, {1000 * defence.quiet_p99:.0f} ms "
        f"quiet; left {fast.left_processes} processes and {fast.left_files} files"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
