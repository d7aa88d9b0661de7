"""How near does a search come to its engine's limit, and how far ahead is it of a lockstep loop?

The laboratory's policy and PRM, on real vLLM in one process:

- *executor*: problems through this project's runner and store, PRM scoring included;
- *engine limit*: the very requests of that run (prompts and lengths) submitted at once to the same
  engine, no PRM: no search can be faster than a policy that never waits;
- *lockstep*: a loop as public implementations have it, over all problems together: every round
  waits for the last child of the last problem, then scores every solution from its beginning, then
  selects. The requests are those of the run above, round by round, so that all three write the
  same tokens.

Speeds are ratios within one run, each the median of several repetitions in turn; prefix caches are
empty when a measurement begins.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from common import LABORATORY, MODELS, ROOT, finish

sys.path.insert(0, str(ROOT))
from executor.admission import Admission
from executor.answers import MathGrader
from executor.checkpoints import resolve
from executor.delivery import post
from executor.engine import Engine, EngineOptions, host
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.policy import Draw, VllmPolicy
from executor.prm.reward_head import RewardHead
from executor.prm.served import VllmPrm
from executor.problem import Problem
from executor.runner import Executor, run_problems
from executor.store import RunSpec, Store
from executor.strategy import STEP_DELIMITER, Sampling, Strategy, make
from executor.templates import template_for
from executor.tokens import Step
from profiling.problems import load_problems

POLICY, PRM = "lab-0.8m", "lab-0.8m-prm"
SERIAL = itertools.count()


@dataclass
class Recorded:
    """What a run asked its engines for.

    Attributes:
        requests: round, prompt, and the length of each child; a round is a step of a response.
        solutions: round, and the tokens of the question and its solution so far, as the PRM
            reads them.
    """

    requests: list[tuple[int, list[int], list[int]]] = field(default_factory=list)
    solutions: list[tuple[int, list[int]]] = field(default_factory=list)


class RecordingPolicy(VllmPolicy):
    """The policy, remembering its requests."""

    recorded: Recorded | None = None

    async def draw(self, prompt_ids: Sequence[int], **options: Any) -> list[Draw]:
        """See `Policy.draw`."""
        draws = await super().draw(prompt_ids, **options)
        if self.recorded is not None:
            lengths = [len(draw.token_ids) for draw in draws]
            written = self.tokens.decode(prompt_ids).count(STEP_DELIMITER)
            self.recorded.requests.append((written, list(prompt_ids), lengths))
        return draws


class RecordingPrm(VllmPrm):
    """The PRM, remembering what it scored."""

    recorded: Recorded | None = None

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `Prm.score`."""
        if self.recorded is not None:
            layout = self._convention.layout(question, steps)
            self.recorded.solutions.append((len(steps), layout.token_ids[: layout.ends[-1]]))
        return await super().score(question, steps, start=start, ledger=ledger)


@dataclass(frozen=True)
class Models:
    """The models, and ways to put requests to their engines directly."""

    policy: RecordingPolicy
    prm: RecordingPrm
    sampling: Sampling

    def forget(self) -> None:
        """Empty the prefix caches."""
        for engine in (self.policy._engine, self.prm._engine):
            host().call(engine._llm.reset_prefix_cache).result()

    async def write(self, requests: Sequence[tuple[int, list[int], list[int]]]) -> None:
        """Every child of every request as long as it was, all at once."""
        from vllm import SamplingParams

        waiting = Waiting(sum(len(lengths) for _, _, lengths in requests))
        for number, (_, prompt, lengths) in enumerate(requests):
            for child, length in enumerate(lengths):
                params = SamplingParams(
                    max_tokens=length, ignore_eos=True, detokenize=False, seed=number + child,
                    temperature=self.sampling.temperature, logprobs=0, flat_logprobs=True,
                )  # fmt: skip
                waiting.submit(self.policy._engine, prompt, params)
        await waiting.over

    async def rescore(self, solutions: Sequence[tuple[int, list[int]]]) -> None:
        """Every solution from its beginning, all at once."""
        from vllm import PoolingParams

        waiting = Waiting(len(solutions))
        for _, token_ids in solutions:
            params = PoolingParams(task="token_classify", use_activation=True)
            waiting.submit(self.prm._engine, token_ids, params)
        await waiting.over


