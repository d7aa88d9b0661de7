"""Answers that take any time to compare: what they cost their own question, and others."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.answers.account import grading_account
from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, group, vote
from executor.concurrency import in_thread
from executor.policies.simulated import SimulatedPolicy, simulated_problems
from executor.run.runner import Executor
from executor.store.store import RunSpec, Store
from executor.strategy import Majority, Sampling
from tests.helpers.hostile_grader import HostileGrader

pytestmark = pytest.mark.process

TOWERS = [f"{a}^{{{a}^{{{a}^{{{b}}}}}}}" for a in range(3, 9) for b in range(6, 9)]
HANGING = [
    "9^{9^{9^{9}}}",
    "100000000!",
    r"\binom{10^9}{5\cdot10^8}",
    r"\prod_{n=1}^{99999}(n^2+1)",
]


@pytest.fixture(scope="module")
def mine() -> Iterator[MathGrader]:
    """A grader of short times, warm."""
    with MathGrader(deadline=0.4, budget=1.0) as grader:
        assert grader.equivalent("k+1", "1+k")
        yield grader


@pytest.mark.parametrize("expression", HANGING)
def test_an_expression_that_hangs_is_cut_and_the_next_call_works(
    mine: MathGrader, expression: str
) -> None:
    start = time.monotonic()
    assert not mine.equivalent(expression, "7x")
    for _ in range(3):
        assert not mine.correct(expression, "7x")
        assert not mine.equivalent("7x", expression)
    assert time.monotonic() - start < 20
    assert mine.equivalent("2(k+1)", "2k+2")


def test_a_vote_over_hostile_answers_takes_no_longer_than_its_budget(mine: MathGrader) -> None:
    answers = [r"2\sqrt{3}", TOWERS[0], r"\sqrt{12}", *TOWERS[1:], "5", "5.0", "10/2"]
    start = time.monotonic()
    with grading_account() as account:
        assert answers[vote(answers, None, Vote.MAJORITY, mine)] == "5"
        labels = group(answers, mine)
    assert time.monotonic() - start < 20
    assert account.spent < 1.5
    assert labels[2] == 0, "the one equal to the first, compared after a hostile one"
    assert labels[-3:] == [len(answers) - 3] * 3


def test_other_questions_do_not_wait_for_a_hostile_one(mine: MathGrader) -> None:
    async def main() -> tuple[float, list[bool]]:
        hostile = [asyncio.create_task(in_thread(lambda: group(TOWERS, mine))) for _ in range(4)]
        await asyncio.sleep(0.1)
        start = time.monotonic()
        verdicts = [
            await in_thread(lambda i=i: mine.equivalent(f"{i}p+{i}", f"{i}(p+1)"))  # type: ignore[misc]
            for i in range(20)
        ]
        seconds = time.monotonic() - start
        for task in hostile:
            task.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
        return seconds, verdicts

    seconds, verdicts = asyncio.run(main())
    assert verdicts == [True] * 20
    assert seconds < 2


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[HostileGrader]:
    with HostileGrader(tmp_path) as grader:
        yield grader


@pytest.mark.parametrize("early_stop", [False, True])
def test_an_outcome_says_how_many_pairs_were_not_compared(
    endless: HostileGrader, early_stop: bool
) -> None:
    policy = SimulatedPolicy(0.5, 2, wrong_answers=50)
    executor = Executor(policy, None, endless, Sampling(), early_stop=early_stop)
    start = time.monotonic()
    outcome = asyncio.run(executor.solve(simulated_problems(1)[0], Majority(12)))
    assert time.monotonic() - start < 20
    answers = len({sample.answer for sample in outcome.samples})
    assert outcome.uncompared == (answers + 1) * answers / 2, "all pairs, and the reference"
    assert endless.timeouts >= outcome.uncompared
    with Store.open("sqlite://") as store:
        spec = RunSpec("measure", "simulated-policy", None, {})
        store.start(spec)
        store.save(spec, outcome, {})
        [stored] = store.outcomes(spec)
        assert stored.outcome.uncompared == outcome.uncompared


def test_a_question_that_is_cancelled_ends_its_comparisons(tmp_path: Path) -> None:
    """Left alone, the first comparison would take a minute."""

    def comparing() -> bool:
        return any("waiting" in one.name and busy(one) for one in threading.enumerate())

    def busy(thread: threading.Thread) -> bool:
        frame = sys._current_frames().get(thread.ident or 0)
        names = []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        return "compare" in names

    async def main(grader: MathGrader) -> float:
        executor = Executor(SimulatedPolicy(0.5, 2, wrong_answers=50), None, grader, Sampling())
        solving = executor.solve(simulated_problems(1)[0], Majority(12))
        task = asyncio.create_task(solving)
        while not comparing():
            await asyncio.sleep(0.01)
        task.cancel()
        start = time.monotonic()
        await asyncio.gather(task, return_exceptions=True)
        while comparing():
            await asyncio.sleep(0.01)
        return time.monotonic() - start

    with HostileGrader(tmp_path, 60, 100) as endless:
        assert asyncio.run(main(endless)) < 20
