"""Do equal seeds give equal samples? Shares of responses that are equal, token by token.

Every strategy answers the same problems with the laboratory's `lab-0.4m` and its PRM, each time on
engines that have just started: twice with one problem at a time, twice with several at once, and
once more on engines that have answered these problems before. Seeds, prompts and settings are
always the same, so only the arithmetic of the sequences that share a batch can differ.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from common import LABORATORY

from executor.engines.options import EngineOptions
from executor.problem import Problem
from executor.run.runner import Executor
from executor.search import Response, search
from executor.strategy import STRATEGIES, Sampling, make
from planner.cli.console import Output
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from profiling.problems.files import load_problems

_POLICY, _PRM = "lab-0.4m", "lab-0.4m-prm"
# What a run leaves of each problem, by strategy: its responses, and its ledger.
Run = Mapping[str, Sequence[tuple[list[Response], dict[str, int]]]]


def main() -> None:
    """Run each way and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=8)
    parser.add_argument("--budget", type=int, default=8)
    parser.add_argument("--concurrency", type=int, default=8, help="problems at once")
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    problems = load_problems(LABORATORY / "heldout.jsonl")[: arguments.problems]
    # Engines in this process: what they print themselves must not come between the results.
    output = Output(as_json=arguments.json)
    found = {
        dtype: compared(output, problems, arguments.budget, arguments.concurrency, dtype)
        for dtype in arguments.dtypes
    }
    lines = [
        f"{dtype}, {ways}, {strategy}: "
        + ", ".join(f"{kind} {share:.3f}" for kind, share in shares.items())
        for dtype, by_ways in found.items()
        for ways, by_strategy in by_ways.items()
        for strategy, shares in by_strategy.items()
    ]
    figures = [
        f"{dtype}: " + ", ".join(f"{ways} {s['all']['tokens']:.3f}" for ways, s in by_ways.items())
        for dtype, by_ways in found.items()
    ]
    lines.append("share of responses with the same tokens; " + "; ".join(figures))
    output.result(
        {"problems": len(problems), "budget": arguments.budget, "shares": found},
        lambda console: console.print("\n".join(lines), highlight=False, soft_wrap=True),
    )


def compared(
    output: Output, problems: Sequence[Problem], budget: int, many: int, dtype: str
) -> dict[str, dict[str, dict[str, float]]]:
    """What `compare` says of each two runs, by what they differ in."""

    def run(concurrency: int, times: int = 1) -> list[Run]:
        return runs(output, problems, budget, concurrency, dtype, times)

    [alone], [alone_again], [together] = run(1), run(1), run(many)
    cold, warm = run(many, 2)
    return {
        "one at a time, twice": compare(alone, alone_again),
        f"{many} at once, twice": compare(together, cold),
        f"one at a time and {many} at once": compare(alone, together),
        f"{many} at once, cold and warm": compare(cold, warm),
    }


def runs(
    output: Output,
    problems: Sequence[Problem],
    budget: int,
    concurrency: int,
    dtype: str,
    times: int,
) -> list[Run]:
    """Every strategy on all problems on fresh engines, `times` in a row."""
    settings = SessionSettings(
        Sampling(max_tokens=256),
        engine=EngineOptions(kv_cache_gib=0.5, block_size=32, dtype=dtype),
    )
    with Session(output, "sqlite://", settings) as session:
        executor = session.executor(session.find_policy(_POLICY), session.find_prm(_PRM))
        return [
            {
                name: asyncio.run(answers(executor, name, budget, problems, concurrency))
                for name in STRATEGIES
            }
            for _ in range(times)
        ]


async def answers(
    executor: Executor, name: str, budget: int, problems: Sequence[Problem], concurrency: int
) -> list[tuple[list[Response], dict[str, int]]]:
    """Responses and ledger of each problem, `concurrency` of them at once."""
    room = asyncio.Semaphore(concurrency)
    strategy = make(name, budget)

    async def answer(problem: Problem) -> tuple[list[Response], dict[str, int]]:
        async with room:
            context = executor.context(problem, strategy.n)
            return await search(strategy, context), asdict(context.ledger)

    return await asyncio.gather(*map(answer, problems))


def compare(one: Run, other: Run) -> dict[str, dict[str, float]]:
    """Shares that are the same in two runs, by strategy and over all of them.

    `tokens` and `rewards` are shares of responses, which are compared in their order; `ledgers` of
    problems.
    """
    groups = {name: [name] for name in one} | {"all": list(one)}
    found = {}
    for group, names in groups.items():
        pairs = [(a, b) for name in names for a, b in zip(one[name], other[name], strict=True)]
        responses = [pair for (a, _), (b, _) in pairs for pair in zip(a, b, strict=True)]
        found[group] = {
            "tokens": _share([a.token_ids == b.token_ids for a, b in responses]),
            "rewards": _share([a.rewards == b.rewards for a, b in responses]),
            "ledgers": _share([a == b for (_, a), (_, b) in pairs]),
        }
    return found


def _share(equal: Sequence[bool]) -> float:
    return sum(equal) / len(equal)


if __name__ == "__main__":
    main()