class Waiting:
    """Waits for requests of which it only matters that they are over."""

    def __init__(self, n: int) -> None:
        self._loop = asyncio.get_running_loop()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._left = n
        if not n:
            self.over.set_result(None)

    def submit(self, engine: Engine, prompt: list[int], params: Any) -> None:
        """Queue one."""
        engine.submit(
            f"bench-{next(SERIAL)}", prompt, params, deliver=self._deliver, fail=self._fail
        )

    def _deliver(self, output: Any) -> None:
        post(self._loop, self._count)

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self.over.set_result(None)

    def _fail(self, error: BaseException) -> None:
        post(self._loop, self.over.set_exception, error)


async def lockstep(models: Models, recorded: Recorded) -> None:
    """Round by round over all problems: write, wait for the last, score all again, wait."""
    last = max(turn for turn, _ in recorded.solutions)
    for turn in range(last + 1):
        await models.write([one for one in recorded.requests if one[0] == turn])
        await models.rescore([one for one in recorded.solutions if one[0] == turn + 1])


async def execute(
    executor: Executor, problems: Sequence[Problem], strategy: Strategy, store: Store
) -> None:
    """The problems through the runner into a store."""

    async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        return await executor.solve(problem, strategy), {}

    spec = RunSpec("bench", POLICY, PRM, {"number": next(SERIAL)})
    admission = Admission(strategy.n, executor.policy.capacity)
    await run_problems(problems, solve, store, spec, admission=admission)


def timed(models: Models, work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Seconds of `work`, nothing cached when it begins."""
    models.forget()
    started = time.perf_counter()
    asyncio.run(work())
    return time.perf_counter() - started


def compare(
    executor: Executor,
    models: Models,
    problems: Sequence[Problem],
    strategy: Strategy,
    store: Store,
    repeats: int,
) -> dict[str, Any]:
    """Seconds of the three, in turn, and the ratios."""
    recorded = Recorded()
    models.policy.recorded = models.prm.recorded = recorded
    models.forget()
    asyncio.run(execute(executor, problems, strategy, store))
    models.policy.recorded = models.prm.recorded = None
    tokens = sum(sum(lengths) for _, _, lengths in recorded.requests)
    ways: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "executor": lambda: execute(executor, problems, strategy, store),
        "engine_limit": lambda: models.write(recorded.requests),
        "lockstep": lambda: lockstep(models, recorded),
    }
    rounds = [{name: timed(models, way) for name, way in ways.items()} for _ in range(repeats)]
    of_limit = [each["engine_limit"] / each["executor"] for each in rounds]
    of_lockstep = [each["lockstep"] / each["executor"] for each in rounds]
    return {
        "generated": tokens,
        "seconds": {name: statistics.median(each[name] for each in rounds) for name in ways},
        "of_engine_limit": statistics.median(of_limit),
        "of_lockstep": statistics.median(of_lockstep),
        "rounds": rounds,
    }


def main() -> None:
    """Measure every strategy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--strategies", nargs="+", default=["best_of_n", "beam_search", "dvts"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    options = EngineOptions(block_size=32)
    template = template_for(POLICY, MODELS / POLICY)
    policy = RecordingPolicy.load(POLICY, MODELS / POLICY, template, options)
    checkpoint = resolve(PRM, "PRM")
    prm = RecordingPrm.load(checkpoint, RewardHead.load(checkpoint, policy.tokens), options)
    models = Models(policy, prm, Sampling())
    problems = load_problems(LABORATORY / "profile.jsonl", limit=arguments.problems)
    found = {}
    with (
        tempfile.TemporaryDirectory() as place,
        Store.open(f"sqlite:///{place}/bench.db") as store,
        MathGrader() as grader,
    ):
        executor = Executor(policy, prm, grader, models.sampling)
        for name in arguments.strategies:
            strategy = make(name, arguments.budget)
            found[name] = one = compare(
                executor, models, problems, strategy, store, arguments.repeats
            )
            if not arguments.json:
                seconds = ", ".join(f"{way} {s:.2f} s" for way, s in one["seconds"].items())
                print(f"{name}: {one['generated']} tokens; {seconds}")
    line = f"share of the engine's limit, {len(problems)} problems at N = {arguments.budget}: " + (
        ", ".join(f"{name} {one['of_engine_limit']:.2f}" for name, one in found.items())
        + "; speed over a lockstep loop: "
        + ", ".join(f"{name} {one['of_lockstep']:.1f}" for name, one in found.items())
    )
    finish(found, line, as_json=arguments.json)


if __name__ == "__main__":
    main()
