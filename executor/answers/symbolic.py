"""Symbolic comparison of two expressions, within the time of their question.

The expressions come from a model, and some take any time: towers of powers, huge factorials. What
such an expression can cost is bounded four times: by the time of one comparison, which halves with
every comparison of the question that ran out of it; by the time of the question
(`executor.answers.account`); by the question's deadline; and by memory: an expression that ran out
of time is not compared again.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Generic, TypeVar

from executor.answers.account import GradingAccount, Pair, grading_account
from executor.answers.pool import ChildPool, Reply
from executor.concurrency import must_not_wait_here

PAIR_SECONDS = 1.0
"""Most seconds of one comparison."""

QUESTION_SECONDS = 3.0
"""Most seconds of all comparisons for one question."""

FEWEST_SECONDS = 0.05
"""A comparison gets at least this, if the question has it: several times what nearly all need."""

_REMEMBERED = 16_384
_TOO_LITTLE = 0.005  # seconds left in which no comparison could end

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class GivenUpError(Exception):
    """A comparison ended without a result; the pair counts as different."""


class Comparer:
    """Compares expressions in child processes; any thread may ask.

    Args:
        script: script of the children's nursery (`executor.answers.killable.Nursery`).
        deadline: most seconds of one comparison.
        budget: most seconds of all comparisons for one question.

    Raises:
        ValueError: `deadline` or `budget` is not a positive number.
    """

    def __init__(
        self, script: Path, deadline: float = PAIR_SECONDS, budget: float = QUESTION_SECONDS
    ) -> None:
        for name, seconds in (("deadline", deadline), ("budget", budget)):
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{name} is {seconds}; expected a positive number of seconds")
        self._deadline = deadline
        self._budget = budget
        self._pool = ChildPool(script)
        # An expression, or a pair: the most seconds that it was given without a result.
        self._tried: _Recent[str | Pair, float] = _Recent(_REMEMBERED)
        # Expressions of which some comparison ended.
        self._sound: _Recent[str, bool] = _Recent(_REMEMBERED)
        self._given_up: _Recent[Pair, bool] = _Recent(_REMEMBERED)

    @property
    def given_up(self) -> int:
        """Number of pairs without a result so far."""
        return self._given_up.added

    @property
    def pid(self) -> int | None:
        """Process id of the children's nursery, or None if it is not running."""
        return self._pool.pid

    def compare(self, gold: str, target: str) -> bool:
        """Compare two expressions.

        Args:
            gold: expression of the reference.
            target: the other expression.

        Raises:
            GivenUpError: there was no time left, or two children crashed.
            AbandonedError: nobody waits for the result any more.
            WorkerError: the children cannot be started.
        """
        pair = (gold, target)
        with grading_account() as account:
            if not self._seconds(pair, account):  # before any wait
                raise self._give_up(pair, account)
            must_not_wait_here()
            with account.turn:
                seconds = self._seconds(pair, account)
                reply = self._ask(pair, seconds, account) if seconds else None
                if reply is None or reply.value is None:
                    if reply is not None and reply.started:
                        self._blame(pair, reply.seconds or seconds, account)  # 0: two crashes
                    raise self._give_up(pair, account)
        for one in pair:
            self._sound[one] = True
        return bool(reply.value["equal"])

    def close(self) -> None:
        """End the children; a later comparison starts new ones."""
        self._pool.close()

    def _seconds(self, pair: Pair, account: GradingAccount) -> float:
        """Return the seconds that a comparison gets; 0 if it must not be made."""
        halved = self._deadline / 2**account.timeouts
        seconds = min(
            max(halved, min(FEWEST_SECONDS, self._deadline)), account.seconds_left(self._budget)
        )
        tried = max(self._tried.get(one, 0.0) for one in (*pair, pair))
        return 0.0 if seconds < _TOO_LITTLE or seconds <= tried else seconds

    def _give_up(self, pair: Pair, account: GradingAccount) -> GivenUpError:
        account.give_up(pair)
        self._given_up[pair] = True
        return GivenUpError(f"{pair[0]} and {pair[1]} were not compared in time")

    def _ask(self, pair: Pair, seconds: float, account: GradingAccount, **options: bool) -> Reply:
        request = {"gold": pair[0], "target": pair[1], "seconds": seconds}
        reply = self._pool.ask(request, seconds, slow=account.slow, deadline=account.deadline)
        account.spent += reply.seconds
        account.slow = account.slow or reply.slow
        account.timeouts += reply.value is None and reply.started
        return reply

    def _blame(self, pair: Pair, seconds: float, account: GradingAccount) -> None:
        """Remember which expression took too long, or that the two together do.

        One that was compared before is not to blame. If that does not decide, each is compared with
        1. Else a right answer that meets a hostile one first would get no vote of its equals.
        """
        self._tried[pair] = seconds
        suspects = [one for one in pair if one not in self._sound]
        if len(suspects) == 2:
            suspects = [one for one in suspects if not self._ends_alone(one, account)]
        for one in suspects:
            self._tried[one] = seconds

    def _ends_alone(self, expression: str, account: GradingAccount) -> bool:
        """Whether a comparison with 1 ends; True, too, if there is no time to find out."""
        pair = (expression, "1")
        seconds = self._seconds(pair, account)
        if not seconds:
            return True
        reply = self._ask(pair, seconds, account)
        if reply.value is not None:
            self._sound[expression] = True
        return reply.value is not None or not reply.started


class _Recent(Generic[K, V]):
    """A dictionary that keeps the keys that were set last; any thread may use it.

    Attributes:
        added: number of keys added so far.
    """

    def __init__(self, most: int) -> None:
        self.added = 0
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K, default: V) -> V:
        return self._values.get(key, default)

    def __setitem__(self, key: K, value: V) -> None:
        with self._lock:
            self.added += key not in self._values
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)
