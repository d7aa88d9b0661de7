"""Final answers: extracted from a response and compared with each other."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from executor.answers.account import grading_account
from executor.answers.equality import Values, same
from executor.answers.extraction import find_answer
from executor.answers.meanings import Scalar, Text
from executor.answers.reading import LONGEST, plain_number, read
from executor.answers.reasons import GradeReason
from executor.answers.symbolic import PAIR_SECONDS, QUESTION_SECONDS, Comparer, GivenUpError


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
    r"""The grader of mathematical answers.

    An answer is read whole (`executor.answers.reading`), or compared as text; the number inside of
    what cannot be read is never its value. Numbers, words, times and lists of them are compared in
    this process. Other formulas go to child processes (`executor.answers.worker`). A pair whose
    comparison takes too long counts as not equivalent, and so do all further pairs of the question
    when the time for it is spent (`executor.answers.account`). All results are cached.

    Conventions:
        - Numbers are exact. A decimal of five places or more, and of three significant digits or
          more, equals what rounds to it: 1.41421 is \sqrt{2}, and 1.4142139 is not.
        - 50% is 50, as in the benchmarks' own graders, and not 0.5; it is neither $50 nor 50
          minutes. A number without a unit equals the same number with a unit at its end; two
          numbers with units are compared as quantities: 1 km is 1000 m, and 3 hours 20 minutes are
          neither 3 nor 3 hours. 30 degrees are pi/6. 5 apples are 5, and neither 5 pears nor
          5 cm.
        - A number with a base is not the number without it, unless the base is 10.
        - 11:00 is 11:00 AM and 11:00 PM, which are different; 17:30 is only 5:30 PM.
        - A list without brackets has no order, `(1,2)` has one. `[1,2]` is an interval, and no
          list; `[1, 2]`, as Python writes a list, is both. `x=5` is 5, and not `y=5`.
        - A bare letter keeps its case: `E` is not `e`. `(E)`, which is a choice, is both.
        - Words are compared without regard to case; letters of formulas are not.

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
        """Return the final answer of a response; see `executor.answers.extraction.find_answer`.

        Never raises, and never needs a child process.
        """
        return find_answer(response)

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers mean the same; reflexive and symmetric, not always transitive.

        Raises:
            WorkerError: the child process is needed and does not start.
        """
        first, second = sorted((a, b))
        settled = _settle(first, second)
        return self._ask(first, second) if settled is None else settled

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether `answer` is right: whether it is equivalent to the reference.

        Raises:
            WorkerError: the child process is needed and does not start.
        """
        return answer is not None and self.equivalent(answer, reference)

    def judge(self, answer: str | None, reference: str) -> GradeReason:
        """Tell whether `answer` is right, as `correct` does, and how that was found out.

        Raises:
            WorkerError: the child processes are needed and do not start.
        """
        if answer is None:
            return GradeReason.NO_ANSWER
        with grading_account() as account:
            before = account.uncompared
            right = self.correct(answer, reference)
            if account.uncompared > before:
                return GradeReason.TIMED_OUT
        if right:
            same_text = read(answer).canonical == read(reference).canonical
            return GradeReason.SAME_TEXT if same_text else GradeReason.SAME_VALUE
        if max(len(answer), len(reference)) > LONGEST:
            return GradeReason.TOO_LONG
        return _difference(answer, reference)

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

    def _ask(self, first: str, second: str) -> bool:
        try:
            return self._ask_once(first, second)
        except GivenUpError:  # not kept: another question may have the time
            return False

    def _ask_worker(self, first: str, second: str) -> bool:
        return self._comparer.compare(first, second)


def _difference(a: str, b: str) -> GradeReason:
    """Tell how two answers differ that are not equal."""
    one, two = read(a).meaning, read(b).meaning
    if any(isinstance(it, Text) and not it.text.isalpha() for it in (one, two)):
        return GradeReason.NOT_PARSED
    if isinstance(one, Scalar) and isinstance(two, Scalar):
        p, q = one.quantity, two.quantity
        if all((p.dimension or p.things, q.dimension or q.things)) and p.bare == q.bare is not None:
            return GradeReason.UNITS_DIFFER
    return GradeReason.DIFFERENT_VALUES


_EXACT = Values()


def _settle(a: str, b: str) -> bool | None:
    """Compare two answers by plain string work and exact numbers; None if it cannot decide."""
    if a == b:
        return True
    one, two = plain_number(a), plain_number(b)
    if one is not None and two is not None:
        return one.same_as(two)
    return same(read(a), read(b), _EXACT)
