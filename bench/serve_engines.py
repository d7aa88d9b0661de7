"""What does the server cost the engines? Tokens per second over HTTP and of the executor alone.

The same held-out problems of the laboratory run on real vLLM with the same seeds, plan, strategies
and settings, and the same number in flight: through the executor in this process, and over HTTP
through `apportion serve`, a process of its own, started by its command line. The two take turns for
some rounds, each with its own seeds, so that no cache holds a round's responses; each has its own
engines, which are warmed up. The bench counts the policy's tokens by the ledgers: the executor's
are checked against the engine's own counter, the server's are those of `usage` and /metrics.
Clients use the same cores as the engines.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import LABORATORY, finish
from live import CHAT, FIXED, Connection, Live, body, recorded_plan, serving

from executor.ledger import Ledger
from executor.problem import Problem, content_id
from executor.run.runner import Executor
from executor.strategy import Strategy, key
from planner.cli.commands import common
from planner.cli.main import build_parser
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import Plan
from planner.plans.serialization import load_plan, save_plan
from planner.runtime.reporter import SilentReporter
from planner.runtime.router import Ask, route
from planner.runtime.session import Session
from profiling.problems.files import load_problems

WAYS: Mapping[str, Strategy | None] = {"by plan": None, **FIXED}
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Round:
    """All problems once: by problem the response and its strategy, in sum the ledger, seconds."""

    answers: Sequence[tuple[str, str]]
    ledger: Ledger
    seconds: float

    @property
    def speed(self) -> float:
        """Tokens of the policy a second."""
        return self.ledger.policy_generated / self.seconds


@dataclass(frozen=True, slots=True)
class Alone:
    """The executor in this process."""

    executor: Executor
    plan: Plan

    async def run(
        self, problems: Sequence[Problem], strategy: Strategy | None, seed: int, in_flight: int
    ) -> Round:
        """Answer all problems; the ledgers are what the engine counted."""
        ask = Ask(self.plan.constraint, strategy, weigh=True)
        compiled = CompiledPlan(self.plan)
        executor = dataclasses.replace(self.executor, seed=seed)
        room = asyncio.Semaphore(in_flight)

        async def one(problem: Problem) -> tuple[tuple[str, str], Ledger]:
            async with room:
                # The name that a request with a seed gives to a question: it names its draws.
                named = Problem(content_id(repr((problem.text, ()))), problem.text)
                found = await route(executor, compiled, named, ask)
            outcome, strategy = found.outcome, found.decision.strategy
            text = "" if outcome.chosen is None else outcome.samples[outcome.chosen].text
            return (text, f"strategy={strategy.name}; n={strategy.n}"), outcome.ledger

        before, began = executor.policy.counters(), time.perf_counter()
        found = await asyncio.gather(*map(one, problems))
        seconds = time.perf_counter() - began
        ledger = sum((each for _, each in found), Ledger())
        counted = (executor.policy.counters() - before).generated
        if counted != ledger.policy_generated:
            sys.exit(f"bench: {counted} tokens counted, {ledger.policy_generated} in the ledgers")
        return Round([answer for answer, _ in found], ledger, seconds)


@dataclass(frozen=True, slots=True)
class Served:
    """The same through a server."""

    live: Live

    async def run(
        self, problems: Sequence[Problem], strategy: Strategy | None, seed: int, in_flight: int
    ) -> Round:
        """Ask all questions over so many connections; the ledgers are what /metrics counts."""
        wanted: dict[str, Any] = {"seed": seed}
        if strategy is not None:
            wanted["strategy"] = key(strategy)
        asked = [body(problem.text, **wanted) for problem in problems]
        answers: list[tuple[str, str]] = [("", "")] * len(problems)
        total = Ledger()
        left = iter(range(len(problems)))

        async def connection() -> None:
            nonlocal total
            async with Connection(self.live.port) as server:
                for index in left:
                    reply = await server.post(CHAT, asked[index], _PATIENCE)
                    if reply.status != 200:
                        sys.exit(f"bench: {reply}")
                    (choice,) = reply.record["choices"]
                    strategy_said = "; ".join(reply.headers["x-apportion"].split("; ")[:2])
                    answers[index] = choice["message"]["content"], strategy_said
                    total += Ledger(**reply.record["usage"]["ledger"])

        before, began = await asyncio.to_thread(self.live.metrics), time.perf_counter()
        await asyncio.gather(*(connection() for _ in range(in_flight)))
        seconds = time.perf_counter() - began
        after = await asyncio.to_thread(self.live.metrics)
        for kind, tokens in total.to_dict().items():
            name = f'apportion_tokens_total{{kind="{kind}"}}'
            counted = after.get(name, 0) - before.get(name, 0)
            if kind != "spared" and counted != tokens:
                sys.exit(f"bench: {counted} {kind} tokens by /metrics, {tokens} in the answers")
        return Round(answers, total, seconds)


def compare(
    alone: Alone, served: Served, problems: Sequence[Problem], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Every way of answering, in turn by both."""

    async def every() -> dict[str, Any]:
        found = {}
        for name, strategy in WAYS.items():
            pairs = []
            # The first round warms up and does not count.
            for number in range(arguments.rounds + 1):
                seed = 1 + number
                pair = [
                    await each.run(problems, strategy, seed, arguments.in_flight)
                    for each in (alone, served)
                ]
                if number:
                    pairs.append(pair)
            found[name] = told(pairs)
            print(line(name, found[name]), file=sys.stderr)
        return found

    return asyncio.run(every())


