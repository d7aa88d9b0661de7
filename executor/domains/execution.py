"""Answers that run: what they do on what everybody may see, kept for votes and scorers.

A program is executed once on the public tests of its problem and on inputs; votes count programs
together that give the same outputs, and a scorer takes the share of tests that they pass. Hidden
tests are not part of it. The results are stored with each sample, so that nothing runs again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

from executor.answers.grader import Grader
from executor.problem import PUBLIC_TESTS, Problem

NO_OUTPUT = "!"
"""Begins what stands for an output that is missing: the program raised an error, or was ended."""


@dataclass(frozen=True, slots=True)
class Execution:
    """What a program did.

    Attributes:
        public: whether it passed each public test.
        outputs: its output for each input, equal texts for equal outputs; of one without an output
            the reason, after `NO_OUTPUT`.
    """

    public: tuple[bool, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to run the program on."""
        return not (self.public or self.outputs)

    @property
    def behaviour(self) -> str | None:
        """Text that programs share which behave alike; None if there is no output to compare."""
        if all(one.startswith(NO_OUTPUT) for one in self.outputs):
            return None
        return "\n".join(self.outputs)

    def to_list(self) -> list[Any]:
        """Return plain values, for JSON."""
        return [[int(passed) for passed in self.public], list(self.outputs)]

    @classmethod
    def from_list(cls, value: Sequence[Any]) -> Self:
        """Return the execution of which `to_list` made `value`."""
        public, outputs = value
        return cls(tuple(map(bool, public)), tuple(outputs))


@runtime_checkable
class Executing(Protocol):
    """What a grader may do besides (`executor.answers.grader.Grader`): run answers."""

    def execute(self, answer: str, shown: str) -> Execution:
        """Run an answer on what everybody may see.

        Args:
            answer: an extracted answer.
            shown: the public tests, as the problem holds them (`executor.problem.PUBLIC_TESTS`).

        Raises:
            InputError: the system allows no isolation of programs.
            WorkerError: the processes that run programs do not start.
        """
        ...

    def has_inputs(self, shown: str) -> bool:
        """Whether there are inputs, so that outputs can be compared."""
        ...


class Executions:
    """The executions of one problem's answers; each answer runs once. Any thread may use it.

    Args:
        runner: runs an answer.
        shown: the public tests of the problem.
        charge: called for each answer that was run.
    """

    def __init__(self, runner: Executing, shown: str, charge: Callable[[], None]) -> None:
        self._runner = runner
        self._shown = shown
        self._charge = charge
        self._lock = threading.Lock()
        self._known: dict[str, Execution] = {}

    @classmethod
    def of(cls, grader: object, problem: Problem, charge: Callable[[], None]) -> Self | None:
        """Return those of a problem; None if its answers do not run, or nothing of it is public."""
        shown = problem.meta.get(PUBLIC_TESTS)
        return cls(grader, shown, charge) if shown and isinstance(grader, Executing) else None

    @property
    def comparable(self) -> bool:
        """Whether votes can compare what answers do."""
        return self._runner.has_inputs(self._shown)

    def know(self, known: Iterable[tuple[str | None, Execution | None]]) -> None:
        """Take results of before, which are not charged again."""
        with self._lock:
            self._known |= {answer: one for answer, one in known if answer and one}

    def __call__(self, answer: str) -> Execution:
        """Return the execution of an answer; see `Executing.execute` for errors."""
        with self._lock:
            known = self._known.get(answer)
        if known is not None:
            return known
        execution = self._runner.execute(answer, self._shown)
        with self._lock:
            if answer not in self._known:
                self._known[answer] = execution
                if not execution.is_empty:
                    self._charge()
            return self._known[answer]


class ByText:
    """The grader of votes whose keys are equal or different as texts."""

    timeouts = 0

    def extract(self, response: str) -> str | None:
        """Return the text."""
        return response

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two texts are the same."""
        return a == b

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether a text is that of the reference."""
        return answer == reference


class ByBehaviour(ByText):
    """The grader of votes between answers that run: what it extracts is what an answer does.

    Args:
        grader: extracts answers.
        executions: runs them.
    """

    def __init__(self, grader: Grader, executions: Executions) -> None:
        self._grader = grader
        self._executions = executions

    def extract(self, response: str) -> str | None:
        """Return the behaviour of a response's answer; None without an answer or an output."""
        answer = self._grader.extract(response)
        return None if answer is None else self._executions(answer).behaviour
