"""The conformance suite of strategies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import pytest

from executor.answers.grader import Grader, MathGrader
from executor.errors import EngineError, InputError
from executor.policies.simulated import EOS_ID, SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.run.runner import Executor
from executor.search import Response, State, search
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    Strategy,
    voters,
)
from executor.testing import virtual_time
from executor.testing.watched import (
    PROBLEM,
    WatchedPolicy,
    WatchedPrm,
    check_ledger,
    context_of,
    run_search,
)

habits = pytest.mark.parametrize("blank_lines", [0.0, 0.3], ids=["tidy", "blank lines"])

LIMITS = [
    Sampling(max_tokens=1),
    Sampling(max_tokens=60),
    Sampling(max_tokens=100),
    Sampling(max_step_tokens=7, max_tokens=60),
]


class StrategyConformance:
    """Tests that every strategy must pass, on simulated models.

    Override the fixture `strategy`::

        import pytest
        from executor.strategy import Dvts
        from executor.testing.strategy_conformance import StrategyConformance

        class TestWideDvts(StrategyConformance):
            @pytest.fixture
            def strategy(self):
                return Dvts(8, width=8)

    Choose a budget of at least 4 (`Greedy` has 1): the tests expect that searches discard tokens.
    The simulated models answer all requests of one moment at once, so that none is cancelled.
    """

    @pytest.fixture
    def strategy(self) -> Strategy:
        """Override: the strategy under test."""
        raise NotImplementedError("override the fixture `strategy`")

    @pytest.fixture
    def stepwise(self, strategy: Strategy) -> bool:
        """Whether the strategy grows responses step by step."""
        return isinstance(strategy, BeamSearch | Dvts | ParticleFilter)

    @pytest.fixture
    def draws_exactly_n(self, strategy: Strategy) -> bool:
        """Whether the strategy always draws all its `n` responses if no vote is settled early."""
        return not isinstance(strategy, AdaptiveMajority)

    @pytest.fixture
    def final(self, strategy: Strategy) -> int:
        """Number of final responses, if all are drawn: those of an aggregation's last round."""
        return voters(strategy) if isinstance(strategy, Aggregate) else strategy.n

    @pytest.fixture
    def grader(self) -> Iterator[Grader]:
        """The grader that votes; the simulated answers are plain numbers."""
        with MathGrader() as grader:
            yield grader

    @habits
    def test_all_final_responses_come_out_finished(
        self, strategy: Strategy, blank_lines: float, draws_exactly_n: bool, final: int
    ) -> None:
        if not draws_exactly_n:
            pytest.skip("may draw fewer than n responses")
        context = context_of(WatchedPolicy(0.7, 3, blank_lines=blank_lines), SimulatedPrm(0.9))
        responses = run_search(strategy, context)
        assert len(responses) == final
        for response in responses:
            assert response.state is State.FINISHED
            assert "boxed" in response.steps[-1].text
            assert len(response.steps) == 4
            assert len(response.rewards) == (4 if strategy.needs_prm else 0)
            assert response.steps == tuple(context.tokens.tokens.steps(response.token_ids))

    def test_every_response_is_a_draw_of_its_own(
        self, strategy: Strategy, stepwise: bool, draws_exactly_n: bool
    ) -> None:
        # At p = 1 texts repeat: equal texts are no copies, as long as each was drawn.
        policy = WatchedPolicy(1.0, 2)
        responses = run_search(strategy, context_of(policy, SimulatedPrm(0.9)))
        if stepwise:
            # These responses end in one round, after which no particle is copied.
            last = [response.branches[-1][0] for response in responses]
            assert len(set(last)) == strategy.n
            for response in responses:
                assert sum(tokens for _, tokens in response.branches) == response.n_tokens
        else:
            drawn = sorted(draw.token_ids for draw in policy.draws[-len(responses) :])
            assert sorted(tuple(response.token_ids) for response in responses) == drawn
            assert len(policy.draws) == strategy.n or not draws_exactly_n

    @habits
    @pytest.mark.parametrize("block_size", [None, 16])
    def test_the_ledger_is_what_the_engines_counted(
        self, strategy: Strategy, blank_lines: float, block_size: int | None, stepwise: bool
    ) -> None:
        policy = SimulatedPolicy(0.6, 4, blank_lines=blank_lines, block_size=block_size)
        context = context_of(policy, SimulatedPrm(0.8, block_size=block_size))
        responses = run_search(strategy, context)
        check_ledger(context)
        if stepwise:
            kept = sum(dict(branch for r in responses for branch in r.branches).values())
            assert context.ledger.discarded > 0
        else:
            kept = sum(response.n_tokens for response in responses)
        assert context.ledger.generated == kept
        if block_size and strategy.n > 1:
            assert context.ledger.cached > 0

    def test_the_same_seed_gives_the_same_responses_beside_whatever_else_runs(
        self, strategy: Strategy
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

    @pytest.mark.parametrize("limit", [0, 1, 9, 40, 150, 300, 700, 1100])
    @habits
    def test_the_token_cap_is_never_exceeded(
        self, strategy: Strategy, limit: int, blank_lines: float, grader: Grader
    ) -> None:
        policy = SimulatedPolicy(0.7, 3, blank_lines=blank_lines)
        context = context_of(policy, SimulatedPrm(0.8), cap=limit)
        responses = run_search(strategy, context)
        assert policy.counters().generated <= limit
        check_ledger(context)
        assert context.cap.left == limit - policy.counters().generated
        assert len(responses) <= strategy.n
        for response in responses:
            assert (response.state is State.FINISHED) == (
                "boxed" in response.text and _has_ended(response)
            )
            assert response.state is not State.LIVE

    @pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06, 0.1])
    def test_cancelling_charges_what_was_generated(self, strategy: Strategy, after: float) -> None:
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

        virtual_time.run(cancelled())
        check_ledger(context)
        assert context.cap.left <= 5000 - policy.counters().generated
        if after == 0.03:
            assert context.ledger.policy_generated > 0

    @habits
    @pytest.mark.parametrize("sampling", LIMITS, ids=repr)
    def test_a_response_cut_by_a_limit_is_not_finished_and_has_no_answer(
        self,
        strategy: Strategy,
        sampling: Sampling,
        blank_lines: float,
        grader: Grader,
        final: int,
    ) -> None:
        policy = SimulatedPolicy(0.7, 4, blank_lines=blank_lines)
        executor = Executor(policy, SimulatedPrm(0.8), grader, sampling, token_cap=10**6)
        outcome = asyncio.run(executor.solve(PROBLEM, strategy))
        assert len(outcome.samples) == final
        for one in outcome.samples:
            assert (one.state, one.answer, one.correct) == ("cut", None, False)
            assert one.n_tokens <= sampling.max_tokens
        assert (outcome.answer, outcome.correct) == (None, False)

    def test_a_search_stops_at_its_most_steps(self, strategy: Strategy, stepwise: bool) -> None:
        if not stepwise:
            pytest.skip("draws whole responses")
        context = context_of(
            SimulatedPolicy(0.7, 5), SimulatedPrm(0.8), sampling=Sampling(max_steps=2)
        )
        for response in run_search(strategy, context):
            assert (response.state, len(response.steps)) == (State.CUT, 2)

    def test_steps_longer_than_a_step_may_be_are_gone_on_with(
        self, strategy: Strategy, stepwise: bool
    ) -> None:
        if not stepwise:
            pytest.skip("draws whole responses")
        context = context_of(
            SimulatedPolicy(0.7, 2), SimulatedPrm(0.8), sampling=Sampling(max_step_tokens=20)
        )
        for response in run_search(strategy, context):
            assert response.state is State.FINISHED
            assert max(len(step.token_ids) for step in response.steps) <= 20
            assert "boxed" in response.text

    def test_a_full_context_cuts_the_response(self, strategy: Strategy) -> None:
        policy = SimulatedPolicy(0.7, 4)
        policy.max_context = len(policy.prompt(PROBLEM.text)) + 70
        responses = run_search(strategy, context_of(policy, SimulatedPrm(0.8)))
        assert responses
        for response in responses:
            assert response.state is State.CUT
            assert response.n_tokens <= 70

    def test_the_prm_is_asked_once_for_each_prefix_that_was_drawn(
        self, strategy: Strategy, stepwise: bool
    ) -> None:
        policy, prm = WatchedPolicy(0.7, 4), WatchedPrm(0.8)
        responses = run_search(strategy, context_of(policy, prm))
        if stepwise:
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

    @pytest.mark.parametrize("engine", ["policy", "prm"])
    def test_a_lost_engine_is_told_and_leaves_no_branch_behind(
        self, strategy: Strategy, engine: str
    ) -> None:
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

    def test_a_strategy_that_needs_a_prm_says_so(self, strategy: Strategy, grader: Grader) -> None:
        executor = Executor(SimulatedPolicy(), None, grader, Sampling())
        if strategy.needs_prm:
            with pytest.raises(InputError, match=f"{strategy.name} needs a PRM"):
                asyncio.run(executor.solve(PROBLEM, strategy))
        else:
            assert asyncio.run(executor.solve(PROBLEM, strategy)).samples


def _has_ended(response: Response) -> bool:
    """Whether the policy ended the response with its end-of-sequence token."""
    return response.token_ids[-1] == EOS_ID
