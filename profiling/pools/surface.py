"""The accuracy surface: replayed accuracies of many problems, for each difficulty, rule and k.

Each accuracy has two separate errors. The standard error over problems measures the variation due
to the choice of problems and of their samples. The subsampling error measures the variation due to
the random orders of the same samples; it is 0 if the replay of a rule is exact.

The accuracies of a difficulty come from other samples than the difficulty does
(`profiling.pools.class_part`); those of `all` come from whole pools.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from executor.answers.voting import Vote
from profiling.arrays import Floats, Ints
from profiling.pass_rate import ALL, Difficulty
from profiling.pools.class_part import ClassPart
from profiling.pools.first_finished import tokens_until
from profiling.pools.replay import ORDERS, Pool, Rule, replay, replay_in_class, seed_of
from profiling.pools.votes import Curve


@dataclass(frozen=True, slots=True)
class ProblemPool:
    """The pool of one problem.

    Attributes:
        problem: uid of the problem (`executor.problem.problem_uid`).
        pool: samples of the problem.
        generated_tokens: tokens that the policy generated for all samples; NaN if unknown.
        prm_tokens: tokens that the PRM forwarded to score all samples; NaN if unknown.
    """

    problem: str
    pool: Pool
    generated_tokens: float
    prm_tokens: float = math.nan

    @property
    def class_part(self) -> ClassPart | None:
        """The samples that give the difficulty; None if the pool has fewer than `MIN_SAMPLES`."""
        return ClassPart.of(self.pool.correct)


@dataclass(frozen=True, slots=True)
class Point:
    """Point of the surface: one difficulty, rule and k.

    Attributes:
        difficulty: name of the difficulty, or `all`.
        rule: rule that chooses one of k samples.
        k: number of samples drawn.
        problems: number of problems that the means are over.
        accuracy: expected accuracy.
        standard_error: standard error over problems, without the subsampling error; NaN for one
            problem.
        subsampling_error: standard error due to the random orders.
        generated_tokens, prm_tokens: expected tokens per problem; NaN if unknown.
        executions: expected number of programs that are run per problem, to vote or to score.
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
    executions: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; `rule` has its `name`, `vote`, `score` and `first`.

        It has its `keep` too if not all samples vote, and the `power` of Borda votes.
        """
        plain = asdict(self)
        vote, score = self.rule.vote, self.rule.score
        plain["rule"] = {
            "name": str(self.rule),
            "vote": None if vote is None else vote.value,
            "score": None if score is None else score.value,
            "first": self.rule.first,
        }
        if self.rule.keep < 1:
            plain["rule"]["keep"] = self.rule.keep
        if vote is Vote.BORDA:
            plain["rule"]["power"] = self.rule.power
        return plain


class Surface:
    """Accumulator of replayed accuracies; its memory does not grow with the number of problems.

    Args:
        ks: sizes of the draws in rising order, shape `(ks,)`; each pool must have at least max(ks)
            samples. In a difficulty, a draw is never larger than the rest of any pool, because the
            samples of the class part are not drawn.
        orders: number of random orders of each pool.
    """

    def __init__(self, ks: Ints, orders: int = ORDERS) -> None:
        self.ks = ks
        self._orders = orders
        self._sums: dict[tuple[str, Rule], _Sums] = {}

    def add(self, one: ProblemPool) -> None:
        """Replay the pool of a problem and add it to the sums.

        Raises:
            ValueError: a k is larger than the pool.
        """
        seed = seed_of(one.problem)
        curves = replay(one.pool, self.ks, orders=self._orders, random_state=seed)
        generated = {rule: self._generated(one, rule) for rule in curves}
        scoring = one.prm_tokens * one.pool.scored_share(self.ks)
        ran = one.pool.executions(self.ks)
        self._count(ALL, curves, generated, scoring, ran)
        part = one.class_part
        if part is not None and part.largest > 0:
            curves = replay_in_class(
                one.pool, self.ks, curves, part, orders=self._orders, random_state=seed
            )
            self._count(part.level.value, curves, generated, scoring, ran)

    def _generated(self, one: ProblemPool, rule: Rule) -> Floats:
        if rule.first is None:
            return np.asarray(one.generated_tokens * self.ks / len(one.pool))
        tokens = np.full(len(self.ks), math.nan)
        enough = self.ks >= rule.first
        tokens[enough] = tokens_until(one.pool.tokens, rule.first, self.ks[enough])[0]
        return tokens

    def _count(
        self,
        level: str,
        curves: dict[Rule, Curve],
        generated: dict[Rule, Floats],
        scoring: Floats,
        ran: Floats,
    ) -> None:
        nothing = np.zeros(len(self.ks))
        for rule, curve in curves.items():
            scored = nothing if rule.score is None else scoring
            sums = self._sums.setdefault((level, rule), _Sums(len(self.ks)))
            sums.add(curve, generated[rule], scored, nothing if rule.vote is None else ran)

    def points(self) -> Iterator[Point]:
        """Yield the points by difficulty (easy to hard, then all), rule, and k as in `ks`.

        A k is left out if some pools of the difficulty could not be replayed at it, so that the
        problems that count do not change with k. So is one below the number of voters of a rule.
        """
        levels = (*(level.value for level in Difficulty), ALL)
        for level in levels:
            own = {rule: sums for (of, rule), sums in self._sums.items() if of == level}
            most = max((sums.problems.max() for sums in own.values()), default=0)
            for rule, sums in own.items():
                for index in np.flatnonzero((sums.problems == most) & (most > 0)).tolist():
                    yield Point(level, rule, int(self.ks[index]), *sums.at(index))


class _Sums:
    """Sums over problems of one difficulty and rule, arrays of shape `(ks,)`."""

    def __init__(self, ks: int) -> None:
        self.problems = np.zeros(ks, dtype=np.int64)
        self._accuracy, self._squares, self._noise = np.zeros((3, ks))
        self._generated, self._scored, self._ran = np.zeros((3, ks))

    def add(self, curve: Curve, generated: Floats, scored: Floats, ran: Floats) -> None:
        first = slice(len(curve.accuracy))  # a class part may leave too few samples for the rest
        self.problems[first] += ~np.isnan(curve.accuracy)
        self._accuracy[first] += curve.accuracy
        self._squares[first] += curve.accuracy**2
        self._noise[first] += curve.variance
        self._generated += generated
        self._scored += scored
        self._ran += ran

    def at(self, index: int) -> tuple[int, float, float, float, float, float, float]:
        """Return number of problems, accuracy, both errors, and what each problem costs."""
        n = int(self.problems[index])
        accuracy, noise = self._accuracy[index] / n, self._noise[index] / n
        error = math.nan
        if n > 1:
            spread = (self._squares[index] - n * accuracy**2) / (n - 1)
            error = math.sqrt(max(spread - noise, 0.0) / n)
        tokens = float(self._generated[index] / n), float(self._scored[index] / n)
        ran = float(self._ran[index] / n)
        return n, float(accuracy), error, math.sqrt(noise / n), *tokens, ran
