"""Votes between responses: which answers are the same, and which response is chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

from executor.answers.account import grading_account
from executor.answers.grader import Grader


class Classes:
    """Classes of equivalent answers, filled one answer after another.

    A new string is compared only with the first member of each class. So c classes take at most
    (distinct strings) x c comparisons, and later answers never change the class of earlier ones.
    """

    def __init__(self, grader: Grader) -> None:
        self._grader = grader
        self._class_of: dict[str, int] = {}
        self._leaders: list[tuple[int, str]] = []

    def add(self, index: int, answer: str | None) -> int:
        """Add an answer to its class.

        Args:
            index: index of the answer; it increases from call to call.
            answer: the answer, or None.

        Returns:
            Index of the first member of the class, which may be its own; -1 for None.
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
    """Sort answers into classes of equivalent ones (`Classes`).

    All comparisons share the grading time of one question (`executor.answers.account`). Answers
    that are not compared because it is spent are different.

    Returns:
        For each answer the index in `answers` of its class's first member; -1 for None.
    """
    classes = Classes(grader)
    with grading_account():
        return [classes.add(index, answer) for index, answer in enumerate(answers)]


class Vote(StrEnum):
    """A rule that chooses one response among many."""

    MAJORITY = "majority"
    """Chooses the most frequent answer."""
    MAX = "max"
    """Chooses the response with the highest score."""
    WEIGHTED = "weighted"
    """Chooses the answer with the largest sum of scores."""


def vote(
    answers: Sequence[str | None],
    scores: Sequence[float] | None,
    method: Vote,
    grader: Grader,
) -> int:
    """Choose a response.

    `majority` and `weighted` choose a class of equivalent answers and keep the spelling of its
    first member. Of the responses with that spelling they return the one with the highest score,
    or the earliest of several. So responses after a settled vote cannot change the spelling. If
    classes have equal weight, the larger wins, then the earlier; `weighted` with equal scores is
    therefore `majority`. A response without an answer wins only if no response has one.

    Args:
        answers: answer of each response, None if it has none; shape `(n,)`, n at least 1.
        scores: score of each response, finite, and not negative for `weighted`; shape `(n,)`.
            `majority` needs none, and uses scores only within the winning class.
        method: rule of choice.
        grader: grader that decides which answers are equivalent.

    Returns:
        Index of the chosen response; 0 if no response has an answer.

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
