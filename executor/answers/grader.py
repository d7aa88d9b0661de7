"""Final answers: extracted from a response and compared with each other."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from executor.answers.equality import Values, same
from executor.answers.extraction import find_answer
from executor.answers.killable import KillableWorker
from executor.answers.reading import plain_number, read


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
    this process. Other formulas go to one child process (`executor.answers.worker`), which is
    killed at the deadline; the pair then counts as not equivalent. So does a pair on which the
    child crashes twice. All results are cached.

    Conventions:
        - Numbers are exact. A decimal of five places or more, and of three significant digits or
          more, equals what rounds to it: 1.41421 is \sqrt{2}, and 1.4142139 is not.
        - 50% is 50, as in the benchmarks' own graders, and not 0.5. A number without a unit equals
          the same number with a unit at its end; two numbers with units are compared as
          quantities: 1 km is 1000 m, and 3 hours 20 minutes are neither 3 nor 3 hours.
        - A list without brackets has no order, `(1,2)` has one. `x=5` is 5, and not `y=5`.
        - Words are compared without regard to case; letters of formulas are not.

    Args:
        deadline: most seconds of one comparison, not counting the start of the child.
        cache_size: number of pairs whose result is kept.

    Raises:
        ValueError: `deadline` is not a positive number.
    """

    def __init__(self, deadline: float = 5.0, cache_size: int = 65536) -> None:
        if not (math.isfinite(deadline) and deadline > 0):
            raise ValueError(f"deadline is {deadline}; expected a positive number of seconds")
        self.deadline = deadline
        self._worker = KillableWorker(Path(__file__).with_name("worker.py"))
        self._ask = lru_cache(maxsize=cache_size)(self._ask_worker)

    @property
    def timeouts(self) -> int:
        """Comparisons given up so far because of the deadline or crashes of the child."""
        return self._worker.lost

    @property
    def worker_pid(self) -> int | None:
        """Process id of the child, or None if it is not running."""
        return self._worker.pid

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
        return self._ask(first, second) if settled is None else settled

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether `answer` is right: whether it is equivalent to the reference.

        Raises:
            WorkerError: the child process is needed and does not start.
        """
        return answer is not None and self.equivalent(answer, reference)

    def close(self) -> None:
        """End the child process; a later comparison starts a new one."""
        self._worker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask_worker(self, first: str, second: str) -> bool:
        request = {"gold": first, "target": second, "seconds": self.deadline}
        reply = self._worker.ask(request, self.deadline)
        return reply is not None and bool(reply["equal"])


_EXACT = Values()


def _settle(a: str, b: str) -> bool | None:
    """Compare two answers by plain string work and exact numbers; None if it cannot decide."""
    if a == b:
        return True
    one, two = plain_number(a), plain_number(b)
    if one is not None and two is not None:
        return one.same_as(two)
    return same(read(a), read(b), _EXACT)
