"""Do the ledgers agree with vLLM's own counters to the token, cancelled problems included?

The bench has two parts. In the first, with the laboratory's `lab-0.4m` and its PRM, every strategy
at N = 8 answers 40 problems completely, then again with half of them cancelled at random times
(some finish before). In the second, with SmolLM2-135M, `apportion run` answers 30 problems of MAWPS
singleop and 10 of GSM8K with every strategy at N = 4; if these files do not lie beside this
repository, problems of this project take their place. The second part needs the reward head that
`apportion demo --policy smollm2-135m --out demo-words` leaves; without it, this part is skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from common import LABORATORY, PROBLEMS, ROOT, SHARED, apportion

from executor.engines.base import EngineCounters
from executor.engines.options import EngineOptions
from executor.ledger import Ledger
from executor.problem import Problem
from executor.run.runner import Executor
from executor.search import search
from executor.strategy import STRATEGIES, Sampling, Strategy, key, make
from planner.cli.console import Output
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from profiling.problems.files import load_problems

_POLICY, _PRM = "lab-0.4m", "lab-0.4m-prm"
_BUDGET, _PROBLEMS, _CANCELLED = 8, 40, 0.5


def main() -> None:
    """Run both parts and add up by how many tokens they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prm", type=Path, default=ROOT / "demo-words" / "smollm2-135m-head")
    parser.add_argument("--max-tokens", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0, help="of samples and cancellations")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # Engines in this process: what they print themselves must not come between the results.
    output = Output(as_json=arguments.json)
    runs = in_process(output, arguments.seed)
    if arguments.prm.is_dir():
        runs += [_as_run(run) for run in whole_words(arguments.prm, arguments.max_tokens)]
    else:
        output.say(f"no reward head at {arguments.prm}: without SmolLM2")
    wrong = sum(abs(gap) for run in runs for gap in run["gaps"].values())
    generated = sum(run["engine"]["policy"]["generated"] for run in runs)
    discarded = sum(run["ledger"]["discarded"] for run in runs)
    figure = (
        f"tokens by which ledgers and engine counters differ, {len(runs)} runs, {generated:,} "
        f"generated, {discarded:,} of them discarded: {wrong}"
    )
    lines = [*map(_line, runs), figure]
    output.result(
        {"runs": runs, "difference": wrong},
        lambda console: console.print("\n".join(lines), highlight=False, soft_wrap=True),
    )


def whole_words(prm: Path, max_tokens: int) -> Sequence[Any]:
    """`apportion run` of every strategy with SmolLM2, as it reports them."""
    benchmarks = SHARED / "data" / "benchmarks"
    files: list[str | Path] = ["--problems", PROBLEMS / "heldout.jsonl", "--limit", "40"]
    if benchmarks.is_dir():
        files = [
            "--problems", benchmarks / "singleop.jsonl", "--limit", "30",
            "--problems", benchmarks / "gsm8k_test.jsonl", "--limit", "10",
        ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        document = apportion(
            "run", "--strategy", "all", "--budget", "4", "--policy", "smollm2-135m",
            "--prm", prm, *files, "--max-tokens", str(max_tokens),
            "--store", f"sqlite:///{folder}/bench.db",
        )  # fmt: skip
    runs: Sequence[Any] = document["runs"]
    return runs


def in_process(output: Output, seed: int) -> list[dict[str, Any]]:
    """Every strategy with the laboratory's models: whole, and with problems cancelled midway."""
    problems = load_problems(LABORATORY / "heldout.jsonl")[:_PROBLEMS]
    settings = SessionSettings(
        Sampling(max_tokens=256), seed=seed, engine=EngineOptions(kv_cache_gib=0.5, block_size=32)
    )
    rng = random.Random(seed)
    runs = []
    with Session(output, "sqlite://", settings) as session:
        executor = session.executor(session.find_policy(_POLICY), session.find_prm(_PRM))
        for name in STRATEGIES:
            strategy = make(name, _BUDGET)
            whole = charged(executor, strategy, problems, {})
            runs.append(whole)
            doomed = rng.sample(range(len(problems)), int(_CANCELLED * len(problems)))
            # The second run finds its prompts in the prefix cache and is faster.
            times = {index: rng.uniform(0, whole["seconds"] / 2) for index in doomed}
            runs.append(charged(executor, strategy, problems, times))
    return runs


def charged(
    executor: Executor, strategy: Strategy, problems: Sequence[Problem], times: Mapping[int, float]
) -> dict[str, Any]:
    """Run all problems at once and compare what they were charged with what the engines counted.

    Args:
        executor: the models.
        strategy: what to run.
        problems: what to run it on.
        times: seconds after which problems are cancelled, by their index.
    """
    assert executor.prm is not None
    before = executor.policy.counters(), executor.prm.counters()
    contexts = [executor.context(problem, strategy.n) for problem in problems]
    started = time.perf_counter()

    async def run(index: int) -> bool:
        work = asyncio.create_task(search(strategy, contexts[index]))
        if index in times:
            asyncio.get_running_loop().call_later(times[index], work.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return work.cancelled()

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*map(run, range(len(problems))))

    cancelled = sum(asyncio.run(all_at_once()))
    seconds = time.perf_counter() - started
    ledger = sum((context.ledger for context in contexts), Ledger())
    policy, prm = executor.policy.counters() - before[0], executor.prm.counters() - before[1]
    return {
        "name": f"{_POLICY} {key(strategy)}",
        "problems": len(problems),
        "cancelled": cancelled,
        "seconds": seconds,
        "ledger": asdict(ledger),
        "engine": {"policy": asdict(policy), "prm": asdict(prm)},
        "gaps": compare(ledger, policy, prm),
    }


def compare(ledger: Ledger, policy: EngineCounters, prm: EngineCounters | None) -> dict[str, int]:
    """Ledger minus counter, for each kind of token."""
    gaps = {
        "generated": ledger.policy_generated - policy.generated,
        "prompt": ledger.prompt + ledger.cached - policy.prompt,
        "cached": ledger.cached - policy.cached,
    }
    if prm is not None:
        gaps["prm"] = ledger.prm + ledger.prm_cached - prm.prompt
        gaps["prm_cached"] = ledger.prm_cached - prm.cached
    return gaps


def _as_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run of `apportion run` as those of `charged` are."""
    policy, prm = run["engine"]["policy"], run["engine"]["prm"]
    gaps = compare(
        Ledger(**run["ledger"]),
        EngineCounters(**policy),
        None if prm is None else EngineCounters(**prm),
    )
    return {**run, "name": f"smollm2-135m {run['name']}", "cancelled": 0, "gaps": gaps}


def _line(run: Mapping[str, Any]) -> str:
    ledger, counted = run["ledger"], run["engine"]["policy"]["generated"]
    of_them = f", {run['cancelled']} of them cancelled" if run["cancelled"] else ""
    gaps = ", ".join(f"{kind} {gap}" for kind, gap in run["gaps"].items() if gap)
    return (
        f"{run['name']}: {run['problems']} problems{of_them}, generated {ledger['generated']} + "
        f"discarded {ledger['discarded']}, vLLM counted {counted}; differences: {gaps or 'none'}"
    )


if __name__ == "__main__":
    main()
