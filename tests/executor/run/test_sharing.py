"""Several processes on one run: they share its problems, and no one waits for the dead.

Each process is an event loop's task here, with a connection to the database of its own.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from typing import Any

import pytest

from executor.errors import EngineError, StoreError, StoreLostError
from executor.outcome import Outcome
from executor.policies.simulated import simulated_problems
from executor.problem import Problem, problem_uid
from executor.run import sharing
from executor.run.admission import Admission
from executor.run.runner import run_problems
from executor.store import claims
from executor.store.store import RunSpec, Store

PROBLEMS = simulated_problems(40)
UIDS = [problem_uid(problem) for problem in PROBLEMS]
SPEC = RunSpec("measure", "simulated-policy", None, {"seed": 0})


class Process:
    """One that solves the problems, four at a time.

    Attributes:
        given: ids of the problems that it was given.
        remarks: what it said.
        beside: a process that must have begun too before this one finishes a problem.
        outlasts: a process that must have said that it waits before this one finishes a problem.
    """

    beside: Process | None = None
    outlasts: Process | None = None

    def __init__(self, store: Store, seconds: float = 0.005, fails_after: int | None = None):
        self.given: list[str] = []
        self.finished = 0
        self.remarks: list[str] = []
        self._store, self._seconds, self._fails_after = store, seconds, fails_after

    async def solve(self, problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        self.given.append(problem.id)
        if self._fails_after is not None and len(self.given) > self._fails_after:
            raise EngineError("engine gone")
        while self.beside is not None and not self.beside.given:
            await asyncio.sleep(0.001)
        while self.outlasts is not None and not self.outlasts.remarks:
            await asyncio.sleep(0.001)
        await asyncio.sleep(self._seconds)
        return Outcome(problem, "1", True, None, ()), {}

    def _progress(self, finished: int) -> None:
        self.finished += finished

    async def run(self) -> int:
        return await run_problems(
            PROBLEMS, self.solve, self._store, SPEC,
            progress=self._progress, admission=Admission(most=4), say=self.remarks.append,
        )  # fmt: skip


def stored(store: Store) -> set[str]:
    return {found.outcome.problem.id for found in store.outcomes(SPEC)}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_LOOK", 0.01)


def test_two_processes_solve_every_problem_once_and_end_with_all(database: str) -> None:
    async def both() -> list[int]:
        return await asyncio.gather(*(one.run() for one in processes))

    with Store.open(database) as first, Store.open(database) as second:
        processes = [Process(first), Process(second)]
        processes[0].beside, processes[1].beside = processes[1], processes[0]
        solved = asyncio.run(both())
        counts = Counter(name for one in processes for name in one.given)
        assert counts == {problem.id: 1 for problem in PROBLEMS}
        assert solved == [len(one.given) for one in processes]
        assert min(solved) >= 4
        assert stored(first) == set(counts)
        assert [one.finished for one in processes] == [len(PROBLEMS)] * 2


def test_who_has_nothing_left_waits_for_the_others_and_says_so(database: str) -> None:
    async def both() -> None:
        working = asyncio.create_task(slow.run())
        while not slow.given:
            await asyncio.sleep(0.001)
        await waiting.run()
        assert len(stored(second)) == len(PROBLEMS)
        await working

    with Store.open(database) as first, Store.open(database) as second:
        slow, waiting = Process(first), Process(second)
        slow.outlasts = waiting
        asyncio.run(both())
    assert len(slow.given) == 4
    assert len(waiting.given) == len(PROBLEMS) - 4
    assert waiting.finished == len(PROBLEMS)
    assert waiting.remarks == ["another process works on the last problems (4); waiting"]


def test_problems_of_a_process_that_fails_go_to_the_other(database: str) -> None:
    async def both() -> list[Any]:
        return await asyncio.gather(failing.run(), other.run(), return_exceptions=True)

    with Store.open(database) as first, Store.open(database) as second:
        failing, other = Process(first, fails_after=2), Process(second)
        other.beside = failing
        error, solved = asyncio.run(both())
        assert isinstance(error, EngineError)
        assert len(stored(second)) == len(PROBLEMS)
        assert solved == len(other.given) >= len(PROBLEMS) - 2


def test_problems_of_a_process_that_was_killed_are_free_at_once(database: str) -> None:
    machine, _, unique = claims.new_owner().rsplit(" ", 2)
    with Store.open(database) as store:
        store.start(SPEC)
        store.claim(SPEC, UIDS[:20], f"{machine} {2**22 + 1} {unique}")
        alone = Process(store)
        assert asyncio.run(alone.run()) == len(PROBLEMS)
        assert alone.remarks == []


@pytest.mark.long
def test_claims_are_given_up_at_the_end_and_renewed_until_then(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "LEASE", 1.0)  # so a busy machine may be late by 0.7 s

    async def both() -> None:
        working = asyncio.create_task(slow.run())
        while not slow.given:
            await asyncio.sleep(0.001)
        await asyncio.sleep(1.5)  # longer than a claim lasts that is not renewed
        assert second.claim(SPEC, UIDS[:4], "x 1 y").mine == set()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert second.claim(SPEC, UIDS[:4], "x 1 y").mine == set(UIDS[:4])

    with Store.open(database) as first, Store.open(database) as second:
        slow = Process(first, seconds=30)
        asyncio.run(both())


def test_an_outcome_that_another_process_saved_first_stays(database: str) -> None:
    """A process may have stood still for so long that others took its problems."""

    class Overtaken(Process):
        async def solve(self, problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            self._store.save(SPEC, Outcome(problem, "first", True, None, ()))
            return await super().solve(problem)

    with Store.open(database) as store:
        assert asyncio.run(Overtaken(store).run()) == len(PROBLEMS)
        assert {found.outcome.answer for found in store.outcomes(SPEC)} == {"first"}


# A lost database


def lost_for(times: int, store: Store, name: str) -> list[int]:
    """Let the store's database be lost for that many calls; return a list of all calls."""
    work, calls = getattr(store, name), []

    def call(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) <= times:
            raise StoreLostError("store x: the server closed the connection")
        return work(*arguments)

    setattr(store, name, call)
    return calls


