"""The conformance suite that every strategy passes."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from executor.answers.grader import MathGrader
from executor.errors import EngineError, InputError
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.search import Response, State, search
from executor.strategy import (
    AdaptiveMajority,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    Strategy,
    key,
)
from tests.helpers.watched_policy import (
    PROBLEM,
    Watched,
    WatchedPrm,
    check_ledger,
    context_of,
    every_search,
    run,
)

FIXED: list[Strategy] = [
    Greedy(), Majority(8), BestOfN(8), BeamSearch(8, 4), Dvts(8, 4), ParticleFilter(8),
]  # fmt: skip
# An adaptive vote may end before its n; how soon is tested with the other votes that may.
STRATEGIES = [*FIXED, AdaptiveMajority(8)]

every_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=key)
every_fixed_strategy = pytest.mark.parametrize("strategy", FIXED, ids=key)
habits = pytest.mark.parametrize("blank_lines", [0.0, 0.3], ids=["tidy", "blank lines"])


@every_fixed_strategy
@habits
def test_exactly_n_finished_responses_come_out(strategy: Strategy, blank_lines: float) -> None:
    context = context_of(Watched(0.7, 3, blank_lines=blank_lines), SimulatedPrm(0.9))
    responses = run(strategy, context)
    assert len(responses) == strategy.n
    for response in responses:
        assert response.state is State.FINISHED
        assert "boxed" in response.steps[-1].text
        assert len(response.steps) == 4
        assert len(response.rewards) == (4 if strategy.needs_prm else 0)
        assert response.steps == tuple(context.policy.tokens.steps(response.token_ids))


@every_strategy
def test_every_response_is_a_draw_of_its_own(strategy: Strategy) -> None:
    # At p = 1 texts repeat: equal texts are no copies, as long as each was drawn.
    policy = Watched(1.0, 2)
    responses = run(strategy, context_of(policy, SimulatedPrm(0.9)))
    if isinstance(strategy, BeamSearch | Dvts | ParticleFilter):
        # These responses end in one round, after which no particle is copied.
        last = [response.branches[-1][0] for response in responses]
        assert len(set(last)) == strategy.n
        for response in responses:
            assert sum(tokens for _, tokens in response.branches) == response.n_tokens
    else:
        drawn = sorted(draw.token_ids for draw in policy.draws)
        assert sorted(tuple(response.token_ids) for response in responses) == drawn


@every_strategy
@habits
@pytest.mark.parametrize("block_size", [None, 16])
def test_the_ledger_is_what_the_engines_counted(
    strategy: Strategy, blank_lines: float, block_size: int | None
) -> None:
    policy = SimulatedPolicy(0.6, 4, blank_lines=blank_lines, block_size=block_size)
    context = context_of(policy, SimulatedPrm(0.8, block_size=block_size))
    responses = run(strategy, context)
    check_ledger(context)
    if isinstance(strategy, BeamSearch | Dvts | ParticleFilter):
        kept = sum(dict(branch for r in responses for branch in r.branches).values())
        assert context.ledger.discarded > 0
    else:
        kept = sum(response.n_tokens for response in responses)
    assert context.ledger.generated == kept
    if block_size and strategy.n > 1:
        assert context.ledger.cached > 0


@every_strategy
def test_the_same_seed_gives_the_same_responses_beside_whatever_else_runs(
    strategy: Strategy,
) -> None:
    async def among(others: int, seed: int) -> list[Response]:
        policy, prm = SimulatedPolicy(0.6, 3), SimulatedPrm(0.8)
        contexts = [context_of(policy, prm, seed=seed)] + [
            context_of(policy, prm, seed=seed, problem=problem)
            for problem in simulated_problems(others, "other")
        ]
        found = await asyncio.gather(*(search(strategy, context) for context in contexts))
        return found[0]

    def texts(responses: list[Response]) -> list[tuple[str, tuple[float, ...], float]]:
        return [(r.text, r.rewards, r.logprob) for r in responses]

    alone = texts(asyncio.run(among(0, seed=5)))
    assert texts(asyncio.run(among(4, seed=5))) == alone
    other_seed = texts(asyncio.run(among(0, seed=6)))
    assert (other_seed == alone) == isinstance(strategy, Greedy)


@every_strategy
@pytest.mark.parametrize("limit", [0, 1, 9, 40, 150, 300, 700, 1100])
@habits
def test_the_token_cap_is_never_exceeded(
    strategy: Strategy, limit: int, blank_lines: float, grader: MathGrader
) -> None:
    policy = SimulatedPolicy(0.7, 3, blank_lines=blank_lines)
    context = context_of(policy, SimulatedPrm(0.8), cap=limit)
    responses = run(strategy, context)
    assert policy.counters().generated <= limit
    check_ledger(context)
    assert context.cap.left == limit - policy.counters().generated
    assert len(responses) <= strategy.n
    for response in responses:
        assert (response.state is State.FINISHED) == ("boxed" in response.text and ended(response))
        assert response.state is not State.LIVE


def ended(response: Response) -> bool:
    return response.token_ids[-1] >= 0x110000


@every_strategy
@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1])
def test_cancelling_charges_what_was_generated(strategy: Strategy, after: float) -> None:
    policy = SimulatedPolicy(0.7, 4, latency=0.08, block_size=16)
    context = context_of(policy, SimulatedPrm(0.8, latency=0.02), cap=5000)

    async def cancelled() -> None:
        task = asyncio.create_task(search(strategy, context))
        await asyncio.sleep(after)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled() or after > 0.05, "was not cancelled"
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a branch was left running"

    asyncio.run(cancelled())
    check_ledger(context)
    assert context.cap.left <= 5000 - policy.counters().generated
    if after == 0.03:
        assert context.ledger.policy_generated > 0


LIMITS = [
    Sampling(max_tokens=1),
    Sampling(max_tokens=60),
    Sampling(max_tokens=100),
    Sampling(max_step_tokens=7, max_tokens=60),
]


@every_strategy
@habits
@pytest.mark.parametrize("sampling", LIMITS, ids=repr)
def test_a_response_cut_by_a_limit_is_not_finished_and_has_no_answer(
    strategy: Strategy, sampling: Sampling, blank_lines: float, grader: MathGrader
) -> None:
    policy = SimulatedPolicy(0.7, 4, blank_lines=blank_lines)
    executor = Executor(policy, SimulatedPrm(0.8), grader, sampling, token_cap=10**6)
    outcome = asyncio.run(executor.solve(PROBLEM, strategy))
    assert len(outcome.samples) == strategy.n
    for one in outcome.samples:
        assert (one.state, one.answer, one.correct) == ("cut", None, False)
        assert one.n_tokens <= sampling.max_tokens
    assert (outcome.answer, outcome.correct) == (None, False)


@every_search
def test_a_search_stops_at_its_most_steps(strategy: Strategy) -> None:
    context = context_of(SimulatedPolicy(0.7, 5), SimulatedPrm(0.8), sampling=Sampling(max_steps=2))
    for response in run(strategy, context):
        assert (response.state, len(response.steps)) == (State.CUT, 2)


@every_search
def test_steps_longer_than_a_step_may_be_are_gone_on_with(strategy: Strategy) -> None:
    context = context_of(
        SimulatedPolicy(0.7, 2), SimulatedPrm(0.8), sampling=Sampling(max_step_tokens=20)
    )
    for response in run(strategy, context):
        assert response.state is State.FINISHED
        assert max(len(step.token_ids) for step in response.steps) <= 20
        assert "boxed" in response.text


@every_strategy
def test_a_full_context_cuts_the_response(strategy: Strategy) -> None:
    policy = SimulatedPolicy(0.7, 4)
    policy.max_context = len(policy.prompt(PROBLEM.text)) + 70
    responses = run(strategy, context_of(policy, SimulatedPrm(0.8)))
    assert responses
    for response in responses:
        assert response.state is State.CUT
        assert response.n_tokens <= 70


@every_strategy
def test_the_prm_is_asked_once_for_each_prefix_that_was_drawn(strategy: Strategy) -> None:
    policy, prm = Watched(0.7, 4), WatchedPrm(0.8)
    responses = run(strategy, context_of(policy, prm))
    if isinstance(strategy, BeamSearch | Dvts | ParticleFilter):
        drawn = policy.prefixes
    elif strategy.needs_prm:
        drawn = {
            tuple(token for step in response.steps[:end] for token in step.token_ids)
            for response in responses
            for end in range(1, len(response.steps) + 1)
        }
    else:
        drawn = set()
    assert sorted(prm.asked) == sorted(drawn)


@every_strategy
@pytest.mark.parametrize("engine", ["policy", "prm"])
def test_a_lost_engine_is_told_and_leaves_no_branch_behind(strategy: Strategy, engine: str) -> None:
    if engine == "prm" and not strategy.needs_prm:
        pytest.skip("asks no PRM")
    first = 1 if isinstance(strategy, Greedy | Majority | BestOfN) else 2
    policy = SimulatedPolicy(0.7, 3, latency=0.02, faults={first} if engine == "policy" else ())
    prm = SimulatedPrm(0.8, latency=0.02, faults={first} if engine == "prm" else ())
    context = context_of(policy, prm)

    async def fails() -> None:
        with pytest.raises(EngineError, match="was lost"):
            await search(strategy, context)
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a branch was left running"

    asyncio.run(fails())
    check_ledger(context)


@every_strategy
def test_a_strategy_that_needs_a_prm_says_so(strategy: Strategy, grader: MathGrader) -> None:
    executor = Executor(SimulatedPolicy(), None, grader, Sampling())
    if strategy.needs_prm:
        with pytest.raises(InputError, match=f"{strategy.name} needs a PRM"):
            asyncio.run(executor.solve(PROBLEM, strategy))
    else:
        assert asyncio.run(executor.solve(PROBLEM, strategy)).samples
