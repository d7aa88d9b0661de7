"""A policy with a cap in USD: every strategy's draws are paid, and runs keep what they finished."""

from __future__ import annotations

import asyncio

import pytest

from executor.answers.grader import MathGrader
from executor.errors import MoneySpentError
from executor.ledger import Ledger
from executor.policies.base import DrawRequest
from executor.policies.capped import CappedPolicy
from executor.policies.simulated import SimulatedPolicy
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import ByStrategy, Executor, run_problems
from executor.spending import MoneyCap, Tariff
from executor.store.store import RunSpec, Store
from executor.strategy import Majority, Sampling

TARIFF = Tariff.of(1.0, 0.5, 3.0, 3.0)
PROBLEMS = [Problem(f"p{i}", f"What is {i} + 1?", str(i + 1)) for i in range(30)]


PROMPT = SimulatedPolicy().prompt(PROBLEMS[0].text)


def request(ledger: Ledger, n: int = 2) -> DrawRequest:
    return DrawRequest(PROMPT, n, 100, 1.0, 1.0, 0, ledger)


def test_a_request_is_billed_by_its_own_ledger() -> None:
    cap = MoneyCap(1.0, TARIFF)
    policy = CappedPolicy(SimulatedPolicy(), cap)
    ledger = Ledger(generated=7)
    draws = asyncio.run(policy.draw(request(ledger)))
    tokens = sum(len(draw.token_ids) for draw in draws)
    assert ledger.generated == 7 + tokens
    own = Ledger(prompt=ledger.prompt, cached=ledger.cached, generated=tokens)
    assert cap.spent == pytest.approx(float(TARIFF.bill(own)))


def test_a_request_that_could_exceed_the_cap_is_not_sent() -> None:
    worst = float(TARIFF.most(2, len(PROMPT), 100))
    inner = SimulatedPolicy()
    before = inner.counters()
    policy = CappedPolicy(inner, MoneyCap(worst * 0.999999, TARIFF))
    with pytest.raises(MoneySpentError):
        asyncio.run(policy.draw(request(Ledger())))
    assert inner.counters() == before
    asyncio.run(CappedPolicy(inner, MoneyCap(worst, TARIFF)).draw(request(Ledger())))


@pytest.mark.parametrize("concurrency", [1, 64])
def test_a_run_ends_at_the_cap_and_another_goes_on(concurrency: int) -> None:
    spec = RunSpec("measure", "simulated-policy", None, {})
    with MathGrader() as grader, Store.open("sqlite://") as store:

        def run(limit: float) -> tuple[int, MoneyCap]:
            cap = MoneyCap(limit, TARIFF)
            policy = CappedPolicy(SimulatedPolicy(latency=0.001), cap)
            executor = Executor(policy, None, grader, Sampling(max_tokens=200))
            job = ByStrategy(Majority(2))
            solved = asyncio.run(
                run_problems(
                    PROBLEMS, lambda one: job(executor, one), store, spec,
                    admission=Admission(most=concurrency),
                )
            )  # fmt: skip
            return solved, cap

        worst = float(TARIFF.most(2, len(PROMPT) + 2, 200))
        solved, cap = run(4 * worst)
        kept = list(store.outcomes(spec))
        assert 4 <= solved < len(PROBLEMS) and len(kept) == solved
        assert cap.is_reached and cap.spent <= cap.limit
        bills = sum(float(TARIFF.bill(one.outcome.ledger)) for one in kept)
        assert cap.spent == pytest.approx(bills) and cap.lost == 0
        rest, wide = run(100.0)
        assert solved + rest == len(PROBLEMS) and not wide.is_reached
