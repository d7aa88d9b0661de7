"""Whose turn it is: a bounded queue that is fair between keys, and between requests of one key."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from planner.service.http.faults import OVERLOADED, RequestError, late

_LONGEST_RETRY = 60.0
# Weight of the newest answer in the mean time an answer takes.
_NEWEST = 0.1


@dataclass(slots=True)
class Places:
    """The places of one request.

    Attributes:
        key: which key it came with; None where no keys are asked for.
        left: questions that wait for their turn, or for being asked.
        running: questions whose turn it is.
    """

    key: int | None
    left: int
    running: int = 0


@dataclass(slots=True)
class Turn:
    """A question's turn.

    Attributes:
        waited: seconds, before it came.
        began: when it began, by `time.perf_counter`.
        at_work: whether its models were there then.
    """

    waited: float
    began: float
    at_work: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    places: Places
    turn: asyncio.Future[None]


class Queue:
    """Bounds what is under way: so many questions are answered at once, `room` more may wait.

    The next turn goes to the key that has the fewest questions running, of its requests to the one
    that has the fewest, and of equals to the one that came first (max-min fairness): a request of
    many questions gets all turns that nobody else wants, and holds up nobody. Whoever finds no room
    is refused at once, and told when there is likely to be some.

    Who comes first must not take all the room: half of it is kept for the first questions of every
    key, as many of each as it holds, but at least one. What a key has beyond those stands where
    nothing is kept. So every key gets its first ones in, whatever others do, as long as there are
    not more keys than half the room and one; of more keys those that come first do.

    Args:
        concurrency: tells how many questions may be answered at once, now.
        room: questions that may wait besides.
        per_key: most questions of one key that may wait or run; None: as many as there are places
            that are not kept for others.
        keys: how many there are.

    Attributes:
        waiting, running: questions, now.
    """

    def __init__(
        self,
        concurrency: Callable[[], int],
        room: int,
        per_key: int | None = None,
        keys: int = 1,
    ) -> None:
        self._concurrency = concurrency
        self.room = room
        self.waiting = 0
        self.running = 0
        self._per_key = per_key
        half = (room + 1) // 2
        # Of one key alone nothing need be kept.
        self._first = max(1, half // keys) if keys > 1 else 0
        self._kept = min(keys * self._first, half + 1)
        self._line: list[_Waiting] = []
        self._held: Counter[int | None] = Counter()
        self._running: Counter[int | None] = Counter()
        self._seconds: float | None = None

    @property
    def concurrency(self) -> int:
        """Questions that may be answered at once, now."""
        return self._concurrency()

    @property
    def capacity(self) -> int:
        """Questions that it holds in all."""
        return self.concurrency + self.room

    @contextmanager
    def places(self, questions: int, key: int | None = None) -> Iterator[Places]:
        """Places for the questions of one request, all or none; each is given back when its
        question's turn ends.

        Raises:
            RequestError: 429 where there are not as many now, 400 where a key may never have as
                many.
        """
        share = None if key is None else self._per_key
        if share is not None and questions > share:
            raise RequestError(
                400, f"prompt: {questions} of them; this server takes at most {share}",
                param="prompt", code="too_many_prompts",
            )  # fmt: skip
        if share is not None and self._held[key] + questions > share:
            raise self._full(f"this key has {self._held[key]} questions here already")
        if not self._fits(questions, key):
            raise self._full("the queue is full")
        self.waiting += questions
        self._held[key] += questions
        places = Places(key, questions)
        try:
            yield places
        finally:
            self.waiting -= places.left
            self._held[key] -= places.left

    @asynccontextmanager
    async def turn(self, places: Places, within: float | None = None) -> AsyncIterator[Turn]:
        """A question's turn, for which it has a place; see `work` for when its work begins.

        Args:
            places: of its request.
            within: seconds after which it is worth nothing any more.

        Raises:
            RequestError: 503, its turn did not come in time.
        """
        came = time.perf_counter()
        if not self._line and self.running < self.concurrency:
            self._begin(places)
        else:
            await self._wait(places, within)
        began = time.perf_counter()
        turn = Turn(began - came, began)
        try:
            yield turn
        finally:
            self._end(places)
        # Of what failed the time says nothing: an engine that is lost fails at once.
        self._learn(time.perf_counter() - turn.began)

    def work(self, turn: Turn) -> None:
        """Note, at the first call, that the models of a turn are there: it has begun only now, and
        there may be more turns than before they were."""
        if not turn.at_work:
            turn.at_work, turn.began = True, time.perf_counter()
            self._let_in()

    def retry_after(self) -> float:
        """Seconds until a place is likely to be free: a turn of all that wait before it."""
        if self._seconds is None:
            return 1.0
        rounds = (self.waiting + 1) / self.concurrency
        return min(_LONGEST_RETRY, rounds * self._seconds)

    async def _wait(self, places: Places, within: float | None) -> None:
        waiting = _Waiting(places, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        self._let_in()  # there may be more turns than when the last one ended
        try:
            async with asyncio.timeout(within):
                await waiting.turn
        except BaseException as error:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self._end(places)  # its turn came in the moment in which it gave up
            else:
                self._line.remove(waiting)
            if isinstance(error, TimeoutError):
                raise late(self.retry_after()) from None
            raise

    def _begin(self, places: Places) -> None:
        places.left -= 1
        places.running += 1
        self.waiting -= 1
        self.running += 1
        self._running[places.key] += 1

    def _end(self, places: Places) -> None:
        places.running -= 1
        self.running -= 1
        self._running[places.key] -= 1
        self._held[places.key] -= 1
        self._let_in()

    def _let_in(self) -> None:
        # Who has given up leaves the line itself, as soon as it comes to that.
        line = [one for one in self._line if not one.turn.done()]
        while line and self.running < self.concurrency:
            # The first of equals: they stand in the order they came.
            following = min(
                line, key=lambda one: (self._running[one.places.key], one.places.running)
            )
            line.remove(following)
            self._line.remove(following)
            self._begin(following.places)
            following.turn.set_result(None)

    def _fits(self, questions: int, key: int | None) -> bool:
        held = self._held + Counter({key: questions})
        beyond = sum(max(0, number - self._first) for number in held.values())
        return held.total() <= self.capacity and beyond <= self.capacity - self._kept

    def _full(self, why: str) -> RequestError:
        return RequestError(
            429, f"{why}; ask again later",
            kind=OVERLOADED, code="queue_full", retry_after=self.retry_after(),
        )  # fmt: skip

    def _learn(self, seconds: float) -> None:
        before = seconds if self._seconds is None else self._seconds
        self._seconds = before + _NEWEST * (seconds - before)