def told(pairs: Sequence[Sequence[Round]]) -> dict[str, Any]:
    """What the rounds of one way come to."""
    ratios = [server.speed / alone.speed for alone, server in pairs]
    asked = sum(len(alone.answers) for alone, _ in pairs)
    same = sum(
        mine == its
        for alone, server in pairs
        for mine, its in zip(alone.answers, server.answers, strict=True)
    )
    ledgers = [sum((pair[at].ledger for pair in pairs), Ledger()) for at in range(2)]
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "questions_ratio": statistics.median(a.seconds / s.seconds for a, s in pairs),
        "tokens_a_second": [statistics.median(pair[at].speed for pair in pairs) for at in range(2)],
        "seconds": [[one.seconds for one in pair] for pair in pairs],
        "questions": asked,
        "same_answers": same,
        "ledger": [ledger.to_dict() for ledger in ledgers],
    }


def line(name: str, found: Mapping[str, Any]) -> str:
    """One way in words."""
    alone, server = found["tokens_a_second"]
    mine, its = (Ledger(**each).policy_generated for each in found["ledger"])
    return (
        f"{name} {found['ratio']:.2f} [{min(found['ratios']):.2f}, {max(found['ratios']):.2f}] "
        f"({server:,.0f} of {alone:,.0f}; {its:,} and {mine:,} tokens, "
        f"{found['same_answers']} of {found['questions']} responses the same)"
    )


def main() -> None:
    """Start both, and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--plan", type=Path, help="default: one of what is recorded")
    parser.add_argument("--apart", action="store_true", help="policies' engines apart, in both")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    problems = load_problems(LABORATORY / "heldout.jsonl", limit=arguments.problems)
    options = ["--kv-cache-gib", "0.5", *(["--apart"] if arguments.apart else [])]
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        path = Path(scratch) / "plan.json"
        plan = load_plan(arguments.plan) if arguments.plan else recorded_plan()
        save_plan(plan, path)
        live = stack.enter_context(serving(path, *options))
        command = ["serve", "--plan", str(path), "--store", f"sqlite:///{scratch}/own.db"]
        parsed = build_parser().parse_args([*command, *options])
        session = stack.enter_context(
            Session(SilentReporter(), parsed.store, common.settings(parsed))
        )
        executor = session.executor(
            session.find_policy(plan.policy),
            None if plan.prm is None else session.find_plan_prm(plan.prm),
            template=plan.template,
            sampling=plan.sampling,
        )
        found = compare(Alone(executor, plan), Served(live), problems, arguments)
    words = "; ".join(line(name, each) for name, each in found.items())
    finish(
        found,
        f"tokens a second through the server over those of the executor alone, {len(problems)} "
        f"problems, {arguments.in_flight} in flight, median of {arguments.rounds} rounds and their "
        f"span: {words}",
        as_json=arguments.json,
    )


if __name__ == "__main__":
    main()
