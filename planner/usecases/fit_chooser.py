"""Fit a plan's chooser: its few options, their outcomes on the profile, and whether it pays.

The options are one kind of vote, at every budget from the probes on; the best search of each
budget, if it is surely better than that vote; and a greedy response. Dozens would differ by luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from executor.answers.grader import Grader
from executor.strategy import BestOfN, Greedy, Majority, Score, Strategy, key
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.probe_cost import Probing, uses_probes
from planner.choice.rules import INDIFFERENCE
from planner.costs.cost import Rates
from planner.evidence.cells import rows_of
from planner.plans.chooser import Chooser
from planner.plans.chooser_fitting import Choices, fit, folds, judge
from planner.plans.routing_value import RoutingComparison, RoutingExpectation
from profiling.arrays import Bools, Floats
from profiling.difficulty.probes import Probes, features
from profiling.pass_rate import ALL
from profiling.pools.drawn import part, voted
from profiling.pools.replay import Pool
from profiling.profiles.profiler import ProblemProfile

LEAST_PROBLEMS = 24
"""With fewer problems there is no chooser."""
_DRAWS = 6
MOST_LOSS = 0.02  # of accuracy, that a cheaper router may lose by one standard error
_SURE = 2.0  # standard errors by which a search must be better than a vote to be an option


@dataclass(frozen=True, slots=True)
class Question:
    """A profiled question.

    Attributes:
        profile: its samples, with their grades.
        probes: the samples as the router sees them.
        pool: the samples as votes are replayed from them.
    """

    profile: ProblemProfile
    probes: Probes
    pool: Pool


def questions_of(
    profiles: Mapping[str, ProblemProfile], grader: Grader, *, scored: bool
) -> dict[str, Question]:
    """Return profiled questions ready for replay, by problem.

    Args:
        profiles: by problem, as evidence has them.
        grader: tells which answers are equal.
        scored: whether a PRM scored the samples.
    """
    found = {}
    for problem, one in profiles.items():
        pool = Pool.of(one.outcome.samples, grader, rules=tuple(Score) if scored else ())
        found[problem] = Question(one, Probes.of_profile(one, grader), pool)
    return found


def fit_chooser(
    rows: pd.DataFrame,
    estimates: Sequence[StrategyEstimate],
    single: StrategyEstimate,
    constraint: Constraint,
    probing: Probing,
    questions: Mapping[str, Question],
    rates: Rates,
) -> tuple[Chooser, RoutingComparison] | None:
    """Fit a chooser, and compare routing by it with one strategy for all.

    Both are judged on the profile's problems, the chooser by cross-fitting, which selects its
    options without the judged problems too. The plan routes unless the evidence is against it:
    routing must be either cheaper, and not surely (by a standard error) more than half a point less
    accurate, or half a point more accurate. The single strategy was chosen on these problems, which
    flatters it.

    Args:
        rows: evidence of the policy and PRM.
        estimates: of every strategy, for problems of all difficulties, without probes.
        single: the one strategy for all.
        constraint: limits of every option; it must have no target.
        probing: the probes.
        questions: the profile, by problem.
        rates: prices of tokens.

    Returns:
        The chooser and the comparison, which says whether to route; None if there are too few
        problems on which all options were run, or too few options.
    """
    unit = cost_unit(list(estimates))
    price = single.price(unit)
    known = rows_of(rows[rows["problem"].isin(questions.keys())], ALL)
    wide = known.pivot_table(index="problem", columns="strategy", values="accuracy")
    wide = wide.dropna(axis="columns")
    ready = [p for p in wide.index if len(questions[p].pool) >= probing.probes]
    wide = wide.loc[ready]
    if len(wide) < LEAST_PROBLEMS or key(single.strategy) not in wide:
        return None
    measured = [one for one in estimates if key(one.strategy) in wide]

    def select(seen: Bools) -> tuple[Strategy, ...]:
        return tuple(one.strategy for one in _options(measured, wide[seen], probing))

    whole = select(np.ones(len(wide), dtype=np.bool_))
    # Other folds may select other options; each needs its outcomes.
    ever = set(whole).union(*(select(~test) for test in folds(len(wide))))
    options = [one for one in measured if one.strategy in ever]
    plain = [c for c in options if constraint.allows(c.strategy, c.cost)]
    charged = [probing.charge(c, rates) for c in options]
    after = [c for c in charged if constraint.allows(c.strategy, c.cost, c.probe_generations)]
    if not plain or len(after) < 2:
        return None
    choices = _outcomes(wide, plain, after, probing.probes, unit, questions)
    if not choices.among(whole).enough:
        return None
    alone = wide[key(single.strategy)].to_numpy(float)
    accuracy, cost = judge(choices, select, np.array([alone, np.full(len(alone), price)]))
    gain = accuracy - alone
    error = float(gain.std() / np.sqrt(len(gain)))
    routes = worth_routing(float(gain.mean()), error, cheaper=bool(cost.mean() < price))
    # The plan prints the predicted accuracy of the single strategy, which is not its mean here.
    # Both ways start from that one; their difference is the measured one.
    routed = RoutingExpectation(single.predicted_accuracy, float(cost.mean()), error).shifted(
        float(gain.mean())
    )
    return fit(choices.among(whole), routed.accuracy, routed.price), RoutingComparison(
        routed,
        RoutingExpectation(single.predicted_accuracy, price),
        single.strategy,
        unit,
        None,
        routes=bool(routes),
    )


def worth_routing(gain: float, error: float, *, cheaper: bool) -> bool:
    """Return whether measured outcomes speak for routing.

    A router that is not cheaper must be more accurate by more than the error of its gain. A cheaper
    one must not look less accurate by more than `INDIFFERENCE`, and its loss must be at most
    `MOST_LOSS` if the error is taken off: so few problems, whose error is large, do not pass what
    loses much.

    Args:
        gain: mean accuracy of routing minus that of one strategy for all.
        error: standard error of the gain.
        cheaper: whether routing costs less.
    """
    return gain - error > 0 or (cheaper and gain >= -INDIFFERENCE and gain - error > -MOST_LOSS)


def _options(
    known: Sequence[StrategyEstimate], wide: pd.DataFrame, probing: Probing
) -> list[StrategyEstimate]:
    """Return the few strategies to choose between."""
    by_kind: dict[object, list[StrategyEstimate]] = {}
    searches: dict[int, list[StrategyEstimate]] = {}
    others = []
    for one in known:
        kind = _kind(one.strategy)
        if isinstance(one.strategy, Greedy):
            others.append(one)
        elif kind is None:
            searches.setdefault(one.strategy.n, []).append(one)
        elif uses_probes(one.strategy, probing.probes):
            by_kind.setdefault(kind, []).append(one)

    def mean(one: StrategyEstimate) -> float:
        return float(wide[key(one.strategy)].mean())

    def rank(votes: list[StrategyEstimate]) -> tuple[int, float]:
        return len(votes), float(np.mean([mean(one) for one in votes]))

    votes = max(by_kind.values(), key=rank, default=[])
    by_n = {one.strategy.n: one for one in votes}
    kept = []
    for n, alike in searches.items():
        best = max(alike, key=mean)
        vote = by_n.get(n)
        if vote is None or _surely_better(wide, best, vote):
            kept.append(best)
    return [*others, *votes, *kept]


def _kind(strategy: Strategy) -> object | None:
    """Return what votes of several budgets share; None for a strategy that is no vote."""
    if isinstance(strategy, Majority):
        return Majority
    return (strategy.score, strategy.vote) if isinstance(strategy, BestOfN) else None


def _surely_better(wide: pd.DataFrame, one: StrategyEstimate, other: StrategyEstimate) -> bool:
    gain = (wide[key(one.strategy)] - wide[key(other.strategy)]).to_numpy(float)
    return bool(gain.mean() > _SURE * gain.std() / np.sqrt(len(gain)))


def _outcomes(
    wide: pd.DataFrame,
    before: Sequence[StrategyEstimate],
    after: Sequence[StrategyEstimate],
    probes: int,
    unit: str,
    questions: Mapping[str, Question],
) -> Choices:
    """Return the outcomes of the options on every problem, votes replayed from their probes."""
    rng = np.random.default_rng(0)
    # Early stopping makes pools unequal; sets of samples come from what every pool has.
    common = min(len(questions[problem].pool) for problem in wide.index)
    text, probed, drawn = [], [], []
    none = np.zeros((1, 0), dtype=np.int64)
    for problem in wide.index:
        one = questions[problem]
        order = rng.random((_DRAWS, common)).argsort(axis=1)
        text.append(features(one.probes, none)[0])
        probed.append(features(one.probes, order[:, :probes]))
        recorded = wide.loc[problem]
        drawn.append([
            [_after(c.strategy, one.pool, mine, probes, float(recorded[key(c.strategy)]))
             for c in after]
            for mine in order
        ])  # fmt: skip
    return Choices(
        tuple(c.strategy for c in before),
        tuple(c.strategy for c in after),
        np.array(text),
        np.array(probed),
        wide[[key(c.strategy) for c in before]].to_numpy(float),
        np.array(drawn),
        _prices(before, unit),
        _prices(after, unit),
        probes,
    )


def _after(
    strategy: Strategy, pool: Pool, order: np.ndarray, probes: int, recorded: float
) -> float:
    """Accuracy of a strategy after these probes: a vote goes on from them, others start anew."""
    if uses_probes(strategy, probes) and strategy.n <= len(order):
        return voted(part(pool, order[: strategy.n]), strategy)
    return recorded


def _prices(options: Sequence[StrategyEstimate], unit: str) -> Floats:
    return np.array([one.price(unit) for one in options])
