"""Votes between responses: which answers are the same, and which response is chosen."""

from __future__ import annotations

import bisect
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
    BORDA = "borda"
    """Chooses the answer with the largest sum of votes, of which a response has the more the
    higher its score ranks."""


SETTLED_EARLY = frozenset({Vote.MAJORITY, Vote.WEIGHTED})
"""Votes that further responses may be unable to change."""


def kept(n: int, share: float) -> int:
    """Return how many of n responses a share keeps: 1 + floor(share (n - 1)).

    So does the released code of DeepConf (facebookresearch/deepconf), which keeps those that reach
    the (1 - share) percentile, interpolated linearly. The paper does not say how it rounds.
    """
    return 1 + math.floor(share * (n - 1) + 1e-9)


def borda_votes(scores: Sequence[float], power: float) -> list[float]:
    """Return the Borda votes of responses: (n - r + 1)^p for the response of rank r.

    They are those of Kang, Zhao and Song (arXiv 2502.18581, Sec. 3.3): rank 1 has the highest
    score, p = 0 gives a majority, and a large p gives the vote to the best response. The paper does
    not say what becomes of equal scores, and the released code ranks them by their order. Here
    they share the votes of their places evenly.

    Args:
        scores: score of each response, shape `(n,)`.
        power: p, at least 0.
    """
    ranked = sorted(scores)
    of_place = [math.pow(place, power) for place in range(1, len(scores) + 1)]  # the worst first

    def votes(score: float) -> float:
        shared = of_place[bisect.bisect_left(ranked, score) : bisect.bisect_right(ranked, score)]
        return math.fsum(shared) / len(shared)

    return [votes(score) for score in scores]


def vote(
    answers: Sequence[str | None],
    scores: Sequence[float] | None,
    method: Vote,
    grader: Grader,
    *,
    keep: float = 1.0,
    power: float = 1.0,
) -> int:
    """Choose a response.

    All but `max` choose a class of equivalent answers and keep the spelling of its first member. Of
    the responses with that spelling they return the one with the highest score, or the earliest of
    several. So responses after a settled vote cannot change the spelling. If classes have equal
    weight, the larger wins, then the earlier; `weighted` with equal scores is therefore `majority`.
    A response without an answer wins only if no response has one.

    Args:
        answers: answer of each response, None if it has none; shape `(n,)`, n at least 1.
        scores: score of each response, finite, and not negative for `weighted`; shape `(n,)`.
            `majority` needs none unless `keep` is below 1, and uses them only within the winning
            class.
        method: rule of choice.
        grader: grader that decides which answers are equivalent.
        keep: share of the responses with an answer that vote, those with the highest scores
            (`kept`); all that have the lowest of these scores do. This is the filter of DeepConf
            (Fu et al., arXiv 2508.15260, Sec. 3.2).
        power: power of Borda votes. As in the code of their authors, responses without an answer
            have ranks too.

    Returns:
        Index of the chosen response; 0 if no response has an answer.

    Raises:
        ValueError: no responses, lengths that differ, or scores that are missing or unusable.
    """
    method = Vote(method)
    _check_scores(answers, scores, method, needed=method is not Vote.MAJORITY or keep < 1)
    candidates = [i for i, answer in enumerate(answers) if answer is not None]
    if not candidates:
        return 0
    values = scores if scores is not None else [0.0] * len(answers)
    if keep < 1:
        ranked = sorted((values[i] for i in candidates), reverse=True)
        least = ranked[kept(len(ranked), keep) - 1]
        answers = [one if values[i] >= least else None for i, one in enumerate(answers)]
    if method is not Vote.MAX:
        candidates = _winning_class(answers, _weights(values, method, power), grader)
    return max(candidates, key=lambda i: (values[i], -i))


def _weights(scores: Sequence[float], method: Vote, power: float) -> Sequence[float]:
    """Return the weight of each response in its class."""
    if method is Vote.BORDA:
        return borda_votes(scores, power)
    return scores if method is Vote.WEIGHTED else [0.0] * len(scores)


def _winning_class(
    answers: Sequence[str | None], weights: Sequence[float], grader: Grader
) -> list[int]:
    members: dict[int, list[int]] = {}
    for index, leader in enumerate(group(answers, grader)):
        if leader >= 0:
            members.setdefault(leader, []).append(index)

    def weight(leader: int) -> tuple[float, int, int]:
        indices = members[leader]
        # fsum: the order of the responses must not decide between equal sums.
        return math.fsum(weights[i] for i in indices), len(indices), -leader

    leader = max(members, key=weight)
    return [index for index in members[leader] if answers[index] == answers[leader]]


def _check_scores(
    answers: Sequence[str | None], scores: Sequence[float] | None, method: Vote, *, needed: bool
) -> None:
    if not answers:
        raise ValueError("a vote needs at least one response")
    if scores is None:
        if needed:
            raise ValueError(f"the vote {method.value!r} needs scores")
        return
    if len(scores) != len(answers):
        raise ValueError(f"{len(answers)} answers but {len(scores)} scores")
    for index, score in enumerate(scores):
        if not math.isfinite(score):
            raise ValueError(f"score {index} is {score}: scores must be finite")
        if score < 0 and method is Vote.WEIGHTED:
            raise ValueError(f"score {index} is {score}: a weighted vote needs scores of 0 or more")
