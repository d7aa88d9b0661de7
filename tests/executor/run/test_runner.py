"""The runner: resumes, bounds, keeps what is finished, and adds up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from executor.answers.grader import MathGrader
from executor.errors import EngineError, InputError
from executor.ledger import Ledger
from executor.outcome import Outcome
from executor.policies.simulated import SimulatedPolicy, SimulatedPrm, simulated_problems
from executor.problem import Problem, problem_uid, question_id
from executor.run.admission import Admission
from executor.run.runner import CONTEXT_EXCEEDED, Executor, run_problems
from executor.store.store import RunSpec, Store
from executor.strategy import (
    AdaptiveMajority,
    Aggregate,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Sampling,
    ShortMOfK,
    Strategy,
    key,
)
from executor.testing import virtual_time

PROBLEMS = simulated_problems(12)
SPEC = RunSpec("measure", "simulated-policy", None, {"seed": 0})


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.open("sqlite://") as opened:
        yield opened


class Solver:
    """Solves at once or slowly; remembers whom it was given and how many at a time."""

    def __init__(self, seconds: float = 0.0, fails_on: Sequence[Problem] = ()) -> None:
        self.given: list[str] = []
        self.solved: list[str] = []
        self.at_once = self.most_at_once = 0
        self._seconds = seconds
        self._fails_on = fails_on

    async def __call__(self, problem: Problem) -> tuple[Outcome, dict[str, Any]]:
        self.given.append(problem.id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self._seconds)
            if problem in self._fails_on:
                raise EngineError("engine gone")
        finally:
            self.at_once -= 1
        self.solved.append(problem.id)
        return Outcome(problem, "1", True, None, ()), {"by": "solver"}


def run(solver: Any, store: Store, problems: Sequence[Problem] = PROBLEMS, **options: Any) -> int:
    return asyncio.run(run_problems(problems, solver, store, SPEC, **options))


def stored(store: Store) -> set[str]:
    return {found.outcome.problem.id for found in store.outcomes(SPEC)}


def test_all_problems_are_solved_once_and_stored_with_their_note(store: Store) -> None:
    solver = Solver()
    assert run(solver, store) == len(PROBLEMS)
    assert sorted(solver.given) == sorted(problem.id for problem in PROBLEMS)
    assert stored(store) == {problem.id for problem in PROBLEMS}
    assert all(found.note == {"by": "solver"} for found in store.outcomes(SPEC))


def test_a_resumed_run_solves_only_what_is_missing(store: Store) -> None:
    run(Solver(), store, PROBLEMS[:5])
    again = Solver()
    assert run(again, store) == 7
    assert again.given == [problem.id for problem in PROBLEMS[5:]]
    assert run(Solver(), store) == 0


def test_a_problem_that_is_given_twice_is_solved_once(store: Store) -> None:
    twice = [PROBLEMS[0], Problem("another-id", PROBLEMS[0].text, PROBLEMS[0].answer), PROBLEMS[1]]
    told: list[int] = []
    assert run(Solver(), store, twice, progress=told.append) == 2
    assert sum(told) == 3


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_no_more_problems_are_in_flight_than_allowed(store: Store, concurrency: int) -> None:
    solver = Solver(seconds=0.005)
    run(solver, store, admission=Admission(most=concurrency))
    assert solver.most_at_once == min(concurrency, len(PROBLEMS))


def test_problems_run_beside_each_other(store: Store) -> None:
    solver = Solver(seconds=0.2)

    async def timed() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await run_problems(PROBLEMS, solver, store, SPEC)
        return loop.time() - began

    assert virtual_time.run(timed()) == pytest.approx(0.2)


def test_progress_adds_up_to_all_problems_and_begins_with_those_found(store: Store) -> None:
    for done in (5, 12):
        told: list[int] = []
        before = len(stored(store))
        run(Solver(), store, PROBLEMS[:done], progress=told.append)
        assert told == [before] + [1] * (done - before)
        assert sum(told) == done


def test_a_lost_engine_keeps_finished_problems_and_resumes(store: Store) -> None:
    solver, told = Solver(fails_on=PROBLEMS[7:]), []
    with pytest.raises(EngineError, match="engine gone"):
        run(solver, store, admission=Admission(most=2), progress=told.append)
    assert stored(store) == {problem.id for problem in PROBLEMS[:7]}
    assert sum(told) == 7
    rest = Solver()
    assert run(rest, store) == 5
    assert rest.given == [problem.id for problem in PROBLEMS[7:]]


def test_what_was_solved_before_the_engine_was_lost_is_stored(store: Store) -> None:
    """However slow the disk: problems that wait to be saved are not thrown away."""
    save = store.save

    def slow(*args: Any) -> None:
        time.sleep(0.03)
        save(*args)

    store.save = slow  # type: ignore[method-assign]
    solver = Solver(fails_on=PROBLEMS[-1:])
    with pytest.raises(EngineError):
        run(solver, store)
    assert len(solver.solved) > 1
    assert stored(store) == set(solver.solved)


def test_a_store_that_refuses_ends_the_run(store: Store) -> None:
    def refuse(*_: Any) -> None:
        raise InputError("store full: no space is left")

    store.save = refuse  # type: ignore[method-assign]
    with pytest.raises(InputError, match="no space is left"):
        run(Solver(), store)


def test_cancelling_a_run_cancels_its_problems(store: Store) -> None:
    solver = Solver(seconds=5)

    async def cancelled() -> None:
        task = asyncio.create_task(run_problems(PROBLEMS, solver, store, SPEC))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancelled())
    assert solver.at_once == 0
    assert stored(store) == set()


# With strategies and the simulated models


@pytest.mark.parametrize(
    "strategy",
    [
        Greedy(),
        Majority(4),
        AdaptiveMajority(4),
        BestOfN(4),
        BeamSearch(4, 2),
        Dvts(4, 2),
        ParticleFilter(4),
        ShortMOfK(4),
        Aggregate(4, 1, 2),
    ],
    ids=key,
)
def test_an_interrupted_run_ends_with_the_outcomes_of_one_that_was_not(
    strategy: Strategy, grader: MathGrader
) -> None:
    def outcomes(store: Store) -> list[Any]:
        return [
            (o.problem.id, o.answer, o.correct, o.samples, o.ledger)
            for o in (found.outcome for found in store.outcomes(SPEC))
        ]

    def solve_all(store: Store, policy: SimulatedPolicy) -> None:
        executor = Executor(policy, SimulatedPrm(0.8), grader, Sampling())

        async def solve(problem: Problem) -> tuple[Outcome, dict[str, Any]]:
            return await executor.solve(problem, strategy), {}

        run(solve, store, admission=Admission(most=3))

    with Store.open("sqlite://") as whole, Store.open("sqlite://") as parts:
        policy = SimulatedPolicy(0.7, 3)
        solve_all(whole, policy)
        half = policy.calls // 2
        with pytest.raises(EngineError):
            solve_all(parts, SimulatedPolicy(0.7, 3, faults=range(half, sys.maxsize)))
        assert 0 < len(stored(parts)) < len(PROBLEMS)
        solve_all(parts, SimulatedPolicy(0.7, 3))
        assert outcomes(parts) == outcomes(whole)
        charged = sum((found.outcome.ledger for found in whole.outcomes(SPEC)), Ledger())
        assert charged.policy_generated == policy.counters().generated


def test_an_outcome_says_what_was_chosen(grader: MathGrader) -> None:
    executor = Executor(SimulatedPolicy(0.8, 3), SimulatedPrm(1.0), grader, Sampling())
    for problem in PROBLEMS:
        outcome = asyncio.run(executor.solve(problem, BestOfN(8)))
        assert outcome.chosen is not None
        chosen = outcome.samples[outcome.chosen]
        assert (outcome.answer, outcome.correct) == (chosen.answer, chosen.correct)
        assert chosen.rewards[-1] == max(sample.rewards[-1] for sample in outcome.samples)
        unknown = Problem(problem.id, problem.text)
        again = asyncio.run(executor.solve(unknown, BestOfN(8)))
        assert (again.answer, again.correct) == (outcome.answer, None)


def test_a_token_cap_overrides_the_budgets_own(grader: MathGrader) -> None:
    policy = SimulatedPolicy(0.7, 3)
    executor = Executor(policy, None, grader, Sampling(), token_cap=200)
    outcome = asyncio.run(executor.solve(PROBLEMS[0], Majority(8)))
    assert outcome.ledger.policy_generated == policy.counters().generated <= 200
    assert all(sample.answer is None for sample in outcome.samples)
    assert outcome.answer is None


def test_problem_uids_tell_questions_and_answers_apart() -> None:
    same = [Problem("a", "q", "1"), Problem("b", "q", "1", {"level": "2"})]
    other = [Problem("a", "q", "2"), Problem("a", "q"), Problem("a", "q ", "1")]
    assert len({problem_uid(problem) for problem in same}) == 1
    assert len({problem_uid(problem) for problem in [same[0], *other]}) == 4


def test_a_problem_the_prm_was_trained_on_is_noted(grader: MathGrader) -> None:
    prm = SimulatedPrm(trained_on=[question_id(PROBLEMS[0].text)])
    executor = Executor(SimulatedPolicy(), prm, grader, Sampling())
    seen, unseen = (executor.context(problem, 1) for problem in PROBLEMS[:2])
    assert executor.note(seen)
    assert executor.note(unseen) == {}
    assert Executor(SimulatedPolicy(), None, grader, Sampling()).note(seen) == {}


@pytest.mark.parametrize(("room", "note"), [(0, {CONTEXT_EXCEEDED: True}), (1, {})])
def test_a_question_that_fills_the_context_is_noted(
    grader: MathGrader, room: int, note: dict[str, bool]
) -> None:
    policy = SimulatedPolicy()
    policy.max_context = len(policy.prompt(PROBLEMS[0].text)) + room
    executor = Executor(policy, None, grader, Sampling())
    assert executor.note(executor.context(PROBLEMS[0], 1)) == note
