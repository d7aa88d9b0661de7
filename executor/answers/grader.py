"""Final answers: extracted from a response and compared with each other."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from executor.answers.extraction import LONGEST_ANSWER, find_answer, read, symbolic
from executor.answers.reasons import GradeReason
from executor.answers.symbolic import (
    PAIR_SECONDS,
    QUESTION_SECONDS,
    Comparer,
    GivenUpError,
    Verdict,
)

_CLOCK = re.compile(r"\d\s*:\s*\d|\d\s*[ap]\.?m\b", re.IGNORECASE)
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_BASED = re.compile(r"\w+_\{?\d+\}?")


class Grader(Protocol):
    """The rules of one domain's answers; every method may be called from any thread.

    `executor.testing.grader_conformance` tests that an implementation keeps these promises.
    """

    @property
    def timeouts(self) -> int:
        """Number of comparisons given up so far; each counted as not equivalent."""
        ...

    def extract(self, response: str) -> str | None:
        """Return the final answer of a response, or None if it has none."""
        ...

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers mean the same; reflexive and symmetric."""
        ...

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether an answer is right by the reference; None never is."""
        ...


class MathGrader:
    r"""The grader of mathematical answers: strings, exact numbers, and then math-verify.

    Plain numbers and words are compared in this process (`executor.answers.extraction`). Other
    expressions go to child processes. A pair whose comparison takes too long counts as not
    equivalent, and so do all further pairs of the question when the time for it is spent
    (`executor.answers.account`). All results are cached.

    Conventions: 50% is 50, as in the benchmarks' own graders, and not 0.5; currency signs and
    units are dropped; a decimal of five places or more equals what rounds to it; words are
    compared without regard to case.

    Args:
        deadline: most seconds of one comparison, not counting the start of a child.
        budget: most seconds of all comparisons for one question.
        cache_size: number of pairs whose result is kept.

    Raises:
        ValueError: `deadline` or `budget` is not a positive number.
    """

    def __init__(
        self,
        deadline: float = PAIR_SECONDS,
        budget: float = QUESTION_SECONDS,
        cache_size: int = 65536,
    ) -> None:
        self._comparer = Comparer(Path(__file__).with_name("worker.py"), deadline, budget)
        self._ask_once = lru_cache(maxsize=cache_size)(self._ask_worker)

    @property
    def timeouts(self) -> int:
        """Pairs given up so far: time was spent, or two children crashed on them."""
        return self._comparer.given_up

    @property
    def worker_pid(self) -> int | None:
        """Process id of the children's nursery, or None if it is not running."""
        return self._comparer.pid

    def extract(self, response: str) -> str | None:
        r"""Return the last `\boxed{}`, else the answer after "the answer is" or `####`, else the
        last number; None if there is none of these. Never raises, and never needs the child.
        """
        return find_answer(response)

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers mean the same; reflexive and symmetric, not always transitive.

        Raises:
            WorkerError: the child process is needed and does not start.
        """
        first, second = sorted((a, b))
        settled = _settle(first, second)
        return self._ask(first, second, True) if settled is None else settled

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether `answer` is right; math-verify compares it in its direction for references.

        Raises:
            WorkerError: the child process is needed and does not start.
        """
        if answer is None:
            return False
        settled = _settle(reference, answer)
        return self._ask(reference, answer, False) if settled is None else settled

    def judge(self, answer: str | None, reference: str) -> GradeReason:
        """Tell whether `answer` is right, as `correct` does, and how that was found out.

        Raises:
            WorkerError: the child processes are needed and do not start.
        """
        if answer is None:
            return GradeReason.NO_ANSWER
        settled = _settle(reference, answer)
        if settled is None:
            try:
                verdict = self._ask_once(reference, answer, False)
            except GivenUpError:
                return GradeReason.TIMED_OUT
            if not verdict.read:
                return GradeReason.NOT_PARSED
            settled = verdict.equal
        if settled:
            same_text = read(answer).canonical == read(reference).canonical
            return GradeReason.SAME_TEXT if same_text else GradeReason.SAME_VALUE
        if max(len(answer), len(reference)) > LONGEST_ANSWER:
            return GradeReason.TOO_LONG
        return GradeReason.DIFFERENT_VALUES

    def close(self) -> None:
        """End the child processes; a later comparison starts new ones."""
        self._comparer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, gold: str, target: str, both: bool) -> bool:
        try:
            return self._ask_once(gold, target, both).equal
        except GivenUpError:  # not kept: another question may have the time
            return False

    def _ask_worker(self, gold: str, target: str, both: bool) -> Verdict:
        return self._comparer.compare(symbolic(gold), symbolic(target), both=both)


def _settle(a: str, b: str) -> bool | None:
    """Compare two answers by plain string work; None if it cannot decide."""
    if a == b:
        return True
    if _INTEGER.fullmatch(a) and _INTEGER.fullmatch(b):  # most answers are
        return False
    left, right = read(a), read(b)
    if left.canonical == right.canonical:
        return True
    if left.number and right.number:
        return left.number.same_as(right.number)
    if (left.word or left.number) and (right.word or right.number):
        return False
    # Ratios and times of day: as expressions 3:30 would be a division, and 5 a.m. equal 5 p.m.
    if _CLOCK.search(a) and _CLOCK.search(b):
        return False
    # math-verify drops the base of 52_8: right if one answer leaves it out, wrong for 52_9.
    if _BASED.fullmatch(left.canonical) and _BASED.fullmatch(right.canonical):
        return False
    return False if max(len(a), len(b)) > LONGEST_ANSWER else None
