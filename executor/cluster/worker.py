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

# Makes a worker's models, in the worker; picklable.
Build = Callable[[], Executor]

# How long a worker may wait for a free place in the cluster, which may be growing.
START_SECONDS = 600.0
# Most jobs at once; how many there are, the driver says.
MOST_CALLS = 1000
# Besides the jobs: loading, and jobs that are being cancelled.
_SPARE_CALLS = 4


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker's models have counted since they were loaded; reports of workers add up.

    Attributes:
        policy, prm: tokens.
        unjudged: see `Prm.unjudged`.
        timeouts: answers that took too long to compare.
        number: of the report; a later one says more.
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
    """What a worker answers: a problem solved, or what its user can mend."""

    solved: Solved | None
    failure: InputError | EngineError | None
    report: WorkerReport


class Worker:
    """A worker's process: models, and jobs that run beside each other on them."""

    def __init__(self) -> None:
        self._executor: Executor | None = None
        self._replies = 0

    async def where(self) -> tuple[str, int]:
        """The machine, and the process."""
        import ray

        return ray.get_runtime_context().get_node_id(), os.getpid()

    async def load(self, build: Build, share: Share, place: int) -> InputError | EngineError | None:
        """Load the models, unless they are loaded; what went wrong."""
        if self._executor is None:
            if not share.gpus:
                keep_to(share, place)
            try:
                self._executor = build()
            except (InputError, EngineError) as error:
                return error
        return None

    async def run(self, job: Job, problem: Problem, with_prm: bool) -> Reply:
        """Do a job; errors that are no bugs come back as they are."""
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
    """A worker's process is gone, or cannot be reached."""


@dataclass(eq=False, slots=True)
class WorkerHandle:
    """The driver's handle on a worker, from its start to its loss.

    Every call may raise WorkerLostError.

    Attributes:
        machine, pid: where it runs.
        place: which of its machine's shares it has; no two workers of a machine have the same.
        in_flight: jobs it has.
        report: its latest.
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
        """Have one started, without waiting for it."""
        import ray

        options = {
            "num_cpus": share.cores,
            "num_gpus": share.gpus,
            "max_concurrency": MOST_CALLS + _SPARE_CALLS,
            "scheduling_strategy": "SPREAD",
            # The driver starts another one: its place may be on a machine with other cores free.
            "max_restarts": 0,
        }
        return cls(ray.remote(Worker).options(**options).remote(), share)

    async def find(self) -> None:
        """Wait for the process to be there."""
        try:
            self.machine, self.pid = await asyncio.wait_for(
                _result(self.actor.where.remote()), START_SECONDS
            )
        except TimeoutError:
            raise WorkerLostError(f"the cluster had no room for {START_SECONDS:.0f} s") from None

    async def load(self, build: Build) -> InputError | EngineError | None:
        """Have the models loaded, if they are not; what went wrong."""
        failure = await _result(self.actor.load.remote(build, self.share, self.place))
        assert failure is None or isinstance(failure, (InputError, EngineError))
        return failure

    async def run(self, job: Job, problem: Problem, with_prm: bool) -> Reply:
        """Have a job done."""
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
    """What a remote call returns; cancelling the awaiting task cancels the call."""
    import ray
    from ray.exceptions import ActorDiedError, RayError, RayTaskError

    try:
        return await asyncio.wrap_future(reference.future())
    except asyncio.CancelledError:
        with contextlib.suppress(RayError, ValueError):
            ray.cancel(reference)
        raise
    except RayTaskError:
        raise  # a bug, with the worker's traceback
    except RayError as error:
        died = isinstance(error, ActorDiedError)
        raise WorkerLostError("its process died" if died else type(error).__name__) from error
