"""Live short-m@k against what the same samples say if all of them run to their end."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from executor.answers.grader import MathGrader
from executor.ledger import Ledger
from executor.outcome import Outcome, choose
from executor.policies.base import Draw, DrawRequest
from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.problem import Problem
from executor.run.runner import Executor
from executor.search import first_to_finish
from executor.strategy import Majority, Sampling, ShortMOfK
from executor.testing import virtual_time
from executor.testing.watched import check_charged
from profiling.pools.first_finished import short_m_of_k, tokens_until
from profiling.pools.replay import Pool

K = 8


def policy_of(p: float = 0.6) -> SimulatedPolicy:
    return SimulatedPolicy(p, 2, token_latency=0.01)


def solve(
    strategy: ShortMOfK | Majority,
    policy: SimulatedPolicy,
    grader: MathGrader,
    problem: Problem,
    sampling: Sampling | None = None,
    **options: Any,
) -> Outcome:
    executor = Executor(policy, None, grader, sampling or Sampling(), **options)
    outcome = virtual_time.run(executor.solve(problem, strategy))
    check_charged(outcome.ledger, policy.counters(), policy_of().counters())
    return outcome


@pytest.mark.parametrize("m", [1, 3, K])
def test_a_live_run_has_the_answer_and_the_tokens_of_the_replay(m: int, grader: MathGrader) -> None:
    for problem in simulated_problems(12, f"first {m}"):
        whole = solve(Majority(K), policy_of(), grader, problem)
        live = solve(ShortMOfK(K, m), policy_of(), grader, problem)
        pool = Pool.of(whole.samples, grader)
        replayed = short_m_of_k(pool.answer_class, pool.correct, pool.tokens, m, np.array([K]))
        total, last = tokens_until(pool.tokens, m, np.array([K]))
        assert live.correct == bool(replayed[0])
        assert live.ledger.policy_generated == total[0]
        ended = [one for one in whole.samples if one.n_tokens <= last[0]]
        assert [one.text for one in live.samples] == [one.text for one in ended]
        assert live.ledger.generated == sum(one.n_tokens for one in ended)
        assert live.ledger.spared == K - len(ended)
        chosen = choose(ShortMOfK(K, m), whole.samples, grader)
        assert chosen is not None
        assert live.answer == whole.samples[chosen].answer


def test_a_response_that_a_limit_cut_has_not_finished(grader: MathGrader) -> None:
    [problem] = simulated_problems(1, "cut")
    lengths = sorted(
        one.n_tokens for one in solve(Majority(K), policy_of(), grader, problem).samples
    )
    # Only some of the responses have room for their end.
    sampling = Sampling(max_tokens=lengths[2])
    outcome = solve(ShortMOfK(K, K), policy_of(), grader, problem, sampling)
    finished = [one for one in outcome.samples if one.state == "finished"]
    assert 0 < len(finished) < K == len(outcome.samples)
    assert outcome.answer in {one.answer for one in finished}
    assert outcome.ledger.spared == 0
    nothing = solve(ShortMOfK(K, 1), policy_of(), grader, problem, Sampling(max_tokens=9))
    assert (nothing.answer, nothing.correct, len(nothing.samples)) == (None, False, K)


def test_an_early_stop_does_not_wait_for_a_vote_that_is_settled(grader: MathGrader) -> None:
    fewer = 0
    for problem in simulated_problems(12, "settled"):
        whole = solve(ShortMOfK(K, 5), policy_of(0.9), grader, problem)
        early = solve(ShortMOfK(K, 5), policy_of(0.9), grader, problem, early_stop=True)
        assert early.answer == whole.answer
        assert early.ledger.policy_generated <= whole.ledger.policy_generated
        fewer += early.ledger.policy_generated < whole.ledger.policy_generated
    assert fewer > 6


class OneStuck(SimulatedPolicy):
    """A policy whose first request never ends."""

    async def draw(self, request: DrawRequest) -> list[Draw]:
        if self.calls == 0:
            self.calls += 1
            await asyncio.sleep(10**6)
        return await super().draw(request)


def test_no_response_is_waited_for_once_m_have_finished(grader: MathGrader) -> None:
    [problem] = simulated_problems(1, "stuck")
    outcome = solve(ShortMOfK(4, 3), OneStuck(0.6, 2), grader, problem)
    assert len(outcome.samples) == 3
    assert outcome.ledger.spared == 1
    assert outcome.ledger == Ledger(
        prompt=outcome.ledger.prompt, generated=outcome.ledger.generated, spared=1
    )


def test_the_first_to_finish_are_the_shortest_that_ended_and_ties_go_to_the_earlier() -> None:
    lengths, finished = [5, 3, 3, 1, 4], [True, True, True, False, True]
    assert first_to_finish(lengths, finished, 3) == [1, 2, 4]
    assert first_to_finish(lengths, finished, 9) == [1, 2, 4, 0]
    assert first_to_finish(lengths, [False] * 5, 2) == []
