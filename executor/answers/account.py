"""The account of one question's grading: seconds spent on it, its deadline, and what was left out.

Symbolic comparisons may take any time, and the answers come from a model. So all comparisons for
one question share an account, and a grader stops comparing when its time is spent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Pair = tuple[str, str]


class GradingAccount:
    """What the grading of one question has cost so far; any thread may use it.

    Attributes:
        deadline: time by `time.monotonic` after which nothing is compared symbolically; None: no
            deadline.
        turn: lock to hold during a comparison; a question makes one at a time, so that it holds no
            more than one place among the processes that compare.
        spent: seconds of symbolic comparisons.
        timeouts: number of comparisons that ran out of time.
        slow: whether a comparison took long; the question's further ones then wait behind those of
            questions that are quick.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.turn = threading.Lock()
        self.spent = 0.0
        self.timeouts = 0
        self.slow = False
        self._uncompared: set[Pair] = set()

    @property
    def uncompared(self) -> int:
        """Number of pairs of answers that count as different because time ran out."""
        return len(self._uncompared)

    def give_up(self, pair: Pair) -> None:
        """Count a pair as not compared; each pair counts once."""
        self._uncompared.add(pair)

    def tighten(self, deadline: float | None) -> None:
        """Keep the earlier of the deadline and this one."""
        known = [one for one in (self.deadline, deadline) if one is not None]
        self.deadline = min(known, default=None)

    def allow(self, seconds: float) -> None:
        """Put the deadline off, if there is one, so that it lies no less than `seconds` ahead."""
        if self.deadline is not None:
            self.deadline = max(self.deadline, time.monotonic() + seconds)

    def seconds_left(self, budget: float) -> float:
        """Return the seconds that a comparison may take at most.

        Args:
            budget: seconds of symbolic comparisons that the question may spend in all.
        """
        left = budget - self.spent
        if self.deadline is not None:
            left = min(left, self.deadline - time.monotonic())
        return max(0.0, left)


_open: ContextVar[GradingAccount | None] = ContextVar("grading_account", default=None)


@contextmanager
def grading_account(seconds: float | None = None) -> Iterator[GradingAccount]:
    """Return the account of the question at hand, or open one until this context ends.

    Accounts are found by context and not passed on, so that a grader, a vote and a search need no
    argument for them. Tasks and threads (`executor.concurrency.in_thread`) that are started within
    the context use the same account.

    Args:
        seconds: time from now after which nothing is compared symbolically. An account that is open
            keeps the earlier one of its own deadline and this.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    account = _open.get()
    if account is not None:
        account.tighten(deadline)
        yield account
        return
    account = GradingAccount(deadline)
    before = _open.set(account)
    try:
        yield account
    finally:
        _open.reset(before)
