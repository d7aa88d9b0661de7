"""Votes between responses: which answers are the same, and which response is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from executor.answers.grader import Grader


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
