"""What equal seeds promise; see `executor.search.base.derive_seed`."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.engines.options import EngineOptions
from executor.ledger import TokenCap
from executor.models.templates import template_for
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.policies.vllm import VllmPolicy
from executor.problem import Problem
from executor.scorers.prm import load_prm, resolve_prm
from executor.search import Context, Response, search
from executor.strategy import STRATEGIES, Sampling, ShortMOfK, Strategy, key, make
from profiling.problems.files import load_problems

MODELS = Path(__file__).parents[3] / "data" / "models"
PROBLEMS = Path(__file__).parents[3] / "data" / "problems" / "laboratory" / "heldout.jsonl"
OPTIONS = EngineOptions(kv_cache_gib=0.25, block_size=32, dtype="float32")
SAMPLING = Sampling(max_tokens=128)
ROUNDING = 1e-5
# Responses and ledger of every problem, by strategy.
Run = dict[str, list[tuple[list[Response], dict[str, int]]]]
OPTIONS_OF: dict[str, dict[str, int]] = {"aggregate": {"rounds": 1, "shown": 2}}
RUN: list[Strategy] = [make(name, 8, **OPTIONS_OF.get(name, {})) for name in STRATEGIES]

every_strategy = pytest.mark.parametrize("strategy", RUN, ids=key)


def context(policy: Any, prm: Any, problem: Problem) -> Context:
    cap = TokenCap(10**6)
    return Context(problem, policy, prm, SAMPLING, seed=3, cap=cap, grader=MathGrader())


async def at_once(contexts: Sequence[Context], strategy: Strategy, limit: int) -> list[Any]:
    """Responses of each problem, at most `limit` of them searched at once."""
    room = asyncio.Semaphore(limit)

    async def one(ctx: Context) -> list[Response]:
        async with room:
            return await search(strategy, ctx)

    return await asyncio.gather(*map(one, contexts))


# What is sent, whatever answers


# What a request is given to answer with.
HANDLES = ("ledger", "finished", "unfinished")


class Unsteady(SimulatedPolicy):
    """Notes what it is asked; its answers take a time that differs from run to run."""

    def __init__(self, chaos: int) -> None:
        super().__init__(0.6, 3, blank_lines=0.3)
        self.requests: list[tuple[Any, ...]] = []
        self._chaos = random.Random(chaos)

    async def draw(self, request: DrawRequest) -> list[Draw]:
        sent = ((one.name, getattr(request, one.name)) for one in dataclasses.fields(request))
        self.requests.append(
            tuple((name, str(value)) for name, value in sent if name not in HANDLES)
        )
        await asyncio.sleep(self._chaos.uniform(0, 0.003))
        return await super().draw(request)


@every_strategy
@pytest.mark.parametrize("limit", [2, 6])
def test_requests_follow_from_the_seed_and_the_answers_alone(
    strategy: Strategy, limit: int
) -> None:
    def sent(limit: int, chaos: int) -> list[tuple[Any, ...]]:
        policy = Unsteady(chaos)
        prm = SimulatedPrm(0.8, latency=0.001)
        contexts = [context(policy, prm, problem) for problem in simulated_problems(6)]
        asyncio.run(at_once(contexts, strategy, limit))
        return sorted(policy.requests)

    assert sent(limit, chaos=1) == sent(1, chaos=2)


# What vLLM answers


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """The same problems with every strategy on fresh engines: alone, alone again, all at once."""
    problems = load_problems(PROBLEMS)[2:4]
    return [solved(1, problems), solved(1, problems), solved(len(problems), problems)]


def solved(limit: int, problems: Sequence[Problem]) -> Run:
    """Every strategy on every problem, on engines just started; `limit` problems at once."""
    folder = MODELS / "lab-0.4m"
    policy = VllmPolicy.load("lab-0.4m", folder, template_for("lab-0.4m", folder), OPTIONS)
    prm = load_prm(resolve_prm("lab-0.4m-prm"), policy.tokens, OPTIONS)
    found = {}
    try:
        for strategy in RUN:
            contexts = [context(policy, prm, problem) for problem in problems]
            responses = asyncio.run(at_once(contexts, strategy, limit))
            ledgers = [asdict(ctx.ledger) for ctx in contexts]
            found[key(strategy)] = list(zip(responses, ledgers, strict=True))
    finally:
        prm.close()
        policy.close()
    return found


def tokens(responses: Sequence[Response]) -> list[list[int]]:
    return [response.token_ids for response in responses]


@pytest.mark.slow
@pytest.mark.vllm
@every_strategy
def test_one_problem_at_a_time_on_fresh_engines_is_the_same_again(
    strategy: Strategy, runs: list[Run]
) -> None:
    if isinstance(strategy, ShortMOfK):
        pytest.skip("when a cancellation reaches the engine depends on time")
    first, again, _ = (run[key(strategy)] for run in runs)
    for (one, charged), (other, charged_again) in zip(first, again, strict=True):
        assert tokens(one) == tokens(other)
        assert charged == charged_again
        for a, b in zip(one, other, strict=True):
            assert a.rewards == pytest.approx(b.rewards, abs=ROUNDING)
            assert a.logprob == pytest.approx(b.logprob, abs=ROUNDING * a.n_tokens)


@pytest.mark.slow
@pytest.mark.vllm
def test_beside_others_no_more_differs_than_rounding_explains(runs: list[Run]) -> None:
    """No promise of equal tokens: a rounding error may decide a draw, and all that follows."""
    same = []
    for strategy in (one for one in RUN if not isinstance(one, ShortMOfK)):
        alone, _, together = (run[key(strategy)] for run in runs)
        for (one, _), (other, _) in zip(alone, together, strict=True):
            for a, b in zip(one, other, strict=True):
                same.append(a.token_ids == b.token_ids)
                if same[-1]:
                    assert a.rewards == pytest.approx(b.rewards, abs=ROUNDING)
    assert sum(same) / len(same) > 0.8
