"""Final answers: found in a response, compared with each other, and chosen between by vote."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from executor.answers.extraction import LONGEST_ANSWER, find_answer, read, symbolic
from executor.answers.killable import KillableWorker

_CLOCK = re.compile(r"\d\s*:\s*\d|\d\s*[ap]\.?m\b", re.IGNORECASE)
_BASED = re.compile(r"\w+_\{?\d+\}?")


class Grader(Protocol):
    """What a domain has to know of its answers; every method may be called from any thread."""

    def extract(self, response: str) -> str | None:
        """The final answer of a response, or None where it has none."""
        ...

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers mean the same; reflexive and symmetric."""
        ...

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether an answer is right; None never is."""
        ...


class MathGrader:
    r"""Mathematical answers, compared as strings, as exact numbers and then by math-verify.

    Plain numbers and words are settled in this process (see `answer_text`). Other expressions go
    to one child process that is killed at the deadline; the pair then counts as not equivalent.
    So does a pair on which the child crashes twice. Results are cached, those of a time-out too.

    Conventions: 50% is 50, as in the benchmarks' own graders, and not 0.5; currency signs and
    units are dropped; a decimal of five places or more equals what rounds to it; words are
    compared without regard to case.

    Args:
        deadline: seconds for one comparison, without the start of the child.
        cache_size: pairs whose result is kept.

    Raises:
        ValueError: `deadline` is not a positive number.
    """

    def __init__(self, deadline: float = 5.0, cache_size: int = 65536) -> None:
        if not (math.isfinite(deadline) and deadline > 0):
            raise ValueError(f"deadline is {deadline}: it must be a positive number of seconds")
        self.deadline = deadline
        self._worker = KillableWorker(Path(__file__).with_name("worker.py"))
        self._ask = lru_cache(maxsize=cache_size)(self._ask_worker)

    @property
    def timeouts(self) -> int:
        """Comparisons given up so far, because of the deadline or crashes of the child."""
        return self._worker.lost

    @property
    def worker_pid(self) -> int | None:
        """Process id of the child, or None while none was needed."""
        return self._worker.pid

    def extract(self, response: str) -> str | None:
        r"""The last `\boxed{}`, else what "the answer is" or `####` states, else the last number.

        None where there is none of these. Never raises, and never needs the child.
        """
        return find_answer(response)

    def equivalent(self, a: str, b: str) -> bool:
        """Whether two answers mean the same; reflexive and symmetric, not always transitive.

        Raises:
            WorkerError: the child process was needed and does not start.
        """
        first, second = sorted((a, b))
        settled = _settle(first, second)
        return self._ask(first, second, True) if settled is None else settled

    def correct(self, answer: str | None, reference: str) -> bool:
        """Whether `answer` is right by the reference, in math-verify's direction for references.

        Raises:
            WorkerError: the child process was needed and does not start.
        """
        if answer is None:
            return False
        settled = _settle(reference, answer)
        return self._ask(reference, answer, False) if settled is None else settled

    def close(self) -> None:
        """Ends the child process; a later comparison starts a new one."""
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
    """Whether two answers are equal as far as plain string work can tell; None: it cannot."""
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
    # math-verify drops the base of 52_8: good for an answer that leaves it out, not for 52_9.
    if _BASED.fullmatch(left.canonical) and _BASED.fullmatch(right.canonical):
        return False
    return False if max(len(a), len(b)) > LONGEST_ANSWER else None


class Classes:
    """Sorts answers into classes of equivalent ones, one after another.

    Each new string is compared with the first member of each class only, so that n answers in c
    classes take at most (distinct strings) x c comparisons, and what comes later never changes
    where an answer went.
    """

    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._class_of: dict[str, int] = {}
        self._leaders: list[tuple[int, str]] = []

    def add(self, index: int, answer: str | None) -> int:
        """The index of the first member of the answer's class, which may be its own; -1 for None.

        Args:
            index: of the answer; increasing from call to call.
            answer: the answer.
        """
        if answer is None:
            return -1
        if answer not in self._class_of:
            same = (i for i, first in self._leaders if self._grader.equivalent(first, answer))
            self._class_of[answer] = next(same, index)
            if self._class_of[answer] == index:
                self._leaders.append((index, answer))
        return self._class_of[answer]


def group(answers: Sequence[str | None], grader: Grader) -> list[int]:
    """Sorts answers into classes of equivalent ones (`Classes`).

    Returns:
        One number an answer: the index in `answers` of its class's first member; -1 for None.
    """
    classes = Classes(grader)
    return [classes.add(index, answer) for index, answer in enumerate(answers)]


class Vote(StrEnum):
    """How one response is chosen among many."""

    MAJORITY = "majority"
    """The answer given most often."""
    MAX = "max"
    """The response with the highest score."""
    WEIGHTED = "weighted"
    """The answer whose responses' scores add up to most."""


def vote(
    answers: Sequence[str | None],
    scores: Sequence[float] | None,
    method: Vote,
    grader: Grader,
) -> int:
    """Chooses a response.

    For `majority` and `weighted` the answer is the winning class's, spelt as its first member
    spells it; the response returned is the highest scored one that does, ties to the earliest. So
    what comes after a vote is settled cannot change the answer's spelling either. Between classes
    of equal weight the larger wins, then the one seen first, so `weighted` with equal scores is
    `majority`. A response without an answer wins only where none has one.

    Args:
        answers: one a response, None where it has none; at least one.
        scores: one a response, finite, and for `weighted` not negative; None (or any scores, used
            within the winning class only) for `majority`.
        method: how to choose.
        grader: decides which answers are the same.

    Returns:
        Index of the chosen response; 0 where no response has an answer.

    Raises:
        ValueError: no responses, lengths that differ, or scores that are missing or unusable.
    """
    method = Vote(method)
    _check_scores(answers, scores, method)
    candidates = [i for i, answer in enumerate(answers) if answer is not None]
    if not candidates:
        return 0
    values = scores if scores is not None else [0.0] * len(answers)
    if method is not Vote.MAX:
        candidates = _winning_class(answers, values, method, grader)
    return max(candidates, key=lambda i: (values[i], -i))


def _winning_class(
    answers: Sequence[str | None], scores: Sequence[float], method: Vote, grader: Grader
) -> list[int]:
    members: dict[int, list[int]] = {}
    for index, leader in enumerate(group(answers, grader)):
        if leader >= 0:
            members.setdefault(leader, []).append(index)

    def weight(leader: int) -> tuple[float, int, int]:
        indices = members[leader]
        # fsum: the order of the responses must not decide between equal sums.
        total = math.fsum(scores[i] for i in indices) if method is Vote.WEIGHTED else 0.0
        return total, len(indices), -leader

    leader = max(members, key=weight)
    return [index for index in members[leader] if answers[index] == answers[leader]]


def _check_scores(
    answers: Sequence[str | None], scores: Sequence[float] | None, method: Vote
) -> None:
    if not answers:
        raise ValueError("a vote needs at least one response")
    if scores is None:
        if method is not Vote.MAJORITY:
            raise ValueError(f"the vote {method.value!r} needs scores")
        return
    if len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers but {len(scores)} scores")
    for index, score in enumerate(scores):
        if not math.isfinite(score):
            raise ValueError(f"score {index} is {score}: scores must be finite")
        if score < 0 and method is Vote.WEIGHTED:
            raise ValueError(f"score {index} is {score}: a weighted vote needs scores of 0 or more")
