"""How good are the service's answers? Routed ones beside fixed strategies, on held-out problems.

The official `openai` client asks 200 held-out problems of the laboratory over HTTP, of an
`apportion serve` that the bench starts, or at `--url` (with APPORTION_KEY if it wants a key): once
as the plan routes them, once all by majority@16, once all by best_of_n@16. The bench prints
accuracies (95 %, Jeffreys), paired differences (95 %, Agresti-Min), generated and PRM tokens per
problem, and the plan's prediction: the mean over the questions, with a 90 % interval for the
accuracy on so many questions. The interval covers the unknown accuracy of the strategies, as if all
questions shared it, and the random choice of the questions.

Without a given plan, the bench makes one first (some ten minutes): a profile of 200 other problems
with 64 samples each, greedy, beam search and DVTS measured at 4 and 16, a fit, and a plan within 20
generations: 16, and four probes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from common import LABORATORY, ROOT, apportion, finish
from live import BUDGET, EACH, FIXED, POLICY, serving

from planner.plans.serialization import load_plan, save_plan

sys.path.insert(0, str(ROOT))

from executor.answers.grader import MathGrader
from executor.problem import Problem
from executor.strategy import Strategy, key
from planner.prediction.paired_statistics import paired_interval
from profiling.pass_rate import PassRate
from profiling.problems.files import load_problems

PRM = f"{POLICY}-prm"
WAYS: Mapping[str, Strategy | None] = {"router": None, **FIXED}
_LEVEL = 0.90


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of itself."""

    answer: str | None
    strategy: str
    difficulty: str
    predicted: float | None
    interval: tuple[float, float] | None
    ledger: Mapping[str, int]


Ask = Callable[[Problem, Strategy | None], Awaitable[Told]]


def make_plan(folder: Path) -> Path:
    """Profile, measure, fit and plan, by the command line."""
    store = ["--store", f"sqlite:///{folder}/apportion.db"]
    models = ["--policy", POLICY, "--prm", PRM]
    asked = ["--problems", LABORATORY / "profile.jsonl", "--limit", "200", "--max-tokens", "256"]
    apportion("profile", *models, *asked, "--max-samples", "64", *store)
    live = ["--strategies", "greedy,beam_search,dvts", "--budgets", f"4,{EACH}"]
    apportion("measure", *models, *asked, *live, *store)
    apportion("fit", *store)
    plan = folder / "plan.json"
    apportion("plan", *models, "--budget", str(BUDGET), "--out", plan, *store)
    return plan


def by_http(url: str) -> Ask:
    """Ask a server through OpenAI's client."""
    from openai import AsyncOpenAI

    from executor.strategy import from_dict

    client = AsyncOpenAI(base_url=url, api_key=os.environ.get("APPORTION_KEY", "none"))

    async def ask(problem: Problem, strategy: Strategy | None) -> Told:
        wanted: dict[str, Any] = {"explain": True}
        if strategy is not None:
            wanted["strategy"] = key(strategy)
        reply = await client.chat.completions.create(
            model=POLICY,
            messages=[{"role": "user", "content": problem.text}],
            extra_body=wanted,
        )
        record = reply.model_dump()
        (told,) = record["apportion"]
        return Told(
            told["answer"], key(from_dict(told["strategy"])), told["difficulty"],
            told["predicted_accuracy"], told["interval"], record["usage"]["ledger"],
        )  # fmt: skip

    return ask


async def ask_all(
    ask: Ask, problems: Sequence[Problem], strategy: Strategy | None, at_once: int
) -> list[Told]:
    """All problems, so many at once."""
    room = asyncio.Semaphore(at_once)

    async def one(problem: Problem) -> Told:
        async with room:
            return await ask(problem, strategy)

    return list(await asyncio.gather(*map(one, problems)))


