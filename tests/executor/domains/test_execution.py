"""Executions of answers: kept, charged once each, and compared by votes."""

from __future__ import annotations

import dataclasses

from executor.answers.grader import MathGrader
from executor.answers.voting import Vote, vote
from executor.domains.execution import ByBehaviour, ByText, Execution, Executions
from executor.outcome import SampleRecord, ballots
from executor.problem import PUBLIC_TESTS, Problem
from executor.store.executed import executed_samples, executions_of

SHOWN = Problem("p", "Write f.", "hidden", {PUBLIC_TESTS: "shown"})


class Runner(ByText):
    """A grader whose answers behave as their first letter says; `!` fails."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def execute(self, answer: str, shown: str) -> Execution:
        self.asked.append((answer, shown))
        return Execution((answer[0] == "a",), (f"!{answer}" if answer[0] == "!" else answer[0],))

    def has_inputs(self, shown: str) -> bool:
        return True


def record(answer: str | None, execution: Execution | None = None) -> SampleRecord:
    return SampleRecord(answer or "", answer, None, "finished", 1, 0.0, execution=execution)


def test_each_answer_runs_and_is_charged_once() -> None:
    runner, charged = Runner(), []
    runs = Executions.of(runner, SHOWN, lambda: charged.append(1))
    assert runs is not None
    runs.know([("b1", Execution((), ("b",))), (None, None), ("c", None)])
    assert [runs(one).outputs for one in ("a1", "a2", "a1", "b1")] == [
        ("a",),
        ("a",),
        ("a",),
        ("b",),
    ]
    # The runner is given what is public, and no reference.
    assert runner.asked == [("a1", "shown"), ("a2", "shown")] and len(charged) == 2


def test_what_ran_on_nothing_is_not_charged() -> None:
    class Idle(Runner):
        def execute(self, answer: str, shown: str) -> Execution:
            return Execution()

    charged: list[int] = []
    runs = Executions.of(Idle(), SHOWN, lambda: charged.append(1))
    assert runs is not None and runs("a") == Execution() and not charged


def test_only_answers_that_run_are_executed() -> None:
    assert Executions.of(MathGrader(), SHOWN, lambda: None) is None
    assert Executions.of(Runner(), Problem("q", "?"), lambda: None) is None


def test_votes_count_what_programs_do() -> None:
    runner = Runner()
    answers = ["b1", "a1", "a2", "!x", "!x", "!x", None]
    samples = [record(one, one and runner.execute(one, "shown")) for one in answers]
    counted, grader = ballots(samples, runner)
    assert counted == ["b", "a", "a", None, None, None, None]
    assert vote(counted, None, Vote.MAJORITY, grader) == 1
    # A vote during the search counts the same.
    runs = Executions.of(runner, SHOWN, lambda: None)
    assert runs is not None
    live = ByBehaviour(runner, runs)
    assert [live.extract(one) for one in answers[:-1] if one] == counted[:-1]


def test_without_executions_votes_count_answers() -> None:
    runner = Runner()
    plain = [record("a1"), record("a2")]
    assert ballots(plain, runner) == (["a1", "a2"], runner)
    no_inputs = [record("a1", Execution((True,))), record("a2", Execution((True,)))]
    assert ballots(no_inputs, runner)[0] == ["a1", "a2"]


def test_samples_are_stored_with_their_executions() -> None:
    runner = Runner()
    samples = [record(one, one and runner.execute(one, "")) for one in ("a1", "b", None, "a2")]
    stored = executions_of(samples)
    assert stored == {"runs": [[[1], ["a"]], [[0], ["b"]]], "of": [0, 1, None, 0]}
    plain = [dataclasses.replace(one, execution=None) for one in samples]
    assert list(executed_samples(plain, stored)) == samples
    assert executions_of(plain) is None and list(executed_samples(plain, None)) == plain
