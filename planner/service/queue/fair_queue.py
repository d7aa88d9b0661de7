"""A bounded queue that is fair between API keys, and between the requests of one key."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

_LONGEST_RETRY = 60.0
# Weight of the newest answer in the moving average of an answer's time.
_NEWEST_WEIGHT = 0.1


class QueueError(Exception):
    """The queue does not take a request, or gives up on it."""


class QueueFullError(QueueError):
    """There is no room for a request now.

    Args:
        reason: what is full.
        retry_after: seconds until there is likely to be room.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(f"{reason}; ask again later")
        self.retry_after = retry_after


class TooManyQuestionsError(QueueError):
    """A request has more questions than its key may ever have in the queue."""


class TurnTimeoutError(QueueError):
    """The turn of a question did not come in time.

    Args:
        retry_after: seconds until a place is likely to be free.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__("the question's turn did not come in time")
        self.retry_after = retry_after


@dataclass(slots=True)
class Reservation:
    """The places that one request holds in the queue.

    Attributes:
        key: index of the API key of the request; None if the server has no keys.
        waiting: number of questions whose turn has not come yet.
        running: number of questions whose turn it is.
    """

    key: int | None
    waiting: int
    running: int = 0


@dataclass(slots=True)
class Turn:
    """The turn of one question.

    Attributes:
        waited: seconds that the question waited for its turn.
        started_at: start of its work, by `time.perf_counter`.
        work_started: whether `FairQueue.start_work` was called for it.
    """

    waited: float
    started_at: float
    work_started: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    reservation: Reservation
    turn: asyncio.Future[None]


class FairQueue:
    """Lets a bounded number of questions run at once, and a bounded number wait.

    The next turn goes to the key that has the fewest questions running; of its requests, to the one
    that has the fewest questions running; among equals, to the one that came first (max-min
    fairness). So a request of many questions gets every turn that nobody else wants, and delays
    nobody. A request that finds no room is refused at once, with an estimate of when to ask again.

    The first keys to come must not take all the room. Half of the room is kept for the first
    questions of every key: each key has an equal share of that half, and at least one place.
    Further questions of a key may only use the room that is not kept. So every key gets its first
    questions in, whatever the others do, if there are at most half as many keys as places to wait,
    plus one. If there are more keys, the first ones to come get in.

    Args:
        concurrency: returns how many questions may run at once, now.
        max_waiting: most questions that may wait.
        max_per_key: most questions of one key that may wait or run; None: all places that are not
            kept for other keys.
        keys: number of API keys.

    Attributes:
        waiting, running: current number of questions.
    """

    def __init__(
        self,
        concurrency: Callable[[], int],
        max_waiting: int,
        max_per_key: int | None = None,
        keys: int = 1,
    ) -> None:
        self._concurrency = concurrency
        self.max_waiting = max_waiting
        self.waiting = 0
        self.running = 0
        self._max_per_key = max_per_key
        half = (max_waiting + 1) // 2
        # A single key shares with nobody: nothing is kept.
        self._kept_per_key = max(1, half // keys) if keys > 1 else 0
        self._kept = min(keys * self._kept_per_key, half + 1)
        self._line: list[_Waiter] = []
        self._held: Counter[int | None] = Counter()
        self._running: Counter[int | None] = Counter()
        self._seconds: float | None = None

    @property
    def concurrency(self) -> int:
        """Number of questions that may run at once, now."""
        return self._concurrency()

    @property
    def capacity(self) -> int:
        """Number of questions that may wait or run, now."""
        return self.concurrency + self.max_waiting

    @contextmanager
    def reserve(self, questions: int, key: int | None = None) -> Iterator[Reservation]:
        """Reserve places for all questions of one request, or for none.

        The place of a question is given back when its turn ends.

        Args:
            questions: number of places.
            key: index of the API key of the request; None if the server has no keys.

        Raises:
            QueueFullError: there are not enough places now.
            TooManyQuestionsError: the key may never have as many.
        """
        share = None if key is None else self._max_per_key
        if share is not None and questions > share:
            raise TooManyQuestionsError(
                f"prompt: the request has {questions} prompts; this server takes at most {share}"
            )
        if share is not None and self._held[key] + questions > share:
            raise QueueFullError(
                f"this key has {self._held[key]} questions here already", self.retry_after()
            )
        if not self._fits(questions, key):
            raise QueueFullError("the queue is full", self.retry_after())
        self.waiting += questions
        self._held[key] += questions
        reservation = Reservation(key, questions)
        try:
            yield reservation
        finally:
            self.waiting -= reservation.waiting
            self._held[key] -= reservation.waiting

    @asynccontextmanager
    async def turn(
        self, reservation: Reservation, timeout: float | None = None
    ) -> AsyncIterator[Turn]:
        """Wait for the turn of one question, and hold it; see also `start_work`.

        Args:
            reservation: places of the request.
            timeout: seconds after which an answer is of no use any more; None: no limit.

        Raises:
            TurnTimeoutError: the turn did not come in time.
        """
        arrived = time.perf_counter()
        if not self._line and self.running < self.concurrency:
            self._begin(reservation)
        else:
            await self._wait(reservation, timeout)
        started = time.perf_counter()
        turn = Turn(started - arrived, started)
        try:
            yield turn
        finally:
            self._end(reservation)
        # Only successes are averaged: if an engine is lost, its questions fail at once.
        self._record_duration(time.perf_counter() - turn.started_at)

    def start_work(self, turn: Turn) -> None:
        """Record, at the first call for a turn, that the models are loaded and its work starts.

        The turn counts from now on. Now that the models are loaded, more questions may run at once
        than before.
        """
        if not turn.work_started:
            turn.work_started, turn.started_at = True, time.perf_counter()
            self._admit()

    def retry_after(self) -> float:
        """Return the seconds until a place is likely to be free."""
        if self._seconds is None:
            return 1.0
        rounds = (self.waiting + 1) / self.concurrency
        return min(_LONGEST_RETRY, rounds * self._seconds)

    async def _wait(self, reservation: Reservation, timeout: float | None) -> None:
        waiter = _Waiter(reservation, asyncio.get_running_loop().create_future())
        self._line.append(waiter)
        self._admit()  # the concurrency may have grown since the last turn ended
        try:
            async with asyncio.timeout(timeout):
                await waiter.turn
        except BaseException as error:
            if waiter.turn.done() and not waiter.turn.cancelled():
                self._end(reservation)  # the turn came at the moment at which the waiter gave up
            else:
                self._line.remove(waiter)
            if isinstance(error, TimeoutError):
                raise TurnTimeoutError(self.retry_after()) from None
            raise

    def _begin(self, reservation: Reservation) -> None:
        reservation.waiting -= 1
        reservation.running += 1
        self.waiting -= 1
        self.running += 1
        self._running[reservation.key] += 1

    def _end(self, reservation: Reservation) -> None:
        reservation.running -= 1
        self.running -= 1
        self._running[reservation.key] -= 1
        self._held[reservation.key] -= 1
        self._admit()

    def _admit(self) -> None:
        """Give the free turns to waiters."""
        # A waiter that has given up removes itself from the line as soon as it runs.
        line = [waiter for waiter in self._line if not waiter.turn.done()]
        while line and self.running < self.concurrency:
            # `min` returns the first of equals, and the line is in order of arrival.
            first = min(
                line,
                key=lambda waiter: (
                    self._running[waiter.reservation.key],
                    waiter.reservation.running,
                ),
            )
            line.remove(first)
            self._line.remove(first)
            self._begin(first.reservation)
            first.turn.set_result(None)

    def _fits(self, questions: int, key: int | None) -> bool:
        held = self._held + Counter({key: questions})
        beyond = sum(max(0, number - self._kept_per_key) for number in held.values())
        return held.total() <= self.capacity and beyond <= self.capacity - self._kept

    def _record_duration(self, seconds: float) -> None:
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + _NEWEST_WEIGHT * (seconds - before)
