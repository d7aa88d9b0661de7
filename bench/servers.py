"""Two `vllm serve` policies, one killed during a run: losses, repetitions and lost time.

The bench solves 60 problems of the laboratory by majority on two servers of `lab-0.8m` on this
machine: first undisturbed, then again with one server killed (SIGKILL) once a third of the problems
are solved. Nothing may be lost or done twice. In the first run the ledger is compared with the
servers' own counters; a killed server takes its counters along. Both servers share this machine's
cores, so one alone may be as fast as two.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import LABORATORY, finish

from executor.answers.grader import MathGrader
from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.loading import resolve
from executor.models.templates import template_for
from executor.outcome import Outcome
from executor.policies.served import ServedPolicy
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import Executor, run_problems
from executor.servers.address import Address
from executor.servers.server import Patience
from executor.serving.command import serve_policy
from executor.serving.launch import LaunchedServer, free_port, running
from executor.store.store import RunSpec, Store
from executor.strategy import Majority, Sampling
from profiling.problems.files import load_problems

POLICY = "lab-0.8m"
OPTIONS = EngineOptions(block_size=32, kv_cache_gib=0.5)
CONCURRENCY = 8


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left in its store, the servers' counts and its seconds."""

    outcomes: Sequence[Outcome]
    ledger: Ledger
    counted: EngineCounters
    seconds: float
    killed_after: int | None
    pause: float
    """Seconds from the kill until the next problem was solved."""


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # Else the servers would outlive a bench that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    problems = load_problems(
        LABORATORY / "heldout.jsonl",
        problem_field=None, answer_field=None, limit=arguments.problems, require_answers=True,
    )  # fmt: skip
    commands = [serve_policy(POLICY, free_port(), OPTIONS) for _ in range(2)]
    with tempfile.TemporaryDirectory() as made, running(commands, Path(made)) as servers:
        checkpoint = resolve(str(Address(POLICY, tuple(one.url for one in servers))), "policy")
        template = template_for(POLICY, checkpoint.folder)
        policy = ServedPolicy.connect(checkpoint, template, Patience())
        run(policy, problems, 1, None)  # fills the prefix caches, so that both others find them
        whole = run(policy, problems, arguments.budget, None)
        broken = run(policy, problems, arguments.budget, servers[0])
    document = compare(whole, broken)
    line = (
        f"{document['outcomes']} outcomes of {len(problems)} problems, {document['duplicates']} "
        f"duplicates, one of two servers killed after {document['killed_after']} problems; "
        f"{document['same_answers']} answers as without; the next problem was solved "
        f"{document['seconds_to_the_next_problem']:.1f} s after; ledger minus counters without: "
        f"{document['gap']} tokens; time lost: {document['seconds_lost']:.1f} s of "
        f"{document['seconds']:.1f} s"
    )
    finish(document, line, as_json=arguments.json)


def run(
    policy: ServedPolicy, problems: Sequence[Problem], budget: int, victim: LaunchedServer | None
) -> Run:
    """Solve the problems in a store of their own; the victim dies at a third of them."""
    strategy, solved, killed_after = Majority(budget), 0, None
    killed_at = pause = 0.0

    def progress(finished: int) -> None:
        nonlocal solved, killed_after, killed_at, pause
        solved += finished
        if killed_at and not pause:
            pause = time.perf_counter() - killed_at
        if victim is not None and killed_after is None and solved >= len(problems) // 3:
            killed_at, killed_after = time.perf_counter(), solved
            victim.kill()

    with MathGrader() as grader, Store.open("sqlite://") as store:
        executor = Executor(policy, None, grader, Sampling())
        spec = RunSpec("bench", policy.name, None, executor.settings({}, budget=budget))

        async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            return await executor.solve(problem, strategy), {}

        before, started = policy.counters(), time.perf_counter()
        asyncio.run(
            run_problems(
                problems,
                solve,
                store,
                spec,
                progress=progress,
                admission=Admission(most=CONCURRENCY),
            )
        )
        seconds = time.perf_counter() - started
        outcomes = [one.outcome for one in store.outcomes(spec, problems=problems)]
    ledger = sum((one.ledger for one in outcomes), Ledger())
    return Run(outcomes, ledger, policy.counters() - before, seconds, killed_after, pause)


def compare(whole: Run, broken: Run) -> dict[str, Any]:
    """What the second run has lost against the first."""
    ids = [one.problem.id for one in broken.outcomes]
    ledger, counted = whole.ledger, whole.counted
    gaps = [
        ledger.generated + ledger.discarded - counted.generated,
        ledger.prompt + ledger.cached - counted.prompt,
        ledger.cached - counted.cached,
    ]
    pairs = zip(whole.outcomes, broken.outcomes, strict=True)
    return {
        "outcomes": len(ids),
        "duplicates": len(ids) - len(set(ids)),
        "killed_after": broken.killed_after,
        "same_answers": sum(one.answer == other.answer for one, other in pairs),
        "gap": sum(map(abs, gaps)),
        "generated": [whole.ledger.generated, broken.ledger.generated],
        "discarded": [whole.ledger.discarded, broken.ledger.discarded],
        "seconds_undisturbed": whole.seconds,
        "seconds": broken.seconds,
        "seconds_to_the_next_problem": broken.pause,
        "seconds_lost": broken.seconds - whole.seconds,
    }


if __name__ == "__main__":
    main()
