"""What an import came to: accuracies with intervals, reward statistics, who graded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.special import betaincinv

from executor.outcome import Outcome
from executor.strategy import Score, to_dict
from profiling.importers.runs import Family
from profiling.pass_rate import PassRate
from profiling.profiles.profiler import ProblemProfile, profile_rewards
from profiling.scorers.rewards import Estimate

SCORES = (Score.MIN, Score.LAST)
_PRIOR = 0.5


def summary(family: Family) -> dict[str, Any]:
    """The record `apportion import --json` prints of a family.

    `records` are samples of pools, or outcomes of a strategy. `majority` is a vote over all samples
    of each problem. `rewards` are the statistics of `profiling.scorers.rewards`, by score, of
    samples that a PRM scored.
    """
    by_problem = [_correct(found) for found in family.outcomes.values()]
    accuracy = clustered_share(by_problem)
    return {
        "policy": family.policy,
        "prm": family.prm,
        "benchmark": family.benchmark or None,
        "strategy": None if family.strategy is None else to_dict(family.strategy),
        "records": sum(map(len, by_problem)),
        "problems": len(by_problem),
        "accuracy": accuracy.value,
        "interval": [accuracy.low, accuracy.high],
        "majority": _majority(family),
        "rewards": _rewards(family),
        "grading": asdict(family.grading),
        "unknown": sorted({n for o in family.outcomes.values() for one in o for n in one.unknown}),
    }


def clustered_share(by_problem: Sequence[Sequence[bool]], level: float = 0.95) -> Estimate:
    """Share of right records, where those of one problem are alike.

    Jeffreys' interval at the effective sample size of Korn and Graubard (1998): the number of
    records over the design effect, which is the variance between problems over that of as many
    independent records, and at least 1. Where all are right or all wrong, a problem counts once.

    Args:
        by_problem: for every problem, whether each of its records is right.
        level: of the interval.
    """
    sizes = np.array([len(found) for found in by_problem], dtype=float)
    right = np.array([sum(found) for found in by_problem], dtype=float)
    records, problems = float(sizes.sum()), len(by_problem)
    share = float(right.sum() / records)
    effective = float(problems)
    if 0 < share < 1 and problems > 1:
        between = float(((right - share * sizes) ** 2).sum()) / records**2
        between *= problems / (problems - 1)
        effective = records / max(1.0, between / (share * (1 - share) / records))
    a, b = share * effective + _PRIOR, (1 - share) * effective + _PRIOR
    tail = (1 - level) / 2
    low = 0.0 if share == 0 else float(betaincinv(a, b, tail))
    high = 1.0 if math.isclose(share, 1) else float(betaincinv(a, b, 1 - tail))
    return Estimate(share, low, high)


def _correct(found: Sequence[Outcome]) -> list[bool]:
    return [bool(sample.correct) for outcome in found for sample in outcome.samples]


def _majority(family: Family) -> dict[str, Any] | None:
    """Accuracy of a majority vote over all samples of each problem; None if there is no vote.

    `n` is the smallest and the largest number of samples of a problem.
    """
    pools = [outcome for found in family.outcomes.values() for outcome in found]
    answered = any(sample.answer is not None for pool in pools for sample in pool.samples)
    sizes = [len(pool.samples) for pool in pools]
    if family.strategy is not None or not answered or max(sizes) < 2:
        return None
    share = clustered_share([[bool(pool.correct)] for pool in pools])
    return {
        "n": [min(sizes), max(sizes)],
        "accuracy": share.value,
        "interval": [share.low, share.high],
    }


def _rewards(family: Family) -> dict[str, Any] | None:
    """Reward statistics of pools, by score."""
    if family.strategy is not None or family.prm is None:
        return None
    profiles = [
        ProblemProfile(outcome, PassRate(sum(_correct([outcome])), len(outcome.samples)))
        for found in family.outcomes.values()
        for outcome in found
    ]
    statistics = {score.value: profile_rewards(profiles, score=score) for score in SCORES}
    return {score: found.to_dict() for score, found in statistics.items() if found is not None}
