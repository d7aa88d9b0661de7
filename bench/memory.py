"""Does a run's memory grow with its problems, or only with the problems in flight?

The simulated policy and PRM solve few and many problems at N = 64, each run in a process of its
own, through the same runner and store as real ones. No model runs, so the memory is the executor's
own. The figure is the ratio of the peak resident memories.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.outcome import Outcome
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import Executor, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, make


def run(strategy: str, budget: int, problems: int) -> float:
    """Peak resident memory of this process after the run, in MiB."""
    chosen = make(strategy, budget)
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(f"sqlite:///{folder}/bench.db") as store,
        MathGrader() as grader,
    ):
        prm = SimulatedPrm() if chosen.needs_prm else None
        executor = Executor(SimulatedPolicy(0.7, latency=0.01), prm, grader, Sampling())

        async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            return await executor.solve(problem, chosen), {}

        spec = RunSpec("measure", executor.policy.name, None if prm is None else prm.name, {})
        admission = Admission(budget, executor.policy.capacity)
        work = run_problems(simulated_problems(problems), solve, store, spec, admission=admission)
        asyncio.run(work)
        kept = len(store.start(spec))
    assert kept == problems
    # Linux counts it in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, nargs=2, default=[100, 1000])
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--strategies", nargs="+", default=["best_of_n", "beam_search"])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.one is not None:
        print(run(arguments.strategies[0], arguments.budget, arguments.one))
        return
    found: dict[str, Any] = {}
    for strategy in arguments.strategies:
        peaks = []
        for problems in arguments.problems:
            command = [
                sys.executable, str(Path(__file__)), "--one", str(problems),
                "--budget", str(arguments.budget), "--strategies", strategy,
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            peaks.append(float(json.loads(done.stdout)))
        found[strategy] = {"peak_mib": peaks, "ratio": peaks[1] / peaks[0]}
        if not arguments.json:
            print(f"{strategy}: {peaks[0]:.0f} MiB, {peaks[1]:.0f} MiB")
    worst = max(one["ratio"] for one in found.values())
    few, many = arguments.problems
    line = f"peak memory at {many} problems over {few}, N = {arguments.budget}: {worst:.2f}"
    finish(found, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
