"""How near does a search come to its engine's limit, and how far ahead is it of a lockstep loop?

The laboratory's policy and PRM run on real vLLM, the policy in a process apart (not with
`--one-process`):

- *executor*: problems through this project's runner into a store, PRM scoring included;
- *engine limit*: the same requests (prompts and lengths) submitted at once to the same engine,
  without a PRM and with the texts that the search itself wrote in the cache: no search can be
  faster than a policy that never waits;
- *all cores*: the same, on an engine of the same policy that has the PRM's cores too;
- *lockstep*: `bench/lockstep.py`, with whole rescoring, into the same store: once a problem at a
  time, the only way that search-and-learn's beam search runs (its configuration refuses other
  batches), and once all problems in one batch, which keeps the engine as full as possible.

Speeds are ratios within one repetition, of which the median counts. Except for the
texts named above, prefix caches are empty at the start of a measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from common import LABORATORY, MODELS, ROOT, finish
from lockstep import lockstep

sys.path.insert(0, str(ROOT))
from executor.answers.grader import MathGrader
from executor.engines.base import Engine
from executor.engines.delivery import Delivery, post
from executor.engines.options import EngineOptions
from executor.engines.subprocess_engine import divided, start_subprocess_engine
from executor.models.templates import template_for
from executor.outcome import Outcome
from executor.policies.base import Draw, DrawRequest
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import Executor, run_problems
from executor.scorers.prm import load_prm, resolve_prm
from executor.scorers.vllm import VllmScorer
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, Strategy, make
from profiling.problems.files import load_problems

POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"
# Majority has no PRM: what the executor itself costs.
KINDS = ("majority", "best_of_n", "beam_search", "dvts")
SERIAL = itertools.count()
# Prompts, and the length of each child.
Requests = Sequence[tuple[list[int], list[int]]]


class RecordingPolicy(VllmPolicy):
    """The policy, remembering its requests: prompts, and the length of each child."""

    recorded: list[tuple[list[int], list[int]]] | None = None

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`."""
        draws = await super().draw(request)
        if self.recorded is not None:
            self.recorded.append(
                (list(request.prompt_ids), [len(draw.token_ids) for draw in draws])
            )
        return draws


class Waiting(Delivery):
    """Waits for requests of which it only matters that they are over."""

    def __init__(self, n: int) -> None:
        super().__init__(asyncio.get_running_loop())
        self._left = n

    def submit(self, engine: Engine, prompt: list[int], params: Any) -> None:
        """Queue one."""
        engine.submit(
            f"limit-{next(SERIAL)}", prompt, params, deliver=self._deliver, fail=self.fail
        )

    def _deliver(self, output: Any) -> None:
        post(self._loop, self._count)

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._end()


async def at_once(engine: Engine, requests: Requests, temperature: float) -> None:
    """Every child of every request as long as it was, all at once."""
    from vllm import SamplingParams

    waiting = Waiting(sum(len(lengths) for _, lengths in requests))
    for number, (prompt, lengths) in enumerate(requests):
        for child, length in enumerate(lengths):
            params = SamplingParams(
                max_tokens=length, ignore_eos=True, detokenize=False, seed=number + child,
                temperature=temperature, logprobs=0, flat_logprobs=True,
            )  # fmt: skip
            waiting.submit(engine, prompt, params)
    await waiting.done


