"""The grid of samples and thoughts: profiles of one policy at several thinking budgets, compared.

More samples (N) and longer thoughts (B) are two ways to spend tokens. Each profile is replayed as a
majority vote of every N, so that all points of the grid come from one pool a budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from executor.answers.grader import Grader
from executor.answers.voting import Vote
from executor.errors import InputError
from executor.problem import problem_uid
from executor.thinking.budget import Thinking, check_room
from planner.choice.pareto import pareto_front
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases import DEFAULT_STORE
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for
from planner.usecases.profile import Profile, profile
from profiling.pass_rate import ALL
from profiling.pools.replay import Pool
from profiling.pools.surface import ProblemPool, Surface


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One point of the grid.

    Attributes:
        thinking: how long thoughts may be: a number of tokens, or `free`.
        n: number of samples that vote.
        problems: number of problems that the means are over.
        accuracy: expected accuracy of the majority.
        standard_error: standard error over problems; NaN for one problem.
        generated_tokens: expected tokens a problem, thoughts included.
        on_front: whether no other point is at least as accurate at no more tokens.
    """

    thinking: int | str
    n: int
    problems: int
    accuracy: float
    standard_error: float
    generated_tokens: float
    on_front: bool

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        error = None if math.isnan(self.standard_error) else self.standard_error
        return {
            "thinking": self.thinking,
            "strategy": {"name": "majority", "n": self.n},
            "problems": self.problems,
            "accuracy": self.accuracy,
            "standard_error": error,
            "generated_tokens": self.generated_tokens,
            "on_front": self.on_front,
        }


@dataclass(frozen=True, slots=True)
class ThinkingGrid:
    """Profiles of one policy at several thinking budgets.

    Attributes:
        profiles: a profile for each budget, in the order of the budgets.
        points: the grid, by budget and N; empty if profiles stopped early, or have no samples.
    """

    profiles: tuple[Profile, ...]
    points: tuple[GridPoint, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "profiles": [one.to_dict() for one in self.profiles],
            "grid": [point.to_dict() for point in self.points],
        }


def profile_budgets(
    problems: Problems,
    budgets: Sequence[Thinking],
    *,
    policy: str,
    prm: str | None = None,
    max_samples: int = 16,
    confidence: float | None = None,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    reporter: Reporter = SilentReporter(),
) -> ThinkingGrid:
    """Profile a policy at several thinking budgets; the models are loaded once.

    Args:
        problems: a file of problems, several files, or the problems themselves, with answers.
        budgets: thinking budgets.
        policy, prm, max_samples, confidence, store, reporter: see `profile`.
        settings: of sampling, engines, servers and cluster; the budgets replace their thinking.

    Raises:
        InputError: as `profile`; or a budget is given twice, or leaves no room for an answer.
        EngineError: an engine was lost; the same call goes on from what is stored.
    """
    if len(set(budgets)) < len(budgets):
        raise InputError("--thinking: a budget is given twice; expected each once")
    settings = settings or SessionSettings()
    for budget in budgets:
        check_room(budget, settings.sampling.max_tokens)
    found = read_problems(problems, remark=reporter.say)
    settings = settings_for(found, settings, None)
    first = replace(settings.sampling, thinking=budgets[0])
    settings = replace(settings, sampling=first)
    with open_session(None, store, settings, reporter, policy=policy, prm=prm) as opened:
        profiles = tuple(
            profile(
                found,
                policy=policy,
                prm=prm,
                max_samples=max_samples,
                confidence=confidence,
                sampling=replace(settings.sampling, thinking=budget),
                session=opened,
                reporter=reporter,
            )
            for budget in budgets
        )
        return ThinkingGrid(profiles, tuple(grid_of(profiles, opened.grader)))


def grid_of(profiles: Sequence[Profile], grader: Grader) -> list[GridPoint]:
    """Return the grid of profiles: the majority of every power of two, by replay.

    Only problems that all profiles have samples of count. If pools differ in size, because sampling
    stopped early, there is no grid.

    Args:
        profiles: profiles of one policy at several thinking budgets.
        grader: decides which answers are equal.
    """
    pools = [_pools(one, grader) for one in profiles]
    shared = sorted(set[str]().union(*pools).intersection(*pools)) if pools else []
    sizes = {len(pool[uid].pool) for pool in pools for uid in shared}
    if len(sizes) != 1:
        return []
    ks = np.array([2**power for power in range(63) if 2**power <= min(sizes)])
    points = []
    for one, pool in zip(profiles, pools, strict=True):
        surface = Surface(ks)
        for uid in shared:
            surface.add(pool[uid])
        points += [
            GridPoint(
                "free" if one.thinking is None else one.thinking, point.k, point.problems,
                point.accuracy, point.standard_error, point.generated_tokens, False,
            )
            for point in surface.points()
            if point.difficulty == ALL
            and point.rule.vote is Vote.MAJORITY
            and point.rule.first is None
        ]  # fmt: skip
    # Expectations that are equal differ in their last bits.
    accuracies = [round(one.accuracy, 9) for one in points]
    front = pareto_front([one.generated_tokens for one in points], accuracies)
    return [replace(one, on_front=place in front) for place, one in enumerate(points)]


def _pools(found: Profile, grader: Grader) -> dict[str, ProblemPool]:
    """Return the pool of each problem, by uid."""
    pools = {}
    for one in found.problems:
        outcome = one.outcome
        uid = problem_uid(outcome.problem)
        pool = Pool.of(outcome.samples, grader)
        pools[uid] = ProblemPool(uid, pool, float(outcome.ledger.generated))
    return pools
