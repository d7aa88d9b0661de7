"""Work on the event loop, and in a thread where it would have to wait."""

from __future__ import annotations

import asyncio
import threading

import pytest

from executor.answers.grader import MathGrader
from executor.answers.voting import group
from executor.concurrency import inline_or_thread, must_not_wait_here


def where() -> int:
    return threading.get_ident()


def waiting() -> int:
    must_not_wait_here()
    return where()


def test_what_need_not_wait_is_done_on_the_loop() -> None:
    assert asyncio.run(inline_or_thread(where)) == where()


def test_what_would_wait_or_is_long_is_done_in_a_thread() -> None:
    assert asyncio.run(inline_or_thread(waiting)) != where()
    assert asyncio.run(inline_or_thread(where, long=True)) != where()


def test_errors_of_the_work_are_raised() -> None:
    def fails() -> None:
        raise ValueError("7")

    with pytest.raises(ValueError, match="7"):
        asyncio.run(inline_or_thread(fails))
    must_not_wait_here()  # nothing is left of it


@pytest.mark.process
def test_only_answers_that_need_the_child_are_compared_in_a_thread() -> None:
    with MathGrader() as grader:

        def sort(*answers: str) -> tuple[list[int], int]:
            return group(answers, grader), where()

        plain = asyncio.run(inline_or_thread(lambda: sort("1/2", "0.5", "7")))
        assert plain == ([0, 0, 2], where()) and grader.worker_pid is None
        symbolic, thread = asyncio.run(inline_or_thread(lambda: sort("x + y", "y + x", "7")))
        assert symbolic == [0, 0, 2]
        assert thread != where() and grader.worker_pid is not None
        # What was compared before is known.
        again = asyncio.run(inline_or_thread(lambda: sort("x + y", "y + x", "7")))
        assert again == (symbolic, where())
