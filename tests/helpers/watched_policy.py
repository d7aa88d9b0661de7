"""A policy and a PRM that remember what they were asked, and how strategies are run on them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.ledger import TokenCap
from executor.models.tokens import Step
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.policies.vllm import Draw, Policy
from executor.problem import Problem
from executor.search import Context, Response, search
from executor.strategy import (
    BeamSearch,
    Dvts,
    ParticleFilter,
    Sampling,
    Strategy,
    key,
)

TREES: list[Strategy] = [BeamSearch(8, 4), Dvts(8, 4), BeamSearch(6, 3), Dvts(6, 2)]
SEARCHES: list[Strategy] = [*TREES, ParticleFilter(8)]  # all that grow step by step
PROBLEM = simulated_problems(1)[0]
every_tree = pytest.mark.parametrize("strategy", TREES, ids=key)
every_search = pytest.mark.parametrize("strategy", SEARCHES, ids=key)


class Watched(SimulatedPolicy):
    """Remembers its requests and draws, and the prefixes that end with a draw."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests: list[dict[str, Any]] = []
        self.draws: list[Draw] = []
        self.prefixes: set[tuple[int, ...]] = set()

    async def draw(self, prompt_ids: Sequence[int], **options: Any) -> list[Draw]:
        self.requests.append(options | {"prompt_ids": tuple(prompt_ids)})
        draws = await super().draw(prompt_ids, **options)
        self.draws += draws
        prompt = self.prompt(PROBLEM.text)
        written = tuple(prompt_ids[len(prompt) :])
        self.prefixes |= {written + draw.token_ids for draw in draws}
        return draws


class WatchedPrm(SimulatedPrm):
    """Remembers which prefixes it was asked to score the end of."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[tuple[int, ...]] = []

    async def score(self, question: str, steps: Sequence[Step], **options: Any) -> list[float]:
        tokens = [token for step in steps for token in step.token_ids]
        ends = list(itertools.accumulate(len(step.token_ids) for step in steps))
        self.asked += [tuple(tokens[:end]) for end in ends[options["start"] :]]
        return await super().score(question, steps, **options)


def context_of(
    policy: Policy,
    prm: SimulatedPrm | None = None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    cap: int = 10**9,
    problem: Problem = PROBLEM,
) -> Context:
    capped = TokenCap(cap)
    return Context(problem, policy, prm, sampling or Sampling(), seed, capped, MathGrader())


def run(strategy: Strategy, context: Context) -> list[Response]:
    return asyncio.run(search(strategy, context))


def check_ledger(context: Context) -> None:
    """Everything the engines counted is charged, and nothing else."""
    ledger, policy = context.ledger, context.policy.counters()
    assert ledger.generated + ledger.discarded == policy.generated
    assert ledger.probe == 0
    assert ledger.prompt + ledger.cached == policy.prompt
    assert ledger.cached == policy.cached
    if context.prm is not None:
        prm = context.prm.counters()
        assert (ledger.prm + ledger.prm_cached, ledger.prm_cached) == (prm.prompt, prm.cached)
