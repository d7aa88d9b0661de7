"""The accuracy surface: replayed accuracies of many problems, for each difficulty, rule and k.

Two errors stand beside each accuracy and are kept apart. The standard error over problems is what
other problems, and other samples of them, would change; the subsampling error is what more random
orders of the same samples would, and is 0 where a rule is replayed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from profiling.arrays import Floats, Ints
from profiling.pass_rate import ALL, MIN_SAMPLES, Difficulty, PassRate
from profiling.pools.replay import ORDERS, Pool, Rule, replay, seed_of
from profiling.pools.votes import Curve


@dataclass(frozen=True, slots=True)
class ProblemPool:
    """The pool of one problem.

    Attributes:
        problem: its uid (`executor.problem.problem_uid`).
        pool: its samples.
        generated_tokens, prm_tokens: what drawing all of them generated, and what scoring them
            forwarded; NaN where it is not known.
    """

    problem: str
    pool: Pool
    generated_tokens: float
    prm_tokens: float = math.nan

    @property
    def difficulty(self) -> Difficulty | None:
        """By the pass@1 of the whole pool; None where it has too few samples to say."""
        if len(self.pool) < MIN_SAMPLES:
            return None
        return PassRate(int(self.pool.correct.sum()), len(self.pool)).difficulty


@dataclass(frozen=True, slots=True)
class Point:
    """One difficulty, rule and k.

    Attributes:
        difficulty: or `all`.
        rule: how one of k samples is chosen.
        k: samples drawn.
        problems: that the means are over.
        accuracy: expected.
        standard_error: over problems, without what subsampling adds; NaN for one problem.
        subsampling_error: of the draws.
        generated_tokens, prm_tokens: expected, a problem; NaN where it is not known.
    """

    difficulty: str
    rule: Rule
    k: int
    problems: int
    accuracy: float
    standard_error: float
    subsampling_error: float
    generated_tokens: float
    prm_tokens: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: `rule` is `pass`, or a `vote` and its `score`."""
        plain = asdict(self)
        vote, score = self.rule.vote, self.rule.score
        plain["rule"] = {
            "name": str(self.rule),
            "vote": None if vote is None else vote.value,
            "score": None if score is None else score.value,
        }
        return plain


class Surface:
    """Adds problems up, one after another; what it holds does not grow with them.

    Args:
        ks: shape `(ks,)`; every pool must have at least the largest.
        orders: random orders of each pool.
    """

    def __init__(self, ks: Ints, orders: int = ORDERS) -> None:
        self.ks = ks
        self._orders = orders
        self._sums: dict[tuple[str, Rule], _Sums] = {}

    def add(self, one: ProblemPool) -> None:
        """Replay a problem's pool and count it.

        Raises:
            ValueError: a k is larger than the pool.
        """
        seed = seed_of(one.problem)
        curves = replay(one.pool, self.ks, orders=self._orders, random_state=seed)
        generated = one.generated_tokens * self.ks / len(one.pool)
        scoring = one.prm_tokens * one.pool.scored_share(self.ks)
        levels = [ALL] if one.difficulty is None else [one.difficulty.value, ALL]
        for rule, curve in curves.items():
            scored = np.zeros(len(self.ks)) if rule.score is None else scoring
            for level in levels:
                sums = self._sums.setdefault((level, rule), _Sums(len(self.ks)))
                sums.add(curve, generated, scored)

    def points(self) -> Iterator[Point]:
        """The surface: difficulties from easy to hard, then all; rules; k as it was given."""
        levels = (*(level.value for level in Difficulty), ALL)
        for level in levels:
            for (of, rule), sums in self._sums.items():
                if of == level:
                    for index, k in enumerate(self.ks.tolist()):
                        yield Point(level, rule, k, *sums.at(index))


class _Sums:
    """Sums over problems of one difficulty and rule, arrays of shape `(ks,)`."""

    def __init__(self, ks: int) -> None:
        self.problems = 0
        self._accuracy, self._squares, self._noise, self._generated, self._scored = np.zeros(
            (5, ks)
        )

    def add(self, curve: Curve, generated: Floats, scored: Floats) -> None:
        self.problems += 1
        self._accuracy += curve.accuracy
        self._squares += curve.accuracy**2
        self._noise += curve.variance
        self._generated += generated
        self._scored += scored

    def at(self, index: int) -> tuple[int, float, float, float, float, float]:
        """Problems, accuracy, both errors, and tokens."""
        n = self.problems
        accuracy, noise = self._accuracy[index] / n, self._noise[index] / n
        error = math.nan
        if n > 1:
            spread = (self._squares[index] - n * accuracy**2) / (n - 1)
            error = math.sqrt(max(spread - noise, 0.0) / n)
        tokens = float(self._generated[index] / n), float(self._scored[index] / n)
        return n, float(accuracy), error, math.sqrt(noise / n), *tokens
