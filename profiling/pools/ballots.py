"""The answers of a pool as input of votes, and probabilities of draws without replacement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from profiling.arrays import Bools, Floats, Ints
from profiling.pools.class_part import ClassPart

ROUNDING = 1e-12
"""Relative tolerance at which two sums of scores count as equal.

Sums of the same scores in another order differ by rounding. An absolute tolerance would fail,
because products of many rewards are tiny."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """The answers of a pool, as input of votes.

    Attributes:
        index: class of each sample's answer, shape `(n,)`; the number of classes for a sample
            without an answer. Wrong classes come first.
        sizes: number of samples in each class, shape `(classes,)`.
        right: whether each class is a right answer, shape `(classes,)`.
    """

    index: Ints
    sizes: Ints
    right: Bools

    @classmethod
    def of(cls, answer_class: Ints, correct: Bools) -> Ballots:
        """Return the ballots of samples in classes of equal answers.

        Equal answers have equal grades; if they do not, one right sample makes the class right.

        Args:
            answer_class: class of each sample, -1 without an answer; shape `(n,)`.
            correct: whether each sample is right, shape `(n,)`.
        """
        answered = answer_class >= 0
        classes, members, sizes = np.unique(
            answer_class[answered], return_inverse=True, return_counts=True
        )
        right = np.bincount(members, correct[answered], minlength=len(classes)) > 0
        order = np.argsort(right, kind="stable")
        index = np.full(len(answer_class), len(classes))
        index[answered] = np.argsort(order)[members]
        return cls(index, sizes[order], right[order])

    @classmethod
    def by_worth(cls, answer_class: Ints, correct: Bools) -> list[tuple[float, Ballots]]:
        """Return pairs of a worth above 0 and the ballots whose right answers have this worth.

        The worth of an answer is the share of its samples that are right: 1 or 0, unless another
        program gave equal answers different grades. The accuracy of a vote is the sum over the
        pairs of the worth times the share that the right answers of the ballots win. If no answer
        is right, the list has a single pair, whose ballots have no right answer.
        """
        answered = answer_class >= 0
        classes, members = np.unique(answer_class[answered], return_inverse=True)
        right = np.bincount(members, correct[answered], minlength=len(classes))
        worth = np.zeros(len(answer_class))
        worth[answered] = (right / np.bincount(members, minlength=len(classes)))[members]
        values = np.unique(worth[worth > 0]).tolist() or [1.0]
        return [(value, cls.of(answer_class, worth == value)) for value in values]

    def __len__(self) -> int:
        return len(self.index)

    def settled(self, ks: Ints, part: ClassPart | None = None) -> Floats | None:
        """Return the accuracy of any vote, shape `(ks,)`, if the weights cannot change it.

        This is so if every answer is right or every answer is wrong; otherwise return None.

        Args:
            ks: sizes of the draws, shape `(ks,)`.
            part: class part of the pool; None: the draws are from the whole pool.
        """
        if self.right.any() and not self.right.all():
            return None
        if not self.right.any():
            return np.zeros(len(ks))
        if part is not None:
            return 1 - part.without(self.index < len(self.sizes), ks)
        return np.asarray(1 - among(len(self), ks)[len(self) - self.sizes.sum()])

    def won(self, weights: Floats, drawn: Floats) -> Floats:
        """Return the share of a weighted vote that right answers win, for each draw.

        Args:
            weights: weight of each sample, shape `(n,)`.
            drawn: 1 for each drawn sample, else 0; shape `(draws, n)`.

        Returns:
            Shape `(draws,)`: 0 or 1, or a value between if classes of equal weight and size tie.
        """
        member = self._members()
        return self._shares(drawn @ (member * weights[:, None]), drawn @ member)

    def won_by(self, weights: Floats, drawn: Floats) -> Floats:
        """Return the share of a vote whose weights depend on the draw; see `won`.

        Args:
            weights: weight of each sample in each draw, shape `(draws, n)`.
            drawn: 1 for each drawn sample that votes, else 0; shape `(draws, n)`.
        """
        member = self._members()
        return self._shares((drawn * weights) @ member, drawn @ member)

    def _members(self) -> Floats:
        return np.asarray(self.index[:, None] == np.arange(len(self.sizes)), dtype=np.float64)

    def _shares(self, votes: Floats, sizes: Floats) -> Floats:
        """Return the share that right answers win, from the weight and size of each class."""
        votes = np.where(sizes > 0, votes, -1.0)
        best = votes.max(axis=1, keepdims=True)
        heaviest = np.where((votes >= best * (1 - ROUNDING)) & (best >= 0), sizes, 0)
        winners = (heaviest > 0) & (heaviest == heaviest.max(axis=1, keepdims=True))
        shares = winners @ self.right.astype(np.float64)
        return np.asarray(shares / np.maximum(winners.sum(axis=1), 1))


def among(n: int, ks: Ints) -> Floats:
    """Return P(all of k samples, drawn from n without replacement, are among m given ones).

    It is C(m, k) / C(n, k).

    Args:
        n: number of samples.
        ks: sizes of the draws, shape `(ks,)`.

    Returns:
        Shape `(n + 1, ks)`; row m is for m given samples, m = 0 ... n.

    Raises:
        ValueError: a k is below 1 or above n.
    """
    for k in ks.tolist():
        if not 1 <= k <= n:
            raise ValueError(f"k is {k}; expected 1 to {n}, the number of samples")
    return _among(n, tuple(ks.tolist()))


@lru_cache(maxsize=8)
def _among(n: int, ks: tuple[int, ...]) -> Floats:
    chance = np.empty((n + 1, len(ks)))
    drawn = np.arange(max(ks))
    for m in range(n + 1):
        # A product of factors, not of logarithms, keeps the rounding error at a few eps.
        chance[m] = np.cumprod(np.maximum(m - drawn, 0) / (n - drawn))[np.array(ks) - 1]
    chance.flags.writeable = False
    return chance
