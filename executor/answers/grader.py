"""Final answers: extracted from a response and compared with each other."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from executor.answers.extraction import LONGEST_ANSWER, find_answer, read, symbolic
from executor.answers.killable import KillableWorker

_CLOCK = re.compile(r"\d\s*:\s*\d|\d\s*[ap]\.?m\b", re.IGNORECASE)
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
    expressions go to one child process, which is killed at the deadline; the pair then counts as
    not equivalent. So does a pair on which the child crashes twice. All results are cached.

    Conventions: 50% is 50, as in the benchmarks' own graders, and not 0.5; currency signs and
    units are dropped; a decimal of five places or more equals what rounds to it; words are
    compared without regard to case.

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

    def _ask_worker(self, gold: str, target: str, both: bool) -> bool:
        request = {
            "gold": symbolic(gold),
            "target": symbolic(target),
            "both": both,
            "seconds": self.deadline,
        }
        reply = self._worker.ask(request, self.deadline)
        return reply is not None and bool(reply["equal"])


def _settle(a: str, b: str) -> bool | None:
    """Compare two answers by plain string work; None if it cannot decide."""
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