def predicted(told: Sequence[Told]) -> dict[str, Any] | None:
    """The mean of what was predicted, and where the accuracy on so many should lie."""
    known = [(one.predicted, one.interval) for one in told if one.predicted is not None]
    if len(known) < len(told):
        return None
    reach = NormalDist().inv_cdf(0.5 + _LEVEL / 2)
    means = np.array([mean for mean, _ in known])
    shared = np.mean([(high - low) / 2 / reach for _, (low, high) in known])
    drawn = np.sqrt((means * (1 - means)).sum()) / len(means)
    error = reach * float(np.hypot(shared, drawn))
    mean = float(means.mean())
    return {"mean": mean, "interval": [max(0.0, mean - error), min(1.0, mean + error)]}


def judged(told: Sequence[Told], right: Sequence[bool], routed: Sequence[bool]) -> dict[str, Any]:
    """What one way of answering came to."""
    rate = PassRate(sum(right), len(right))
    mix: dict[str, int] = {}
    for one in told:
        name = f"{one.difficulty}: {one.strategy}"
        mix[name] = mix.get(name, 0) + 1
    differences = np.array(routed, dtype=float) - np.array(right, dtype=float)
    tokens = [sum(one.ledger[kind] for kind in ("generated", "discarded", "probe")) for one in told]
    return {
        "accuracy": rate.pass_at_1,
        "interval": list(rate.interval()),
        "predicted": predicted(told),
        "router_minus": [float(differences.mean()), *paired_interval(differences)],
        "generated_tokens": float(np.mean(tokens)),
        "prm_tokens": float(np.mean([one.ledger["prm"] for one in told])),
        "probe_tokens": float(np.mean([one.ledger["probe"] for one in told])),
        "mix": dict(sorted(mix.items())),
    }


def line(name: str, found: Mapping[str, Any]) -> str:
    """One way in words."""
    low, high = found["interval"]
    text = (
        f"{name} {found['accuracy']:.3f} [{low:.3f}, {high:.3f}], {found['generated_tokens']:,.0f} "
        f"generated and {found['prm_tokens']:,.0f} PRM tokens"
    )
    if (told := found["predicted"]) is not None:
        inside = told["interval"][0] <= found["accuracy"] <= told["interval"][1]
        text += (
            f", predicted {told['mean']:.3f} [{told['interval'][0]:.3f}, {told['interval'][1]:.3f}]"
            f" ({'inside' if inside else 'outside'})"
        )
    if name != "router":
        text += ", router minus it {:+.3f} [{:+.3f}, {:+.3f}]".format(*found["router_minus"])
    return text


def run(ask: Ask, problems: Sequence[Problem], at_once: int) -> dict[str, Any]:
    """Every way, judged."""

    async def every() -> dict[str, list[Told]]:
        found = {}
        for name, strategy in WAYS.items():
            started = time.perf_counter()
            found[name] = await ask_all(ask, problems, strategy, at_once)
            print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
        return found

    told = asyncio.run(every())
    with MathGrader() as grader:
        right = {
            name: [
                grader.correct(one.answer, str(problem.answer))
                for one, problem in zip(each, problems, strict=True)
            ]
            for name, each in told.items()
        }
    return {name: judged(each, right[name], right["router"]) for name, each in told.items()}


def main() -> None:
    """Ask, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=200)
    parser.add_argument("--plan", type=Path, help="made by this bench before; default: make one")
    parser.add_argument("--url", help="of a server with such a plan, for instance .../v1")
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    problems = load_problems(LABORATORY / "heldout.jsonl", limit=arguments.problems)
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.url is not None:
            found = run(by_http(arguments.url), problems, arguments.at_once)
        else:
            made = arguments.plan or make_plan(Path(scratch))
            plan = Path(scratch) / "served.json"
            save_plan(load_plan(made), plan)
            with serving(plan) as live:
                found = run(by_http(f"{live.url}/v1"), problems, arguments.at_once)
    told = "; ".join(line(name, each) for name, each in found.items())
    finish(found, f"{len(problems)} held-out problems: {told}", as_json=arguments.json)


if __name__ == "__main__":
    main()
