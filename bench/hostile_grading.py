"""Votes over hostile answers: how long they take, and what other clients notice.

Prints how many formulas are compared in a second; how long a vote over 64 hostile answers takes
(towers of powers, huge factorials, products, sums, binomials, integrals, gamma functions); and the
latency of other clients' grading while hostile votes run one after another, beside the latency
without them. Give it free cores: two for the figures of the documentation.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.account import grading_account
from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, vote

_SYMBOLIC = 400
_CLIENTS = 2


def hostile_answers(numbers: Iterator[int]) -> Iterator[str]:
    """Yield answers without end, no two the same; each takes any time to evaluate."""
    for n in numbers:
        yield f"{n + 3}^{{{n + 4}^{{{n + 5}^{{{n + 6}}}}}}}"
        yield f"({10**8 + n})!"
        yield rf"\binom{{{10**9 + n}}}{{{5 * 10**8 + n}}}"
        yield rf"\prod_{{k=1}}^{{{99_999 + n}}}(k^2+{n + 1})"
        yield rf"\sum_{{k=1}}^{{{10**7 + n}}}\frac{{1}}{{k^2+{n + 1}}}"
        yield "".join(rf"\sqrt{{{p + n}+" for p in (2, 3, 5, 7, 11, 13)) + "x" + "}" * 6
        yield rf"\int_0^1\int_0^x\int_0^y\sin(xyz)^{{{n + 5}}}e^{{x^2y}}dz\,dy\,dx"
        yield rf"(x+y+z+{n + 1})^{{{200 + n}}}"
        yield rf"2^{{{3900 + n}}}(\frac{{1}}{{{n + 3}}})!"
        yield rf"3^{{{2400 + n}}}(\frac{{2}}{{{2 * n + 3}}})!"


def symbolic_pairs(source: random.Random) -> Iterator[tuple[str, str]]:
    """Yield pairs without end; about half of them are equal."""
    while True:
        a, b = source.randint(2, 10**4), source.randint(2, 10**4)
        c = b + source.randint(0, 1)
        yield f"{a}k+{a * b}", f"{a}(k+{c})"
        yield rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * c}}}"
        yield rf"\frac{{{a}}}{{\sqrt{{{b}}}}}", rf"\frac{{{a}\sqrt{{{b}}}}}{{{c}}}"
        yield f"x^2+{a + b}x+{a * b}", f"(x+{a})(x+{c})"


def symbolic_per_second(grader: MathGrader) -> float:
    """Return comparisons of formulas a second, asked from as many threads as a service has."""
    pairs = list(itertools.islice(symbolic_pairs(random.Random(0)), _SYMBOLIC))
    started = time.perf_counter()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda pair: grader.equivalent(*pair), pairs))
    return len(pairs) / (time.perf_counter() - started)


@dataclass(frozen=True)
class HostileVote:
    """A vote over hostile answers: its seconds, and the number of pairs it did not compare."""

    seconds: float
    uncompared: int


def hostile_vote(grader: MathGrader, first: int, n: int = 64) -> HostileVote:
    """Vote over `n` hostile answers that were not seen before."""
    answers = list(itertools.islice(hostile_answers(itertools.count(first)), n))
    started = time.perf_counter()
    with grading_account() as account:
        vote(answers, None, Vote.MAJORITY, grader)
    return HostileVote(time.perf_counter() - started, account.uncompared)


def latencies(grader: MathGrader, seconds: float, seed: int) -> list[float]:
    """Return the seconds of each grading of clients that grade one answer after another."""
    end = time.perf_counter() + seconds

    def client(number: int) -> list[float]:
        source = random.Random(seed + number)
        found = []
        for pair in symbolic_pairs(source):
            started = time.perf_counter()
            if started > end:
                return found
            grader.equivalent(*pair)
            found.append(time.perf_counter() - started)
            time.sleep(source.uniform(0, 0.03))
        return found

    with ThreadPoolExecutor(_CLIENTS) as threads:
        return [one for found in threads.map(client, range(_CLIENTS)) for one in found]


def beside_hostile(grader: MathGrader, seconds: float, clients: int) -> list[float]:
    """Return `latencies` while hostile clients vote without a pause."""
    over = threading.Event()
    numbers = itertools.count(10_000, 100)

    def attack() -> None:
        while not over.is_set():
            hostile_vote(grader, next(numbers))

    with ThreadPoolExecutor(clients) as threads:
        for _ in range(clients):
            threads.submit(attack)
        time.sleep(1)
        found = latencies(grader, seconds, seed=100)
        over.set()
    return found


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100)[98]


def left_behind() -> int:
    """Return the number of processes that run the worker's script."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return sum(
        str(ROOT / "executor/answers/worker.py") in row for row in listed.stdout.splitlines()
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20, help="of each latency measurement")
    parser.add_argument("--hostile", type=int, default=1, help="clients that vote without a pause")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with MathGrader() as grader:
        started = time.perf_counter()
        grader.equivalent("x+y", "y+x")
        start = time.perf_counter() - started
        symbolic = symbolic_per_second(grader)
        quiet = p99(latencies(grader, arguments.seconds, seed=0))
        beside = p99(beside_hostile(grader, arguments.seconds, arguments.hostile))
        hostile = hostile_vote(grader, 0)
    with MathGrader() as fresh:
        cold = hostile_vote(fresh, 0)
    document = {
        "start_seconds": start,
        "symbolic_per_second": symbolic,
        "hostile_vote_seconds": hostile.seconds,
        "hostile_vote_seconds_with_start": cold.seconds,
        "hostile_vote_uncompared_pairs": hostile.uncompared,
        "p99_quiet_seconds": quiet,
        "p99_beside_hostile_seconds": beside,
        "processes_left": left_behind(),
    }
    line = (
        f"{symbolic:,.0f} symbolic/s; 64 hostile answers "
        f"{hostile.seconds:.1f} s ({cold.seconds:.1f} s with the start); p99 of others "
        f"{1000 * beside:.0f} ms beside {1000 * quiet:.0f} ms quiet"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
