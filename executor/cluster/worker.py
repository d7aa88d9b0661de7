"""A worker of a cluster: a process with models of its own, and the driver's handle on it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from executor.cluster.ray import Share, keep_to
from executor.engines.base import EngineCounters
from executor.errors import EngineError, InputError
from executor.problem import Problem
from executor.run.runner import Executor, Job, Solved

# Makes a worker's models inside the worker, from its share of its machine's memory; picklable.
Build = Callable[[float], Executor]

# Most seconds that a worker may wait for a free place in the cluster, which may be growing.
START_SECONDS = 600.0
# Most concurrent jobs; the driver decides how many there are.
MOST_CALLS = 1000
# Further concurrent calls: loading, and jobs that are being cancelled.
_SPARE_CALLS = 4


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """The counts of a worker's models since they were loaded; reports of workers add up.

    Attributes:
        policy, prm: token counts.
        unjudged: see `StepScorer.unjudged`.
        timeouts: see `Grader.timeouts`.
        number: serial number of the worker's report; later reports include earlier ones.
    """

    policy: EngineCounters = field(default_factory=EngineCounters)
    prm: EngineCounters = field(default_factory=EngineCounters)
    unjudged: int = 0
    timeouts: int = 0
    number: int = 0

    def __add__(self, other: WorkerReport) -> WorkerReport:
        return WorkerReport(
            self.policy + other.policy,
            self.prm + other.prm,
            self.unjudged + other.unjudged,
            self.timeouts + other.timeouts,
        )


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a worker: a solved problem, or an error, and a report."""

    solved: Solved | None
    failure: InputError | EngineError | None
    report: WorkerReport


class Worker:
    """A worker's process, with models and concurrent jobs."""

    def __init__(self) -> None:
        self._executor: Executor | None = None
        self._replies = 0

    async def where(self) -> tuple[str, int]:
        """Return the id of the machine, and the process id."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    async def load(self, build: Build, share: Share, place: int) -> InputError | EngineError | None:
        """Load the models, unless they are loaded; return the error, if any."""
        if self._executor is None:
            memory = 1.0 if share.gpus else keep_to(share, place)
            try:
                self._executor = build(memory)
            except (InputError, EngineError) as error:
                return error
        return None

    async def run(self, job: Job, problem: Problem, with_prm: bool) -> Reply:
        """Do a job; InputError and EngineError are returned in the reply."""
        assert self._executor is not None
        executor = self._executor if with_prm else self._executor.without_prm()
        try:
            solved = await job(executor, problem)
        except (InputError, EngineError) as error:
            return Reply(None, error, self._report())
        return Reply(solved, None, self._report())

    def _report(self) -> WorkerReport:
        assert self._executor is not None
        prm, grader = self._executor.prm, self._executor.grader
        self._replies += 1
        return WorkerReport(
            policy=self._executor.policy.counters(),
            prm=EngineCounters() if prm is None else prm.counters(),
            unjudged=0 if prm is None else prm.unjudged,
            timeouts=grader.timeouts,
            number=self._replies,
        )


class WorkerLostError(Exception):
    """A worker's process ended or cannot be reached."""


@dataclass(eq=False, slots=True)
class WorkerHandle:
    """The driver's handle on a worker, from its start to its loss.

    Every call may raise WorkerLostError.

    Attributes:
        machine, pid: its machine and process id.
        place: number of its share of the machine; different for all workers of a machine.
        in_flight: number of its jobs.
        report: its latest report.
    """

    actor: Any
    share: Share
    machine: str = ""
    pid: int | None = None
    place: int | None = None
    in_flight: int = 0
    report: WorkerReport = field(default_factory=WorkerReport)

    @classmethod
    def start(cls, share: Share) -> WorkerHandle:
        """Start a worker without waiting for it."""
        import ray

        options = {
            "num_cpus": share.cores,
            "num_gpus": share.gpus,
            "max_concurrency": MOST_CALLS + _SPARE_CALLS,
            "scheduling_strategy": "SPREAD",
            # The driver starts another one, whose machine may have other cores free.
            "max_restarts": 0,
        }
        return cls(ray.remote(Worker).options(**options).remote(), share)

    async def find(self) -> None:
        """Wait until the process has started."""
        try:
            self.machine, self.pid = await asyncio.wait_for(
                _result(self.actor.where.remote()), START_SECONDS
            )
        except TimeoutError:
            raise WorkerLostError(f"the cluster had no room for {START_SECONDS:.0f} s") from None

    async def load(self, build: Build) -> InputError | EngineError | None:
        """Load the models, unless they are loaded; return the error, if any."""
        failure = await _result(self.actor.load.remote(build, self.share, self.place))
        assert failure is None or isinstance(failure, (InputError, EngineError))
        return failure

    async def run(self, job: Job, problem: Problem, with_prm: bool) -> Reply:
        """Do a job in the worker."""
        reply: Reply = await _result(self.actor.run.remote(job, problem, with_prm))
        if reply.report.number > self.report.number:
            self.report = reply.report
        return reply

    def kill(self) -> None:
        """End the process."""
        import ray
        from ray.exceptions import RayError

        with contextlib.suppress(RayError, ValueError):
            ray.kill(self.actor)


async def _result(reference: Any) -> Any:
    """Await the result of a remote call; cancelling the awaiting task cancels the call."""
    import ray
    from ray.exceptions import ActorDiedError, RayError, RayTaskError

    try:
        return await asyncio.wrap_future(reference.future())
    except asyncio.CancelledError:
        with contextlib.suppress(RayError, ValueError):
            ray.cancel(reference)
        raise
    except RayTaskError:
        raise  # a bug; it holds the worker's traceback
    except RayError as error:
        died = isinstance(error, ActorDiedError)
        raise WorkerLostError("its process died" if died else type(error).__name__) from error
