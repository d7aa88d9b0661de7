"""Workers on a local Ray: the outcomes of one process, and what becomes of problems in lost ones.

The models are simulated, so that what is seen is the workers' own; the whole road with vLLM is in
tests/planner/runtime/test_ray.py.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.cluster import distributed
from executor.cluster.distributed import Workers
from executor.cluster.ray import Cluster, ClusterOptions, Share, divide, knock
from executor.errors import EngineError, InputError
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem
from executor.run.admission import Admission
from executor.run.runner import ByStrategy, Executor, Job, Solved, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import BeamSearch, BestOfN, Sampling
from tests.helpers.waiting import until

PROBLEMS = simulated_problems(24)
SPEC = RunSpec("measure", "simulated-policy", "simulated-prm", {"seed": 0})


def build(_: float, faults: range = range(0)) -> Executor:
    policy = SimulatedPolicy(0.7, 3, latency=0.01, faults=faults)
    return Executor(policy, SimulatedPrm(0.8), MathGrader(), Sampling())


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two workers of one core each; room for two more besides them, whatever this machine has."""
    import ray  # takes a second, which a run without these tests need not wait for

    # Workers cannot import a test module: what they get of it comes along.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(
        address="local",
        num_cpus=4,
        object_store_memory=100 << 20,
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        with Cluster.connect(ClusterOptions(workers=4), gpus=1) as connected:
            assert (connected.workers, connected.share) == (4, Share(1, 0))
            yield Cluster(2, connected.share, ours=False)
        assert ray.is_initialized(), "it was not the cluster's to end"
    finally:
        ray.shutdown()


def one(cluster: Cluster) -> Cluster:
    """The same for a single worker."""
    return Cluster(1, cluster.share, ours=False)


@pytest.fixture(scope="module")
def workers(cluster: Cluster) -> Iterator[Workers]:
    """Two workers with three problems each, for tests that none of them is lost in."""
    with Workers(build, cluster, concurrency=3) as loaded:
        loaded.load()
        yield loaded
        assert (loaded.lost, loaded.rerun) == (0, 0)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        yield opened


@dataclass(frozen=True)
class Watched:
    """A job that notes in a file when it begins and ends, and in which process."""

    log: Path
    seconds: float = 0.05
    before: Callable[[Problem], None] = lambda problem: None

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        self._note("begins", problem)
        self.before(problem)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self._note("cancelled", problem)
            raise
        solved = await ByStrategy(BestOfN(4))(executor, problem)
        while self.held(os.getpid()).exists():
            await asyncio.sleep(0.05)
        self._note("ends", problem)
        return solved

    def held(self, pid: int) -> Path:
        """The file that keeps a process from ending its problems."""
        return self.log.with_name(f"held-{pid}")

    def under_way(self, pid: int) -> set[str]:
        """The problems that a process has begun and not ended."""
        mine = [(what, problem) for who, what, problem in self.lines() if who == str(pid)]
        begun, ended = ({p for what, p in mine if what == kind} for kind in ("begins", "ends"))
        return begun - ended

    def _note(self, what: str, problem: Problem) -> None:
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {what} {problem.id}\n")

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()]

    def begun(self) -> Counter[str]:
        return Counter(problem for _, what, problem in self.lines() if what == "begins")


def solve_all(workers: Workers, job: Job, store: Store, **options: Any) -> int:
    """Run all problems through the one runner there is."""
    return asyncio.run(
        run_problems(
            PROBLEMS, functools.partial(workers.run, job), store, SPEC,
            admission=Admission(most=workers.concurrency), **options,
        )
    )  # fmt: skip


def outcomes(store: Store) -> list[Any]:
    found = [stored.outcome for stored in store.outcomes(SPEC)]
    return sorted((o.problem.id, o.answer, o.correct, o.samples, o.ledger) for o in found)


def ids(store: Store) -> list[str]:
    return sorted(stored.outcome.problem.id for stored in store.outcomes(SPEC))


ALL = sorted(problem.id for problem in PROBLEMS)


@pytest.mark.process
@pytest.mark.socket
def test_outcomes_and_counters_are_those_of_one_process(
    workers: Workers, store: Store, grader: MathGrader
) -> None:
    job = ByStrategy(BeamSearch(4, 2))
    assert len(set(workers.pids) - {None, os.getpid()}) == 2
    before = workers.report()
    assert solve_all(workers, job, store) == len(PROBLEMS)
    after = workers.report()
    local = Executor(SimulatedPolicy(0.7, 3), SimulatedPrm(0.8), grader, Sampling())
    with Store.open("sqlite://") as alone:
        asyncio.run(run_problems(PROBLEMS, functools.partial(local.run, job), alone, SPEC))
        assert outcomes(store) == outcomes(alone)
    assert after.policy - before.policy == local.policy.counters()
    assert local.prm is not None and after.prm - before.prm == local.prm.counters()


