"""Simulated models that remember their requests, and helpers that run strategies on them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from executor.answers.grader import Grader, MathGrader
from executor.engines.base import EngineCounters
from executor.ledger import Ledger, TokenCap
from executor.models.tokens import Step
from executor.policies.base import Draw, DrawRequest, Policy
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.scorers.base import StepScorer
from executor.search import Context, Response, search
from executor.strategy import Sampling, Strategy

PROBLEM = simulated_problems(1)[0]


class WatchedPolicy(SimulatedPolicy):
    """A simulated policy that remembers its requests and draws.

    Attributes:
        requests: all requests, in order.
        draws: all draws, in order.
        prefixes: tokens of every response to `PROBLEM` up to the end of a draw.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.requests: list[DrawRequest] = []
        self.draws: list[Draw] = []
        self.prefixes: set[tuple[int, ...]] = set()

    async def draw(self, request: DrawRequest) -> list[Draw]:
        """See `Policy.draw`."""
        self.requests.append(request)
        draws = await super().draw(request)
        self.draws += draws
        prompt = self.prompt(PROBLEM.text)
        written = tuple(request.prompt_ids[len(prompt) :])
        self.prefixes |= {written + draw.token_ids for draw in draws}
        return draws


class WatchedPrm(SimulatedPrm):
    """A simulated PRM that remembers its requests.

    Attributes:
        asked: tokens of the solution up to each step that was scored, in order.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.asked: list[tuple[int, ...]] = []

    async def score(
        self, question: str, steps: Sequence[Step], *, start: int, ledger: Ledger
    ) -> list[float]:
        """See `StepScorer.score`."""
        tokens = [token for step in steps for token in step.token_ids]
        ends = list(itertools.accumulate(len(step.token_ids) for step in steps))
        self.asked += [tuple(tokens[:end]) for end in ends[start:]]
        return await super().score(question, steps, start=start, ledger=ledger)


def context_of(
    policy: Policy,
    prm: StepScorer | None = None,
    *,
    sampling: Sampling | None = None,
    seed: int = 0,
    cap: int = 10**9,
    problem: Problem = PROBLEM,
    grader: Grader | None = None,
) -> Context:
    """Return a fresh context of one problem.

    Args:
        policy: the policy.
        prm: the step scorer, if the strategy needs one.
        sampling: sampling settings; the defaults if None.
        seed: base seed.
        cap: most tokens generated.
        problem: the problem.
        grader: grader for votes during the search; a `MathGrader` if None.
    """
    return Context(
        problem, policy, prm, sampling or Sampling(), seed, TokenCap(cap), grader or MathGrader()
    )


def run_search(strategy: Strategy, context: Context) -> list[Response]:
    """Run a strategy on an event loop of its own and return its responses."""
    return asyncio.run(search(strategy, context))


def check_ledger(context: Context) -> None:
    """Assert that the ledger holds exactly what the engines counted since they started."""
    assert context.ledger.probe == 0
    prm = EngineCounters() if context.prm is None else context.prm.counters()
    check_charged(context.ledger, context.policy.counters(), prm)


def check_charged(ledger: Ledger, policy: EngineCounters, prm: EngineCounters) -> None:
    """Assert that the ledger holds exactly what the engines counted, to the token."""
    assert ledger.policy_generated == policy.generated
    assert (ledger.prompt + ledger.cached, ledger.cached) == (policy.prompt, policy.cached)
    assert (ledger.prm + ledger.prm_cached, ledger.prm_cached) == (prm.prompt, prm.cached)
