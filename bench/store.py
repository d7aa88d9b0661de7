"""How many rows a second a store takes: finished problems, and whole runs.

Each problem has 16 samples of 200 tokens and is one transaction, as in `apportion profile`. *saves*
calls the store alone; *run* is the loop over problems with a solver that takes no time. Without
`--store` a new SQLite file is measured; a PostgreSQL database must be empty.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.ledger import Ledger
from executor.outcome import Outcome, SampleRecord
from executor.policies.simulated import simulated_problems
from executor.problem import Problem
from executor.run.runner import run_problems
from executor.store.store import RunSpec, Store

SAMPLES, TOKENS = 16, 200


def outcome(problem: Problem) -> Outcome:
    """A finished problem."""
    record = SampleRecord(
        text="so x is 7. " * 60, answer="7", correct=True, state="finished", n_tokens=TOKENS,
        logprob=-31.25, rewards=(0.25, 0.5, 0.75), steps=(60, 60, 80),
        token_ids=tuple(range(1000, 1000 + TOKENS)),
    )  # fmt: skip
    return Outcome(problem, "7", True, 0, (record,) * SAMPLES, Ledger(prompt=9, generated=3200))


def saves(store: Store, problems: list[Problem], spec: RunSpec) -> None:
    """Save every problem, one after the other."""
    store.start(spec)
    for problem in problems:
        store.save(spec, outcome(problem), {})


def run(store: Store, problems: list[Problem], spec: RunSpec) -> None:
    """Run the loop over problems."""

    async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        return outcome(problem), {}

    asyncio.run(run_problems(problems, solve, store, spec))


def main() -> None:
    """Measure both, several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--store", help="URL of an empty store (default: a new SQLite file)")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    problems = simulated_problems(given.problems)
    rates: dict[str, list[float]] = {"saves": [], "run": []}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        for number in range(given.rounds):
            url = given.store or f"sqlite:///{folder}/{number}.db"
            with Store.open(url) as store:
                for name, work in (("saves", saves), ("run", run)):
                    spec = RunSpec("profile", f"policy-{time.time()}", None, {"work": name})
                    started = time.perf_counter()
                    work(store, problems, spec)
                    seconds = time.perf_counter() - started
                    rates[name].append(given.problems * (SAMPLES + 1) / seconds)
    best = {name: round(max(found)) for name, found in rates.items()}
    middle = {name: round(statistics.median(found)) for name, found in rates.items()}
    line = ", ".join(f"{name} {middle[name]:,} (best {best[name]:,})" for name in rates)
    finish({"median": middle, "best": best}, f"rows a second: {line}", as_json=given.json)


if __name__ == "__main__":
    main()