@pytest.mark.process
@pytest.mark.socket
def test_a_run_begun_in_one_process_is_finished_by_workers(
    workers: Workers, store: Store, grader: MathGrader
) -> None:
    job = ByStrategy(BestOfN(4))
    local = Executor(SimulatedPolicy(0.7, 3), SimulatedPrm(0.8), grader, Sampling())
    with Store.open("sqlite://") as alone:
        asyncio.run(run_problems(PROBLEMS, functools.partial(local.run, job), alone, SPEC))
        asyncio.run(run_problems(PROBLEMS[:9], functools.partial(local.run, job), store, SPEC))
        assert solve_all(workers, job, store) == len(PROBLEMS) - 9
        assert solve_all(workers, job, store) == 0
        assert outcomes(store) == outcomes(alone)


@pytest.mark.process
@pytest.mark.socket
def test_no_worker_has_more_in_flight_than_allowed_and_each_has_its_part(
    workers: Workers, store: Store, tmp_path: Path
) -> None:
    job = Watched(tmp_path / "log")
    solve_all(workers, job, store)
    now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for worker, what, _ in job.lines():
        now[worker] += 1 if what == "begins" else -1
        most[worker] = max(most[worker], now[worker])
    assert list(most.values()) == [3, 3]
    assert set(job.begun().values()) == {1}


def fails(problem: Problem) -> None:
    raise InputError("nobody can answer that")


@pytest.mark.process
@pytest.mark.socket
def test_bad_input_in_a_worker_is_bad_input_here(
    workers: Workers, store: Store, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"^nobody can answer that$"):
        solve_all(workers, Watched(tmp_path / "log", before=fails), store)


@pytest.mark.process
@pytest.mark.socket
def test_cancelling_a_run_cancels_its_jobs(workers: Workers, store: Store, tmp_path: Path) -> None:
    job = Watched(tmp_path / "log", seconds=60)

    async def cancelled() -> None:
        run = asyncio.create_task(
            run_problems(
                PROBLEMS,
                functools.partial(workers.run, job),
                store,
                SPEC,
                admission=Admission(most=6),
            )
        )
        while not job.log.exists() or len(job.begun()) < 6:
            await asyncio.sleep(0.02)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    def said() -> int:
        return [what for _, what, _ in job.lines()].count("cancelled")

    asyncio.run(cancelled())
    until(lambda: said() >= 6)
    assert ids(store) == []
    assert said() == 6


def cores() -> list[int]:
    """The cores of every thread of this process."""
    threads = os.listdir("/proc/self/task")
    return sorted({core for thread in threads for core in os.sched_getaffinity(int(thread))})


@dataclass(frozen=True)
class Cores:
    """A job that notes the cores a worker has."""

    folder: Path

    async def __call__(self, executor: Executor, problem: Problem) -> Solved:
        bound = os.environ["VLLM_CPU_OMP_THREADS_BIND"]
        (self.folder / str(os.getpid())).write_text(f"{','.join(map(str, cores()))} {bound}")
        return await ByStrategy(BestOfN(1))(executor, problem)


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core"
)
def test_workers_of_one_machine_have_cores_of_their_own(
    workers: Workers, store: Store, tmp_path: Path
) -> None:
    solve_all(workers, Cores(tmp_path), store)
    found = [file.read_text().split() for file in tmp_path.iterdir()]
    assert len(found) == 2
    for bound, told in found:
        assert bound == told
        assert len(bound.split(",")) == 1
    assert found[0] != found[1]


@pytest.mark.process
@pytest.mark.socket
def test_a_killed_worker_loses_only_what_it_had_and_is_replaced(
    cluster: Cluster, store: Store, tmp_path: Path
) -> None:
    job, said = Watched(tmp_path / "log"), list[str]()
    with Workers(build, cluster, concurrency=3, say=said.append, pause=0.1) as workers:
        workers.load()
        first = list(workers.pids)
        killed = first[0] or 0
        done: list[int] = []

        async def kill_in_the_middle() -> None:
            job.held(killed).touch()
            before = set[str]()
            # What ends between the two looks was past the file already.
            while not (before & job.under_way(killed)):
                before = job.under_way(killed)
                await asyncio.sleep(0.5)
            os.kill(killed, signal.SIGKILL)

        killing: list[asyncio.Task[None]] = []

        def progress(finished: int) -> None:
            done.append(finished)
            if sum(done) >= 6 and not killing:
                killing.append(asyncio.ensure_future(kill_in_the_middle()))

        assert solve_all(workers, job, store, progress=progress) == len(PROBLEMS)
        assert workers.lost == 1
        assert "worker 1 was lost (its process died)" in said[0]
        assert ids(store) == ALL
        again = {problem for problem, times in job.begun().items() if times > 1}
        assert 0 < len(job.under_way(killed)) <= 3
        assert again >= job.under_way(killed)
        assert len(again) <= workers.rerun <= 3
        workers.load()
        assert workers.ready == 2
        assert workers.pids[1:] == first[1:] and workers.pids[0] not in (None, killed)
        assert said[1:] == ["worker 1 is back"]


