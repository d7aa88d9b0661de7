"""The account of a question's grading."""

from __future__ import annotations

import asyncio
import time

import pytest

from executor.answers.account import GradingAccount, grading_account
from executor.concurrency import in_thread


def test_votes_searches_and_threads_of_a_question_share_its_account() -> None:
    async def question() -> tuple[GradingAccount, list[GradingAccount]]:
        with grading_account() as account:
            inner = await asyncio.gather(*(asyncio.create_task(task()) for _ in range(2)))
        return account, inner

    async def task() -> GradingAccount:
        return await in_thread(work)

    def work() -> GradingAccount:
        with grading_account() as account:
            return account

    account, inner = asyncio.run(question())
    assert inner == [account, account]
    with grading_account() as other:
        assert other is not account


def test_an_open_account_keeps_the_earlier_deadline() -> None:
    with grading_account(5) as account:
        first = account.deadline
        with grading_account(10):
            assert account.deadline == first
        with grading_account(1):
            assert account.deadline is not None and first is not None
            assert account.deadline < first
        with grading_account():
            pass
        assert account.deadline < first


def test_seconds_left_are_those_of_the_budget_and_of_the_deadline() -> None:
    account = GradingAccount()
    account.spent = 1
    assert account.seconds_left(3) == 2
    assert account.seconds_left(0.5) == 0
    account.tighten(time.monotonic() + 1)
    assert account.seconds_left(3) == pytest.approx(1, abs=0.1)
    account.tighten(time.monotonic() - 1)
    assert account.seconds_left(3) == 0


def test_a_deadline_can_be_put_off() -> None:
    account = GradingAccount()
    account.allow(1)
    assert account.deadline is None
    account.tighten(time.monotonic())
    account.allow(1)
    assert account.seconds_left(3) == pytest.approx(1, abs=0.1)
    account.allow(0.5)
    assert account.seconds_left(3) == pytest.approx(1, abs=0.1)


def test_a_pair_counts_once() -> None:
    account = GradingAccount()
    for pair in (("a", "b"), ("a", "b"), ("a", "c")):
        account.give_up(pair)
    assert account.uncompared == 2
