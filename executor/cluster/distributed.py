"""Engines on several workers: Ray actors, each with models of its own, and one queue.

The driver holds the runner and the store. It sends each problem to the worker with the fewest
problems. If a worker is lost, its problems run again while another worker takes its place.
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

# A place that loses this many workers without a finished problem stays empty. A problem that was
# running in as many lost workers is not tried again, since it may be the reason.
LIVES = 3


@dataclass(eq=False, slots=True)
class _Place:
    """The place of a worker and of its successors."""

    number: int
    worker: WorkerHandle | None = None
    ready: bool = False
    starting: asyncio.Task[None] | None = None
    losses: int = 0  # since a problem was finished
    why: str = ""

    @property
    def empty(self) -> bool:
        """Whether the place is given up."""
        return self.losses >= LIVES


class Workers:
    """The workers of a cluster; a context manager for use in one thread.

    Args:
        build: function that makes a worker's models.
        cluster: the cluster.
        concurrency: most problems in flight per worker.
        say: callback for one-line messages about lost workers.
        pause: seconds before a lost worker is replaced; doubles with each loss in a row.
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
        """Number of workers lost so far."""
        self.rerun = 0
        """Number of times that a problem was running in a lost worker."""
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
        """Set the concurrency to as many problems per worker as keep its engine full.

        Args:
            sequences: most concurrent sequences of a problem.
            capacity: capacity of a worker's policy.
        """
        admission = Admission(sequences, capacity)
        self._concurrency = next(n for n in range(1, MOST_CALLS + 1) if not admission.room(n))

    @property
    def concurrency(self) -> int:
        """Most problems in flight in all workers."""
        return self._concurrency * len(self._places)

    @property
    def count(self) -> int:
        """Number of workers; a lost one and its successors count once."""
        return len(self._places)

    @property
    def ready(self) -> int:
        """Number of workers that can take problems."""
        return sum(place.ready for place in self._places)

    @property
    def pids(self) -> list[int | None]:
        """Process ids on the workers' machines; None for one that is not started or lost."""
        return [place.worker.pid if place.worker else None for place in self._places]

    def report(self) -> WorkerReport:
        """Return the counts of all workers, as of the last problem that each finished.

        The counts of a lost worker after that are unknown.
        """
        return sum((worker.report for worker in self._ever), WorkerReport())

    def load(self) -> None:
        """Start all missing workers and load their models.

        Raises:
            InputError: a model does not exist or does not fit.
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
        """Do a job in the worker with the fewest problems; if it is lost, in another one.

        Raises:
            InputError: the job raised it.
            EngineError: every place is given up, or the problem was running in `LIVES` lost
                workers.
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
        """Wait for a worker with room, and reserve a place for one more problem there."""
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
        """Wake the jobs that wait for a worker."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _check(self) -> None:
        """Raise the error that ends the run, if there is one."""
        if self._fatal is not None:
            raise self._fatal
        if all(place.empty for place in self._places):
            raise EngineError(
                f"every worker was lost {LIVES} times in a row; the last: {self._places[-1].why}"
            )

    def _refill(self) -> None:
        """Start a worker in every place that lacks one."""
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
        """Start the worker of a place, or continue its start."""
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
        """Kill the worker of a place and empty the place."""
        if worker is None or place.worker is not worker:
            return  # the place is empty already
        worker.kill()
        place.worker, place.ready = None, False
        place.losses += 1
        place.why = why
        self.lost += 1
        self._say(f"worker {place.number} was lost ({why}); its problems run again")
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