@dataclass
class Bench:
    """The models, the problems, and the ways to solve them."""

    policy: RecordingPolicy
    alone: Engine
    prm: VllmScorer
    executor: Executor
    problems: Sequence[Problem]
    store: Store

    def forget(self) -> None:
        """Empty the prefix caches."""
        for engine in (self.policy._engine, self.alone, self.prm._engine):
            engine.forget()

    def timed(self, work: Callable[[], Coroutine[Any, Any, None]], warm: Requests = ()) -> float:
        """Seconds of `work`; nothing is cached when it begins but the prompts of `warm`."""
        self.forget()
        if warm:
            for engine in {self.policy._engine, self.alone}:
                asyncio.run(at_once(engine, [(prompt, [1]) for prompt, _ in warm], 1.0))
        started = time.perf_counter()
        asyncio.run(work())
        return time.perf_counter() - started

    def new_run(self) -> RunSpec:
        """A run that nothing is finished of."""
        spec = RunSpec("bench", POLICY, PRM, {"number": next(SERIAL)})
        self.store.start(spec)
        return spec

    async def execute(self, strategy: Strategy, answers: dict[str, str | None]) -> None:
        """The problems through the runner."""

        async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            outcome = await self.executor.solve(problem, strategy)
            answers[problem.id] = outcome.answer
            return outcome, {}

        admission = Admission(strategy.n, self.policy.capacity)
        await run_problems(self.problems, solve, self.store, self.new_run(), admission=admission)

    async def in_lockstep(
        self, strategy: Strategy, batch: int, answers: dict[str, str | None]
    ) -> None:
        """The problems batch by batch through the lockstep loop."""
        spec = self.new_run()
        for first in range(0, len(self.problems), batch):
            some = self.problems[first : first + batch]
            for outcome in await lockstep(self.executor, some, strategy):
                answers[outcome.problem.id] = outcome.answer
                self.store.save(spec, outcome)

    def compare(self, strategy: Strategy, repeats: int) -> dict[str, Any]:
        """Seconds of all ways, in turn, and their medians over the executor's."""
        answers: dict[str, dict[str, str | None]] = defaultdict(dict)
        self.policy.recorded = []
        self.forget()
        asyncio.run(self.execute(strategy, answers["executor"]))
        requests, self.policy.recorded = self.policy.recorded, None
        temperature, every = self.executor.sampling.temperature, len(self.problems)
        ways: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "executor": lambda: self.execute(strategy, answers["executor"]),
            "engine_limit": lambda: at_once(self.policy._engine, requests, temperature),
        }
        if self.alone is not self.policy._engine:
            ways["all_cores"] = lambda: at_once(self.alone, requests, temperature)
        if strategy.needs_prm:
            for name, batch in (("lockstep", 1), ("lockstep_together", every)):
                ways[name] = functools.partial(self.in_lockstep, strategy, batch, answers[name])
        # A search has written what its later prompts begin with: it is in the cache.
        asked = {tuple(self.policy.prompt(problem.text)) for problem in self.problems}
        written = [(prompt, n) for prompt, n in requests if tuple(prompt) not in asked]
        warm = dict.fromkeys(("engine_limit", "all_cores"), written)
        rounds = [
            {name: self.timed(way, warm.get(name, ())) for name, way in ways.items()}
            for _ in range(repeats)
        ]
        same = [answers["executor"] == given for given in answers.values()]
        return {
            "generated": sum(sum(lengths) for _, lengths in requests),
            "seconds": {name: statistics.median(each[name] for each in rounds) for name in ways},
            "over_executor": {
                name: statistics.median(each[name] / each["executor"] for each in rounds)
                for name in ways
            },
            "same_answers": all(same),
            "rounds": rounds,
        }


def ratios(found: Mapping[str, Any], way: str, digits: int) -> str:
    """What a way took over what the executor took, by strategy."""
    each = {name: one["over_executor"] for name, one in found.items()}
    return ", ".join(f"{name} {r[way]:.{digits}f}" for name, r in each.items() if way in r)


def main() -> None:
    """Measure every strategy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--strategies", nargs="+", default=KINDS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one-process", action="store_true", help="both engines in this process")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = EngineOptions(block_size=32, apart=not arguments.one_process)
    template = template_for(POLICY, MODELS / POLICY)
    of_policy, of_prm = divided(options, prm=MODELS / PRM)
    policy = RecordingPolicy.load(POLICY, MODELS / POLICY, template, of_policy)
    alone = policy._engine
    if options.apart:
        alone = start_subprocess_engine(POLICY, MODELS / POLICY, options)
    prm = load_prm(resolve_prm(PRM), policy.tokens, of_prm)
    assert isinstance(prm, VllmScorer)
    problems = load_problems(LABORATORY / "profile.jsonl", limit=arguments.problems)
    found = {}
    with (
        tempfile.TemporaryDirectory() as place,
        Store.open(f"sqlite:///{place}/bench.db") as store,
        MathGrader() as grader,
    ):
        # All N responses are drawn: what is not drawn would flatter the executor.
        executor = Executor(policy, prm, grader, Sampling(), early_stop=False)
        bench = Bench(policy, alone, prm, executor, problems, store)
        for name in arguments.strategies:
            found[name] = one = bench.compare(make(name, arguments.budget), arguments.repeats)
            if not arguments.json:
                seconds = ", ".join(f"{way} {s:.2f} s" for way, s in one["seconds"].items())
                same = "same" if one["same_answers"] else "other"
                print(f"{name}: {one['generated']} tokens; {seconds}; the {same} answers")
    line = (
        f"share of the engine's limit, {len(problems)} problems at N = {arguments.budget}: "
        + ratios(found, "engine_limit", 2)
        + (
            "; of one with all cores to itself: " + ratios(found, "all_cores", 2)
            if options.apart
            else ""
        )
        + "; speed over a lockstep loop, a problem at a time: "
        + ratios(found, "lockstep", 1)
        + "; over all problems together: "
        + ratios(found, "lockstep_together", 1)
    )
    finish(found, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
