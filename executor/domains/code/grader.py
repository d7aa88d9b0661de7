"""The grader of programs: right is what passes all tests of its problem in the sandbox."""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import TracebackType
from typing import Generic, Self, TypeVar

from executor.answers.reasons import GradeReason
from executor.domains.code.inputs import comparison
from executor.domains.code.programs import completed, find_program, same_program
from executor.domains.execution import NO_OUTPUT, Execution
from executor.sandbox.sandbox import Isolation, Limits, Sandbox
from executor.sandbox.suite import Pair, Suite, Verdict, VerdictKind

T = TypeVar("T")

_KEPT = 4096  # results that are remembered: samples of a problem are often the same program

_REASONS = {
    VerdictKind.PASSED: GradeReason.TESTS_PASSED,
    VerdictKind.FAILED: GradeReason.TEST_FAILED,
    VerdictKind.RAISED: GradeReason.PROGRAM_RAISED,
    VerdictKind.SYNTAX_ERROR: GradeReason.SYNTAX_ERROR,
    VerdictKind.TIMED_OUT: GradeReason.PROGRAM_TIMED_OUT,
    VerdictKind.MEMORY: GradeReason.TOO_MUCH_MEMORY,
    VerdictKind.OUTPUT: GradeReason.TOO_MUCH_OUTPUT,
    VerdictKind.ENDED: GradeReason.PROGRAM_ENDED,
    VerdictKind.UNUSED: GradeReason.PROGRAM_UNUSED,
}


class _Remembered(Generic[T]):
    """The newest results by program and tests; any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: OrderedDict[tuple[str, str], T] = OrderedDict()

    def get(self, program: str, tests: str) -> T | None:
        with self._lock:
            return self._results.get((program, tests))

    def put(self, program: str, tests: str, result: T) -> None:
        with self._lock:
            self._results[program, tests] = result
            if len(self._results) > _KEPT:
                self._results.popitem(last=False)


def _output(verdict: Verdict) -> str:
    """Return the output that a verdict tells of, or why there is none."""
    return verdict.output or f"{NO_OUTPUT}{verdict.kind}"


class CodeGrader:
    """The grader of programs; see `executor.sandbox` for what a program can do.

    The reference of a problem is its tests (`Suite.to_json`). Two programs are equal if they are
    the same but for comments and layout.

    Args:
        limits: what a run may use.
        unsafe: whether to run programs without isolation if the system allows none.
    """

    timeouts = 0

    def __init__(self, limits: Limits | None = None, *, unsafe: bool = False) -> None:
        self._sandbox = Sandbox(limits, unsafe=unsafe)
        self._verdicts: _Remembered[Verdict] = _Remembered()
        self._executions: _Remembered[Execution] = _Remembered()

    @property
    def runs(self) -> int:
        """Number of programs that were run."""
        return self._sandbox.runs

    @property
    def isolation(self) -> Isolation | None:
        """What keeps programs from this machine; None: none was run yet."""
        return self._sandbox.isolation if self._sandbox.runs else None

    def extract(self, response: str) -> str | None:
        """Return the program of a response; see `find_program`."""
        return find_program(response)

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two programs are the same but for comments, documentation and layout."""
        return same_program(a, b)

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether a program passes all tests.

        Raises:
            InputError: the system allows no isolation of programs.
            ValueError: the reference is no suite of tests.
            WorkerError: the sandbox's processes do not start.
        """
        return answer is not None and self.verdict(answer, reference).passed

    def judge(self, answer: str | None, reference: str) -> GradeReason:
        """Tell whether a program is right, as `correct` does, and what came of its tests."""
        return self.explain(answer, reference)[0]

    def explain(self, answer: str | None, reference: str) -> tuple[GradeReason, str]:
        """Return what `judge` does, and the test or the error; the latter may quote tests."""
        if answer is None:
            return GradeReason.NO_ANSWER, ""
        verdict = self.verdict(answer, reference)
        return _REASONS[verdict.kind], verdict.detail

    def verdict(self, answer: str, reference: str) -> Verdict:
        """Return the verdict of the first test that a program does not pass, else of the last."""
        known = self._verdicts.get(answer, reference)
        if known is None:
            suite = Suite.from_json(reference)
            program = completed(answer, suite.head, suite.entry_point)
            known = self._sandbox.run(program, suite, until_failed=True)[-1]
            self._verdicts.put(answer, reference, known)
        return known

    def execute(self, answer: str, shown: str) -> Execution:
        """Run a program on its problem's public tests and inputs; see `Executing.execute`."""
        known = self._executions.get(answer, shown)
        if known is None:
            suite, tests = comparison(shown)
            program = completed(answer, suite.head, suite.entry_point)
            verdicts = self._sandbox.run(program, suite, most_broken=1) if suite.units else ()
            is_script = any(isinstance(one, Pair) for one in suite.units)
            known = Execution(
                tuple(one.passed for one in verdicts[:tests]),
                tuple(map(_output, verdicts if is_script else verdicts[tests:])),
            )
            self._executions.put(answer, shown, known)
        return known

    def has_inputs(self, shown: str) -> bool:
        """See `Executing.has_inputs`."""
        suite, tests = comparison(shown)
        return len(suite.units) > tests or any(isinstance(one, Pair) for one in suite.units)

    def close(self) -> None:
        """End the sandbox's processes; a later run starts new ones."""
        self._sandbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
