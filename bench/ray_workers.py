"""What does the loss of a worker cost? Problems on two Ray workers, with and without a kill.

Real vLLM runs on its own Ray on this machine. Both runs begin with both workers loaded; in the
second run, a worker's process gets SIGKILL when a third of the problems is finished. Each run has
its own seeds, so no prefix cache knows the second run. The figure is the extra time of the second
run, beside the time during which it had one worker only.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from common import LABORATORY, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.cluster.ray import ClusterOptions
from executor.cluster.recipe import DistributedModels
from executor.engines.options import EngineOptions
from executor.problem import Problem
from executor.run.runner import ByStrategy, Executor, Solved, run_problems
from executor.store.store import RunSpec
from executor.strategy import Sampling, Strategy, make
from planner.cli.console import Output
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from profiling.problems.files import load_problems

_TICK = 0.1  # seconds


@dataclasses.dataclass(frozen=True)
class Seeded:
    """The job of running a strategy with a seed of its own."""

    strategy: Strategy
    seed: int

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        """As `ByStrategy`."""
        seeded = dataclasses.replace(executor, seed=self.seed)
        return await ByStrategy(self.strategy)(seeded, problem)


def run(
    session: Session, models: DistributedModels, strategy: Strategy, problems: Sequence[Problem],
    *, seed: int, kill: bool,
) -> dict[str, Any]:  # fmt: skip
    """Run all problems; times in seconds."""
    workers = models.workers
    workers.load()
    spec = RunSpec("run", models.policy_name, models.prm_name, {"seed": seed})
    finished = killed_at = 0
    victim, lost, again = workers.pids[0], workers.lost, workers.rerun
    alone: list[float] = []
    over = threading.Event()

    def watch(progress: Callable[[int], None], more: int) -> None:
        nonlocal finished, killed_at
        progress(more)
        finished += more
        if kill and not killed_at and finished >= len(problems) // 3:
            killed_at = finished
            os.kill(victim or 0, signal.SIGKILL)

    def count_alone() -> None:
        while not over.wait(_TICK):
            if workers.ready < workers.count:
                alone.append(_TICK)

    watcher = threading.Thread(target=count_alone)
    watcher.start()
    started = time.perf_counter()
    session.timed(
        "one is killed" if kill else "undisturbed", len(problems), spec,
        lambda progress: run_problems(
            problems, functools.partial(models.run, Seeded(strategy, seed)), session.store, spec,
            progress=functools.partial(watch, progress),
            admission=session.admission(spec, strategy.n),
        ),
    )  # fmt: skip
    seconds = time.perf_counter() - started
    over.set()
    watcher.join()
    stored = [found.outcome.problem.id for found in session.store.outcomes(spec)]
    return {
        "seconds": seconds,
        "outcomes": len(stored),
        "duplicates": len(stored) - len(set(stored)),
        "killed_after": killed_at,
        "workers_lost": workers.lost - lost,
        "run_again": workers.rerun - again,
        "seconds_with_one_worker": sum(alone),
    }


def main() -> None:
    """Run twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--strategy", default="beam_search")
    parser.add_argument("--budget", type=int, default=256)
    parser.add_argument("--concurrency", type=int, default=8, help="problems in flight a worker")
    parser.add_argument("--policy", default="lab-0.4m")
    parser.add_argument("--prm", default="lab-0.4m-prm")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    problems = load_problems(LABORATORY / "heldout.jsonl", limit=arguments.problems)
    strategy = make(arguments.strategy, arguments.budget)
    settings = SessionSettings(
        sampling=Sampling(max_tokens=256),
        concurrency=arguments.concurrency,
        engine=EngineOptions(block_size=32, kv_cache_gib=0.5),
        cluster=ClusterOptions(address="local", workers=2),
    )
    output = Output(as_json=arguments.json)
    with (
        tempfile.TemporaryDirectory() as folder,
        Session(output, f"sqlite:///{folder}/bench.db", settings) as session,
    ):
        models = session.models(
            session.find_policy(arguments.policy), session.find_prm(arguments.prm)
        )
        assert isinstance(models, DistributedModels)
        undisturbed, killed = (
            run(session, models, strategy, problems, seed=seed, kill=bool(seed)) for seed in (0, 1)
        )
    lost = killed["seconds"] - undisturbed["seconds"]
    document = {
        "undisturbed": undisturbed,
        "killed": killed,
        "seconds_lost": lost,
        "ratio": killed["seconds"] / undisturbed["seconds"],
    }
    line = (
        f"two workers, one killed in a run of {arguments.problems} problems: "
        f"{killed['outcomes']} outcomes, {killed['duplicates']} duplicates, "
        f"{killed['run_again']} problems run again; {killed['seconds']:.1f} s "
        f"({killed['seconds_with_one_worker']:.1f} s of it with one worker), undisturbed "
        f"{undisturbed['seconds']:.1f} s: {lost:+.1f} s, {document['ratio']:.2f} times"
    )
    finish(document, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
