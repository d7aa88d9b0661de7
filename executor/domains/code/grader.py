"""The grader of programs: right is what passes all tests of its problem in the sandbox."""

from __future__ import annotations

import threading
from collections import OrderedDict
from types import TracebackType
from typing import Self

from executor.answers.reasons import GradeReason
from executor.domains.code.programs import completed, find_program, same_program
from executor.sandbox.sandbox import Limits, Sandbox
from executor.sandbox.suite import Suite, Verdict, VerdictKind

_KEPT = 4096  # verdicts that are remembered: samples of a problem are often the same program

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
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[tuple[str, str], Verdict] = OrderedDict()

    @property
    def runs(self) -> int:
        """Number of programs that were run."""
        return self._sandbox.runs

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
        key = (answer, reference)
        with self._lock:
            known = self._verdicts.get(key)
        if known is None:
            suite = Suite.from_json(reference)
            program = completed(answer, suite.head, suite.entry_point)
            known = self._sandbox.run(program, suite, until_failed=True)[-1]
            with self._lock:
                self._verdicts[key] = known
                if len(self._verdicts) > _KEPT:
                    self._verdicts.popitem(last=False)
        return known

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