@pytest.mark.parametrize("name", ["save", "claim", "renew_claims", "release_claims"])
def test_a_short_outage_is_waited_for(name: str) -> None:
    with Store.open("sqlite://") as store:
        calls = lost_for(1, store, name)
        process = Process(store, seconds=0.0)
        assert asyncio.run(process.run()) == len(PROBLEMS)
        assert len(stored(store)) == len(PROBLEMS)
        waited = ["the store cannot be reached; trying again for 60 s"] if len(calls) > 1 else []
        assert process.remarks == waited


def test_a_long_outage_ends_the_run_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sharing, "PATIENCE", 0.3)
    with Store.open("sqlite://") as store:
        with monkeypatch.context() as lost:
            lost.setattr(store, "save", store.save)
            lost_for(1000, store, "save")
            with pytest.raises(StoreLostError):
                asyncio.run(Process(store).run())
        assert asyncio.run(Process(store).run()) == len(PROBLEMS)


def test_what_fails_after_the_first_failure_is_not_logged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A save that waits for its turn fails too, while the run's last problem is being cancelled."""
    monkeypatch.setattr(sharing, "PATIENCE", 0.0)
    logged: list[dict[str, Any]] = []

    class Lingering(Process):
        async def solve(self, problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            last = len(self.given) == 3
            try:
                solved = await super().solve(problem)
                if last:
                    await asyncio.Event().wait()
            except asyncio.CancelledError:
                while len(calls) < 3:  # until all saves that were begun have failed
                    await asyncio.sleep(0.001)
                await asyncio.sleep(0.01)
                raise
            return solved

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        with pytest.raises(StoreLostError):
            await Lingering(store, seconds=0.0).run()
        gc.collect()

    with Store.open("sqlite://") as store:
        calls = lost_for(1000, store, "save")
        asyncio.run(run())
        gc.collect()
    assert logged == []


def test_an_interrupted_run_does_not_wait_for_a_lost_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def interrupted() -> None:
        task = asyncio.create_task(Process(store, seconds=0.0).run())
        while not calls:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(60):
                await task

    with Store.open("sqlite://") as store:
        calls = lost_for(1000, store, "save")
        asyncio.run(interrupted())


def test_a_store_that_refuses_is_not_asked_again() -> None:
    with Store.open("sqlite://") as store:
        calls: list[int] = []

        def refuse(*_: Any) -> None:
            calls.append(1)
            raise StoreError("store x: no space is left")

        store.save = refuse  # type: ignore[method-assign]
        with pytest.raises(StoreError, match="no space"):
            asyncio.run(Process(store).run())
        assert len(calls) <= 4
