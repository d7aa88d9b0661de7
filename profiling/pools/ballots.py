"""The answers of a pool as votes see them, and which of k drawn samples can be where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from profiling.arrays import Bools, Floats, Ints

ROUNDING = 1e-12
"""Sums of the same scores in another order differ by rounding; that is no difference.

Relative, never absolute: products of many rewards are tiny."""


@dataclass(frozen=True, slots=True)
class Ballots:
    """The answers of a pool, as votes see them.

    Attributes:
        index: shape `(n,)`, the class of each sample's answer; the number of classes for a sample
            without an answer. Wrong classes come first.
        sizes: shape `(classes,)`, samples in each.
        right: shape `(classes,)`, whether it is the right answer.
    """

    index: Ints
    sizes: Ints
    right: Bools

    @classmethod
    def of(cls, answer_class: Ints, correct: Bools) -> Ballots:
        """Ballots of samples in classes of equal answers, -1 without one.

        An answer's correctness is that of its samples: equal answers are graded alike.
        """
        answered = answer_class >= 0
        found, members, sizes = np.unique(
            answer_class[answered], return_inverse=True, return_counts=True
        )
        right = np.bincount(members, correct[answered], minlength=len(found)) > 0
        order = np.argsort(right, kind="stable")
        index = np.full(len(answer_class), len(found))
        index[answered] = np.argsort(order)[members]
        return cls(index, sizes[order], right[order])

    @classmethod
    def by_worth(cls, answer_class: Ints, correct: Bools) -> list[tuple[float, Ballots]]:
        """Ballots whose right answers are those worth so much, for each worth above 0.

        An answer is worth the share of its samples that are right: 1 or 0, unless another program
        graded equal answers unlike. What a vote is worth is the sum of the worths, each times what
        the answers of that worth win. Where no answer is right, there is one without right ones.
        """
        answered = answer_class >= 0
        found, members = np.unique(answer_class[answered], return_inverse=True)
        right = np.bincount(members, correct[answered], minlength=len(found))
        worth = np.zeros(len(answer_class))
        worth[answered] = (right / np.bincount(members, minlength=len(found)))[members]
        values = np.unique(worth[worth > 0]).tolist() or [1.0]
        return [(value, cls.of(answer_class, worth == value)) for value in values]

    def __len__(self) -> int:
        return len(self.index)

    def settled(self, ks: Ints) -> Floats | None:
        """Accuracy of any vote where it is a matter of which samples have answers; else None."""
        if self.right.any() and not self.right.all():
            return None
        none = among(len(self), ks)[len(self) - self.sizes.sum()]
        return 1 - none if self.right.any() else np.zeros(len(ks))

    def won(self, weights: Floats, drawn: Floats) -> Floats:
        """The part of a weighted vote that right answers win, for each draw.

        Args:
            weights: shape `(n,)`.
            drawn: shape `(draws, n)`, 1 where a sample is drawn.

        Returns:
            Shape `(draws,)`: 0 or 1, or between where equally large classes of equal weight share.
        """
        member = (self.index[:, None] == np.arange(len(self.sizes))).astype(np.float64)
        sizes = drawn @ member
        votes = np.where(sizes > 0, drawn @ (member * weights[:, None]), -1.0)
        best = votes.max(axis=1, keepdims=True)
        heaviest = np.where((votes >= best * (1 - ROUNDING)) & (best >= 0), sizes, 0)
        winners = (heaviest > 0) & (heaviest == heaviest.max(axis=1, keepdims=True))
        shares = winners @ self.right.astype(np.float64)
        return np.asarray(shares / np.maximum(winners.sum(axis=1), 1))


def among(n: int, ks: Ints) -> Floats:
    """P(k samples drawn from n without replacement are all among given m) = C(m, k) / C(n, k).

    Returns:
        Shape `(n + 1, ks)`: m from 0 to n.

    Raises:
        ValueError: more samples than there are, or none.
    """
    for k in ks.tolist():
        if not 1 <= k <= n:
            raise ValueError(f"k is {k}: must be between 1 and the {n} samples there are")
    return _among(n, tuple(ks.tolist()))


@lru_cache(maxsize=8)
def _among(n: int, ks: tuple[int, ...]) -> Floats:
    chance = np.empty((n + 1, len(ks)))
    drawn = np.arange(max(ks))
    for m in range(n + 1):
        # One factor after another: no logarithms, hence no rounding beyond some eps.
        chance[m] = np.cumprod(np.maximum(m - drawn, 0) / (n - drawn))[np.array(ks) - 1]
    chance.flags.writeable = False
    return chance
