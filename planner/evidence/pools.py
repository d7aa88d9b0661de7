"""What the pool of a problem says: its class, and the accuracy of votes in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from executor.answers.voting import Vote, kept
from executor.strategy import BestOfN, Majority, ShortMOfK, Strategy
from planner.evidence.layout import BUDGETS, UNKNOWN
from profiling.arrays import Ints
from profiling.pass_rate import PassRate
from profiling.pools.class_part import ClassPart
from profiling.pools.drawn import part as part_of
from profiling.pools.replay import Pool, Rule, replay, replay_in_class
from profiling.pools.votes import Curve
from profiling.scorers.separation import rival_share

_ORDERS = 512  # orders per replayed pool; a row is a single problem, so replay noise would matter


@dataclass(frozen=True, slots=True)
class Rated:
    """What a pool says about its problem, for the live runs on it.

    Attributes:
        used: number of the first samples that gave the class.
        difficulty: class; `unknown` if the samples are too few.
        pass_at_1: pass@1; in a class, that of the samples that did not give the class.
        rival: rival share.
    """

    used: int
    difficulty: str
    pass_at_1: float
    rival: float

    @classmethod
    def of(cls, pool: Pool, *, replayable: bool) -> Rated:
        """Rate a pool.

        Args:
            pool: the samples of a problem.
            replayable: whether the pool is replayed too. If not, all of its samples give the class,
                because live runs share no sample with it.
        """
        rate, rival = PassRate(int(pool.correct.sum()), len(pool)), rival_share(pool)
        part = ClassPart.of(pool.correct)
        if part is None:
            return cls(0, UNKNOWN, rate.pass_at_1, rival)
        if not replayable or not part.largest:
            return cls(len(pool), rate.difficulty.value, rate.pass_at_1, rival)
        return cls(part.size, part.level.value, part.pass_rate(), rival)


UNRATED = Rated(0, UNKNOWN, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Replayed:
    """The replay of one strategy.

    Attributes:
        strategy: a vote among some samples.
        difficulty: class of the problem; `unknown` if it has none, or if its class part leaves
            fewer samples than the strategy draws. Such a row counts for all problems together.
        accuracy: expected accuracy in this class.
        all_accuracy: expected accuracy of draws from the whole pool.
        pass_at_1: pass@1 of the samples that the accuracy comes from.
    """

    strategy: Strategy
    difficulty: str
    accuracy: float
    all_accuracy: float
    pass_at_1: float


def replayed(pool: Pool, seed: int) -> Iterator[Replayed]:
    """Yield the replay of each vote at each budget up to the size of the pool.

    Args:
        pool: the samples of a problem.
        seed: seed of the orders of weighted votes.
    """
    budgets = _budgets(pool)
    curves = replay(pool, budgets, orders=_ORDERS, random_state=seed)
    part = ClassPart.of(pool.correct)
    if part is None:
        return _each(pool, curves, {}, UNKNOWN, math.nan)
    in_class = replay_in_class(pool, budgets, curves, part, orders=_ORDERS, random_state=seed)
    return _each(pool, curves, in_class, part.level.value, part.pass_rate())


def replayed_beside(pool: Pool, seed: int, rated: Rated, *, shared: bool) -> Iterator[Replayed]:
    """Yield the replay of a pool whose problem got its class from another pool.

    Samples that did not give the class say without bias how accurate votes are in it.

    Args:
        pool: the samples of a problem.
        seed: seed of the orders of weighted votes.
        rated: what the other pool says of the problem.
        shared: whether the pool may begin with the samples of the other pool. Those that gave the
            class are then not replayed in it.
    """
    curves = replay(pool, _budgets(pool), orders=_ORDERS, random_state=seed)
    in_class = curves
    if shared:
        fresh = part_of(pool, np.arange(rated.used, len(pool)))
        some = len(fresh) > 0
        in_class = replay(fresh, _budgets(fresh), orders=_ORDERS, random_state=seed) if some else {}
    if rated.difficulty == UNKNOWN:
        in_class = {}
    return _each(pool, curves, in_class, rated.difficulty, rated.pass_at_1)


def _budgets(pool: Pool) -> Ints:
    return np.array([n for n in BUDGETS if n <= len(pool)])


def _each(
    pool: Pool,
    curves: Mapping[Rule, Curve],
    in_class: Mapping[Rule, Curve],
    level: str,
    pass_at_1: float,
) -> Iterator[Replayed]:
    """Yield each vote at each budget; those without an accuracy in the class are of `unknown`."""
    for column, n in enumerate(_budgets(pool).tolist()):
        for rule, curve in curves.items():
            strategy = strategy_of_rule(rule, n)
            if strategy is None:
                continue
            whole = float(curve.accuracy[column])
            if rule in in_class and column < len(in_class[rule].accuracy):
                accuracy = float(in_class[rule].accuracy[column])
                yield Replayed(strategy, level, accuracy, whole, pass_at_1)
            else:
                yield Replayed(strategy, UNKNOWN, whole, whole, float(pool.correct.mean()))


def strategy_of_rule(rule: Rule, n: int) -> Strategy | None:
    """Return the strategy of a rule at budget n; None if there is none or another equals it."""
    if rule.first is not None:
        return ShortMOfK(n, rule.first) if n > rule.first else None
    if rule.vote is Vote.MAJORITY:
        return Majority(n)
    if rule.vote is None or rule.score is None or n == 1:
        return None
    if rule.keep < 1 and kept(n, rule.keep) in (1, n):
        return None  # the best sample alone is `max`, and all of them are the vote without a filter
    return BestOfN(n, rule.score, rule.vote, rule.keep, rule.power)
