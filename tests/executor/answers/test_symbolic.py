"""Comparisons within the time of their question, of which nothing is lost in silence."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from executor.answers import killable
from executor.answers.account import grading_account
from executor.answers.symbolic import Comparer, GivenUpError
from executor.concurrency import in_thread
from tests.helpers.toy_nursery import asked, toy_nursery


@pytest.fixture(autouse=True)
def _sleep_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy nursery's children sleep, which takes no processor time."""
    monkeypatch.setattr(killable, "STARVED", 1.0)


@pytest.fixture
def comparer(tmp_path: Path) -> Iterator[Comparer]:
    comparer = Comparer(toy_nursery(tmp_path), deadline=0.4, budget=1.2)
    yield comparer
    comparer.close()


def equal(comparer: Comparer, gold: str, target: str) -> bool | None:
    try:
        return comparer.compare(gold, target)
    except GivenUpError:
        return None


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["deadline", "budget"])
def test_times_must_be_positive(name: str, seconds: float) -> None:
    with pytest.raises(ValueError, match=f"{name} is {seconds}; expected a positive"):
        Comparer(Path("none"), **{name: seconds})


@pytest.mark.process
def test_verdicts(comparer: Comparer) -> None:
    assert comparer.compare("a", "A")
    assert not comparer.compare("a", "b")
    assert comparer.given_up == 0


@pytest.mark.process
def test_all_comparisons_of_a_question_together_take_no_longer_than_its_budget(
    comparer: Comparer,
) -> None:
    words = [f"sleep-{i}" for i in range(30)]
    equal(comparer, "a", "b")
    started = time.monotonic()
    with grading_account() as account:
        for one, other in itertools.combinations(words, 2):
            assert equal(comparer, one, other) is None
    assert time.monotonic() - started < 30  # each for itself would take minutes
    assert account.spent < 3  # a busy machine may overrun one comparison
    assert account.uncompared == comparer.given_up == 30 * 29 / 2


@pytest.mark.process
def test_a_right_answer_among_hostile_ones_gets_the_votes_of_its_equals(
    comparer: Comparer,
) -> None:
    with grading_account() as account:
        assert equal(comparer, "right", "sleep-1") is None
        assert equal(comparer, "right", "sleep-2") is None
        assert equal(comparer, "right", "RIGHT") is True
        assert equal(comparer, "right", "sleep-3") is None
        assert equal(comparer, "RIGHT", "Right") is True
    assert account.uncompared == 3


@pytest.mark.process
def test_an_expression_that_took_too_long_is_not_compared_again(
    comparer: Comparer, tmp_path: Path
) -> None:
    assert equal(comparer, "right", "RIGHT")
    assert equal(comparer, "right", "sleep") is None
    before = asked(tmp_path)
    for other in ("right", "other", "third"):
        for _ in range(3):
            assert equal(comparer, other, "sleep") is None
            assert equal(comparer, "sleep", other) is None
    assert asked(tmp_path) == before
    assert equal(comparer, "right", "other") is False


@pytest.mark.process
def test_two_expressions_that_take_long_together_are_not_to_blame_alone(
    comparer: Comparer, tmp_path: Path
) -> None:
    assert equal(comparer, "odd", "couple") is None
    assert equal(comparer, "odd", "couple") is None
    assert asked(tmp_path).count("odd=couple") == 1
    assert equal(comparer, "odd", "Odd") and equal(comparer, "Couple", "couple")


@pytest.mark.process
def test_what_one_question_had_no_time_for_another_may_have(comparer: Comparer) -> None:
    with grading_account() as account:
        account.spent = 1.2
        assert equal(comparer, "a", "A") is None
    assert account.uncompared == 1
    assert equal(comparer, "a", "A") is True
    with grading_account() as account:
        account.timeouts = 3  # 0.05 s are left for each comparison
        assert equal(comparer, "a", "sleep0.2") is None
    assert equal(comparer, "a", "sleep0.2") is False


@pytest.mark.process
def test_nothing_is_compared_after_the_deadline(tmp_path: Path) -> None:
    comparer = Comparer(toy_nursery(tmp_path), deadline=50, budget=50)
    assert equal(comparer, "a", "A") is True
    with grading_account(0.2) as account:
        started = time.monotonic()
        assert equal(comparer, "b", "sleep") is None
        assert equal(comparer, "b", "B") is None
        assert time.monotonic() - started < 20
    assert account.uncompared == 2
    assert equal(comparer, "b", "B") is True
    comparer.close()


@pytest.mark.process
def test_a_question_makes_one_comparison_at_a_time(comparer: Comparer) -> None:
    async def question() -> float:
        with grading_account() as account:
            words = ["sleep0.1", "sleep0.11", "sleep0.12"]
            await asyncio.gather(*(in_thread(partial(equal, comparer, "a", w)) for w in words))
            return account.spent

    equal(comparer, "a", "b")
    started = time.monotonic()
    spent = asyncio.run(question())
    assert 0.33 <= spent <= time.monotonic() - started


@pytest.mark.process
def test_crashes_are_given_up_and_counted(comparer: Comparer) -> None:
    assert equal(comparer, "a", "die") is None
    assert comparer.given_up == 1
    assert equal(comparer, "a", "A") is True