def die(problem: Problem) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.process
@pytest.mark.socket
def test_workers_that_die_every_time_end_the_run_and_what_was_finished_stays(
    cluster: Cluster,
    store: Store,
    grader: MathGrader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distributed, "LIVES", 2)
    local = functools.partial(
        Executor(SimulatedPolicy(0.7, 3), SimulatedPrm(0.8), grader, Sampling()).run,
        ByStrategy(BestOfN(4)),
    )
    asyncio.run(run_problems(PROBLEMS[:5], local, store, SPEC))
    kept = outcomes(store)
    with Workers(build, one(cluster), concurrency=2, pause=0.01) as workers:
        workers.load()
        job = Watched(tmp_path / "log", before=die)
        with pytest.raises(EngineError, match=r"2 (times|workers).*its process died"):
            solve_all(workers, job, store)
        assert workers.lost == 2
    assert outcomes(store) == kept
    assert asyncio.run(run_problems(PROBLEMS, local, store, SPEC)) == len(PROBLEMS) - 5
    assert ids(store) == ALL


@pytest.mark.process
@pytest.mark.socket
def test_a_worker_whose_engine_is_lost_is_replaced(cluster: Cluster, store: Store) -> None:
    faulty = functools.partial(build, faults=range(20, 21))
    with Workers(faulty, one(cluster), concurrency=2, pause=0.01) as workers:
        workers.load()
        solve_all(workers, ByStrategy(BestOfN(4)), store)
        assert workers.lost == 1
    assert ids(store) == ALL


def no_model(_: float) -> Executor:
    raise InputError("no such model")


def no_engine(_: float) -> Executor:
    raise EngineError("vLLM cannot load it")


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize(
    ("bad", "error"), [(no_model, InputError), (no_engine, EngineError)], ids=["model", "engine"]
)
def test_models_that_cannot_be_loaded_are_said_at_once(
    cluster: Cluster, bad: Callable[[], Executor], error: type[Exception]
) -> None:
    with (
        Workers(bad, one(cluster)) as workers,
        pytest.raises(error, match=r"^(no such|vLLM cannot)"),
    ):
        workers.load()


CPU_16, CPU_3, CPU_5 = ({"CPU": float(n)} for n in (16, 3, 5))


@pytest.mark.parametrize(
    ("machines", "wanted", "gpus", "workers", "share"),
    [
        ([CPU_16], None, 1, 2, Share(8, 0)),
        ([CPU_16], 3, 1, 3, Share(5, 0)),
        ([CPU_16] * 4, None, 1, 4, Share(16, 0)),
        # Four cores each would leave a worker without a machine.
        ([CPU_3, CPU_5], 2, 1, 2, Share(3, 0)),
        ([CPU_3, CPU_5], 8, 1, 8, Share(1, 0)),
        ([CPU_16, {"CPU": 8.0, "GPU": 4.0}], None, 1, 4, Share(1, 1)),
        ([{"CPU": 8.0, "GPU": 3.0}] * 2, None, 2, 2, Share(1, 2)),
        ([{"CPU": 8.0, "GPU": 4.0}], 2, 1, 2, Share(1, 1)),
    ],
)
def test_what_workers_take_of_a_cluster(
    machines: list[dict[str, float]], wanted: int | None, gpus: int, workers: int, share: Share
) -> None:
    assert divide(machines, wanted, gpus) == (workers, share)


@pytest.mark.parametrize(
    ("machines", "wanted", "gpus", "clue"),
    [
        ([CPU_3], 4, 1, "3 cores"),
        ([{"CPU": 8.0, "GPU": 4.0}], 5, 1, "GPUs for 4, 1 each"),
        ([{"CPU": 8.0, "GPU": 1.0}] * 2, None, 2, "GPUs for 0, 2 each"),
    ],
)
def test_a_cluster_that_is_too_small_is_bad_input(
    machines: list[dict[str, float]], wanted: int | None, gpus: int, clue: str
) -> None:
    with pytest.raises(InputError, match=clue):
        divide(machines, wanted, gpus)


@pytest.mark.socket
@pytest.mark.parametrize(
    ("address", "clue"),
    [("here", "HOST:PORT, or auto"), ("127.0.0.1:x", "HOST:PORT"), ("127.0.0.1:9", "no cluster")],
)
def test_an_address_where_nobody_listens_is_bad_input(address: str, clue: str) -> None:
    with pytest.raises(InputError, match=rf"^--ray-address {address}: .*{clue}"):
        knock(address)
