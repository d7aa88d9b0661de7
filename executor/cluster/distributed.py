"""Engines side by side: Ray actors, each with models of its own, and one queue over them.

The driver keeps the runner and the store. It sends each problem to the worker that has fewest, and
where a worker is lost, what it had is run again while another worker takes its place.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from executor.cluster.ray import Cluster
from executor.cluster.worker import MOST_CALLS, Build, WorkerHandle, WorkerLostError, WorkerReport
from executor.engines.capacity import Capacity
from executor.errors import EngineError, InputError
from executor.problem import Problem
from executor.run.admission import CONCURRENCY, Admission
from executor.run.runner import Job, Solved

# A place whose workers are lost this often without having finished a problem stays empty; a
# problem that was under way in as many lost workers is not tried again: it may be the reason.
LIVES = 3


@dataclass(eq=False, slots=True)
class _Place:
    """Where one worker is after another."""

    number: int
    worker: WorkerHandle | None = None
    ready: bool = False
    starting: asyncio.Task[None] | None = None
    losses: int = 0  # since a problem was finished
    why: str = ""

    @property
    def empty(self) -> bool:
        """Whether it is given up."""
        return self.losses >= LIVES


class Workers:
    """Workers of a cluster; a context manager. Use it from one thread.

    Args:
        build: makes a worker's models.
        cluster: where they run.
        concurrency: most problems in flight in a worker.
        say: told in a line what becomes of workers.
        pause: seconds before a lost worker's place is taken; doubled each time in a row.
    """

    def __init__(
        self,
        build: Build,
        cluster: Cluster,
        *,
        concurrency: int = CONCURRENCY,
        say: Callable[[str], None] = lambda text: None,
        pause: float = 1.0,
    ) -> None:
        self.lost = 0
        """Workers lost so far."""
        self.rerun = 0
        """How often a problem was under way in one of them."""
        self._build = build
        self._cluster = cluster
        self._concurrency = concurrency
        self._say = say
        self._pause = pause
        self._places = [_Place(number) for number in range(1, cluster.workers + 1)]
        self._ever: list[WorkerHandle] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._fatal: Exception | None = None
        self._begun = False

    def expect(self, sequences: int, capacity: Capacity) -> None:
        """Let in as many problems a worker as keep its engine full.

        Args:
            sequences: most sequences a problem has under way at once.
            capacity: of a worker's policy.
        """
        admission = Admission(sequences, capacity)
        self._concurrency = next(n for n in range(1, MOST_CALLS + 1) if not admission.room(n))

    @property
    def concurrency(self) -> int:
        """Most problems in flight in all of them."""
        return self._concurrency * len(self._places)

    @property
    def count(self) -> int:
        """How many there are, lost ones with their successors."""
        return len(self._places)

    @property
    def ready(self) -> int:
        """How many can take problems."""
        return sum(place.ready for place in self._places)

    @property
    def pids(self) -> list[int | None]:
        """Their processes on their machines; None: not started, or lost."""
        return [place.worker.pid if place.worker else None for place in self._places]

    def report(self) -> WorkerReport:
        """What all have counted, as of the last problem each has handed back.

        Of a worker that was lost, what it did after that is not known.
        """
        return sum((worker.report for worker in self._ever), WorkerReport())

    def load(self) -> None:
        """Start all workers that are missing, and load their models.

        Raises:
            InputError: the models cannot be had, or do not fit.
            EngineError: no worker can load them.
        """

        async def all_ready() -> None:
            self._refill()
            tasks = (place.starting for place in self._places)
            # Tasks that are done may be of an earlier event loop.
            await asyncio.gather(*(task for task in tasks if task and not task.done()))
            self._begun = True
            self._check()

        asyncio.run(all_ready())

    async def run(self, job: Job, problem: Problem, *, with_prm: bool = True) -> Solved:
        """Do a job in the worker that has fewest; again in another one where it is lost.

        Raises:
            InputError: the job's own.
            EngineError: every worker is lost time and again, or all that had this problem were.
        """
        why = ""
        for _ in range(LIVES):
            place, worker = await self._free()
            try:
                reply = await worker.run(job, problem, with_prm)
            except WorkerLostError as error:
                why = str(error)
            else:
                if reply.solved is not None:
                    if place.worker is worker:
                        place.losses = 0
                    return reply.solved
                if isinstance(reply.failure, InputError):
                    raise reply.failure
                why = str(reply.failure)
            finally:
                worker.in_flight -= 1
                self._wake()
            self.rerun += 1
            self._lose(place, worker, why)
        raise EngineError(
            f"problem {problem.id}: {LIVES} workers were lost over it; the last: {why}"
        )

    async def _free(self) -> tuple[_Place, WorkerHandle]:
        """A worker with room for one more problem, which it then has."""
        while True:
            self._check()
            self._refill()
            free = [
                (place, place.worker)
                for place in self._places
                if place.ready and place.worker and place.worker.in_flight < self._concurrency
            ]
            if free:
                place, worker = min(free, key=lambda one: one[1].in_flight)
                worker.in_flight += 1
                return place, worker
            self._waiting.append(asyncio.get_running_loop().create_future())
            await self._waiting[-1]

    def _wake(self) -> None:
        """Let those who wait for a worker look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _check(self) -> None:
        """Raise what ends the run, if anything does."""
        if self._fatal is not None:
            raise self._fatal
        if all(place.empty for place in self._places):
            raise EngineError(
                f"every worker was lost {LIVES} times in a row; the last: {self._places[-1].why}"
            )

    def _refill(self) -> None:
        """Have a worker started wherever one is missing."""
        for place in self._places:
            # A task may have ended with the event loop of an earlier run.
            idle = place.starting is None or place.starting.done()
            if not place.ready and not place.empty and idle:
                place.starting = asyncio.create_task(self._start(place))

    async def _start(self, place: _Place) -> None:
        try:
            while not place.ready and not place.empty:
                if place.losses and place.worker is None:
                    await asyncio.sleep(self._pause * 2 ** (place.losses - 1))
                try:
                    await self._load(place)
                except WorkerLostError as error:
                    self._lose(place, place.worker, str(error))
        except Exception as error:
            self._fatal = error
        finally:
            self._wake()

    async def _load(self, place: _Place) -> None:
        """Start a worker, or go on starting it."""
        if place.worker is None:
            place.worker = WorkerHandle.start(self._cluster.share)
            self._ever.append(place.worker)
        worker = place.worker
        if worker.place is None:
            await worker.find()
            taken = {
                other.place
                for other in (one.worker for one in self._places)
                if other is not None and other.machine == worker.machine
            }
            worker.place = next(n for n in itertools.count() if n not in taken)
        failure = await worker.load(self._build)
        if isinstance(failure, InputError) or (failure is not None and not self._begun):
            raise failure
        if failure is not None:
            raise WorkerLostError(str(failure))
        place.ready = True
        if place.losses:
            self._say(f"worker {place.number} is back")

    def _lose(self, place: _Place, worker: WorkerHandle | None, why: str) -> None:
        """Empty a place whose worker is of no use any more."""
        if worker is None or place.worker is not worker:
            return  # the place has been emptied already
        worker.kill()
        place.worker, place.ready = None, False
        place.losses += 1
        place.why = why
        self.lost += 1
        self._say(f"worker {place.number} was lost ({why}): what it had is run again")
        self._wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for place in self._places:
            if place.worker is not None:
                place.worker.kill()
            place.worker, place.ready = None, False
