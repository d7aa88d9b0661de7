"""Compare a plan with other rules of the same budget: paired differences, areas of curves.

The plan is compared as the router runs it (`Arena.as_run`). Intervals draw problems and pairs of
policy and PRM (`planner.evaluation.bootstrap.TwoWayBootstrap`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from executor.errors import InputError
from executor.strategy import Greedy, Strategy, from_dict, from_key, key, to_dict
from planner.choice.rule_of_thumb import Account
from planner.evaluation.bootstrap import Interval, TwoWayBootstrap
from planner.evaluation.crossfit import Arena, Indices, Run
from planner.evaluation.fixed_strategies import (
    baselines,
    best_own,
    best_single,
    trained_own,
    trained_single,
)
from planner.evaluation.regret import honest_oracle
from profiling.arrays import Floats

RULE_OF_THUMB = "rule of thumb"
TOLD = "the plan if told every difficulty (an upper bound)"
HINDSIGHT_OWN = "best in hindsight for each policy and PRM"
TRAINED_OWN = "best fixed strategy of each policy and PRM, chosen on the training problems"
TRAINED_SINGLE = "best fixed strategy for everything, chosen on the training problems"
_NO_OPTIONS = ("name", "n", "width")  # fields that do not distinguish curves of one strategy
_GRID = 129  # costs at which curves are compared
# Picks a strategy for every problem of an arena at a budget; None if it cannot.
Pick = Callable[[Arena, int], Indices | None]
# What a way of answering gets in an arena at a budget; None if it cannot be run.
Rule = Callable[[Arena, int], Run | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The plan and another rule at the same number of generations, on the same problems.

    Attributes:
        against: name of the other rule.
        budget: most generations a problem, of both.
        arenas: number of policies and PRMs that the rule could be run with.
        plan, other: accuracies.
        difference: accuracy of the plan minus the other's, paired.
        tokens: generated tokens a problem, of the plan and of the other.
        flops: the same in FLOPs; None if sizes are not known.
    """

    against: str
    budget: int
    arenas: int
    plan: Interval
    other: Interval
    difference: Interval
    tokens: tuple[float, float]
    flops: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Area:
    """Mean height of the plan's accuracy above another curve's, over the tokens both span.

    Attributes:
        against: name of the other curve's rule.
        arenas: number of policies and PRMs that the rule could be run with.
        difference: mean difference over the logarithm of generated tokens.
        tokens: first and last cost of the comparison.
    """

    against: str
    arenas: int
    difference: Interval
    tokens: tuple[float, float]


def running(pick: Pick) -> Rule:
    """The rule that runs what is picked, if the pick reads no difficulty."""

    def rule(arena: Arena, budget: int) -> Run | None:
        picked = pick(arena, budget)
        return None if picked is None else arena.run(picked)

    return rule


def _thumb(account: Account) -> Rule:
    """The rule of thumb, which reads the difficulties."""

    def rule(arena: Arena, budget: int) -> Run | None:
        picked = arena.thumb(budget, account)
        return None if picked is None else arena.run_by_class(picked)

    return rule


def rules(found: Sequence[Arena], budget: int) -> dict[str, Rule]:
    """All rules that a plan is compared with at a budget, by name.

    A fixed strategy that is chosen on the training problems is chosen for each fold on the others,
    as plans are. The best in hindsight are chosen on the very problems that they are judged by.
    """

    def always(strategy: str) -> Rule:
        return running(lambda arena, _: arena.fixed(strategy))

    named: dict[str, Rule] = {
        TOLD: lambda arena, n: arena.told(n),
        TRAINED_OWN: running(trained_own),
        "one strategy for all, chosen as the plan is": running(
            lambda arena, n: arena.planned(n, by_difficulty=False)
        ),
        f"{RULE_OF_THUMB} ({Account.REPLY})": _thumb(Account.REPLY),
        f"{RULE_OF_THUMB} ({Account.PAPER})": _thumb(Account.PAPER),
        **{name: always(strategy) for name, strategy in baselines(budget).items()},
    }
    try:
        best = best_single(found, budget)
        named[f"best in hindsight for everything: {best}"] = always(best)
        trained = dict(zip(map(id, found), trained_single(found, budget), strict=True))
        named[TRAINED_SINGLE] = running(lambda arena, _: trained.get(id(arena)))
    except ValueError:  # no strategy was run everywhere, or there is one fold
        pass
    named[HINDSIGHT_OWN] = running(best_own)
    plain = set(baselines(budget).values())
    for strategy in sorted({s for arena in found for s in arena.strategies} - plain):
        if from_key(strategy).n == budget:
            named.setdefault(strategy, always(strategy))
    return named


def compare(
    found: Sequence[Arena], against: str, rule: Rule, budget: int, random_state: int = 0
) -> Comparison | None:
    """The plan against one rule in the arenas where it can be run; None if there are none."""
    usable = [(arena, run) for arena in found if (run := rule(arena, budget)) is not None]
    if not usable:
        return None
    ours = [arena.as_run(budget) for arena, _ in usable]
    theirs = [run for _, run in usable]
    problems = TwoWayBootstrap([arena.problems for arena, _ in usable], random_state)
    plan_scores = [run.accuracy for run in ours]
    other_scores = [run.accuracy for run in theirs]
    differences = [one - other for one, other in zip(plan_scores, other_scores, strict=True)]
    return Comparison(
        against,
        budget,
        len(usable),
        problems.mean(plan_scores),
        problems.mean(other_scores),
        problems.mean(differences),
        (_mean_tokens(ours), _mean_tokens(theirs)),
        _mean_flops(ours, theirs),
    )


def against_oracle(found: Sequence[Arena], budget: int, random_state: int = 0) -> Comparison | None:
    """The plan against the best strategy of each difficulty, chosen on other problems than judged.

    See `planner.evaluation.crossfit.honest_oracle`; its tokens are not counted. Policies and PRMs
    are left out of which some strategy is not known in the difficulties; None if none are left.
    """
    found = [arena for arena in found if arena.rated(budget)]
    if not found:
        return None
    rng = np.random.default_rng(random_state)
    problems = TwoWayBootstrap([arena.problems for arena in found], random_state)
    ours, best = [], []
    for arena in found:
        own, oracle = arena.as_run(budget).accuracy, np.empty(len(arena.problems))
        for level in sorted(set(arena.levels)):  # the draws that follow are in this order
            mine = np.flatnonzero(arena.levels == level)
            accuracy = arena.in_class[np.ix_(mine, arena.within(budget))]
            # For a single problem there are no others to choose by: the plan counts as the best.
            alone = len(mine) < 2
            oracle[mine] = own[mine] if alone else honest_oracle(accuracy, rng)
        ours.append(own)
        best.append(oracle)
    return Comparison(
        "best of each difficulty, chosen on half of the problems",
        budget,
        len(found),
        problems.mean(ours),
        problems.mean(best),
        problems.mean([one - other for one, other in zip(ours, best, strict=True)]),
        (_mean_tokens([arena.as_run(budget) for arena in found]), float("nan")),
        None,
    )


def _mean_tokens(runs: Sequence[Run]) -> float:
    return float(np.concatenate([run.tokens for run in runs]).mean())


def _mean_flops(*both: Sequence[Run]) -> tuple[float, float] | None:
    means = []
    for runs in both:
        flops = [run.flops for run in runs]
        if any(one is None for one in flops):
            return None
        means.append(float(np.concatenate([one for one in flops if one is not None]).mean()))
    return means[0], means[1]


def families(found: Sequence[Arena]) -> dict[str, Rule]:
    """The rules that have a curve over the budget: strategies with options, and rules of thumb."""
    alike: dict[str, Strategy] = {}
    for strategy in sorted({strategy for arena in found for strategy in arena.strategies}):
        parsed = from_key(strategy)
        if not isinstance(parsed, Greedy):
            alike.setdefault(_family(parsed), parsed)

    def at_budget(example: Strategy) -> Rule:
        def pick(arena: Arena, budget: int) -> Indices | None:
            try:
                return arena.fixed(key(from_dict(to_dict(example) | {"n": budget})))
            except InputError:  # a search of a width that does not divide it
                return None

        return running(pick)

    curves = {name: at_budget(example) for name, example in alike.items()}
    return curves | {f"{RULE_OF_THUMB} ({account})": _thumb(account) for account in Account}


def _family(strategy: Strategy) -> str:
    options = {name: value for name, value in to_dict(strategy).items() if name not in _NO_OPTIONS}
    return " ".join([strategy.name, *(f"{name}={value}" for name, value in options.items())])


def area(
    found: Sequence[Arena], against: str, rule: Rule, budgets: Sequence[int], random_state: int = 0
) -> Area | None:
    """The area between the plan's curve of accuracy over cost and a rule's, per unit of log cost.

    Both curves are straight lines between their points at each budget, over the logarithm of
    generated tokens. Policies and PRMs that the rule cannot be run with at two budgets or more are
    left out.

    Returns:
        None if there are none, or if the curves share no cost.
    """
    spans = {id(arena): [n for n in budgets if rule(arena, n) is not None] for arena in found}
    usable = [arena for arena in found if len(spans[id(arena)]) > 1]
    shared = sorted(set.intersection(*(set(spans[id(arena)]) for arena in usable), set(budgets))
                    if usable else ())  # fmt: skip
    if len(shared) < 2:
        return None
    problems = TwoWayBootstrap([arena.problems for arena in usable], random_state)
    ours = [[arena.as_run(n) for arena in usable] for n in budgets]
    others = [[run for arena in usable if (run := rule(arena, n)) is not None]
              for n in shared]  # fmt: skip
    curves = [_curve(runs, problems) for runs in (ours, others)]
    low = max(curve.cost[0].min() for curve in curves)
    high = min(curve.cost[0].max() for curve in curves)
    if not low < high:
        return None
    heights = [curve.heights(np.linspace(low, high, _GRID)) for curve in curves]
    differences = (heights[0] - heights[1]).mean(axis=1)
    interval = Interval.from_draws(float(differences[0]), differences[1:])
    return Area(against, len(usable), interval, (float(np.exp2(low)), float(np.exp2(high))))


@dataclass(frozen=True, slots=True)
class _Curve:
    """Points of accuracy over log2 of tokens, shape `(1 + draws, points)`; first as observed."""

    cost: Floats
    accuracy: Floats

    def heights(self, grid: Floats) -> Floats:
        """Accuracy at each cost, shape `(1 + draws, len(grid))`."""
        return np.array([
            np.interp(grid, cost[(order := np.argsort(cost))], accuracy[order])
            for cost, accuracy in zip(self.cost, self.accuracy, strict=True)
        ])  # fmt: skip


def _curve(points: Sequence[Sequence[Run]], problems: TwoWayBootstrap) -> _Curve:
    cost, accuracy = [], []
    for runs in points:
        accuracy.append(problems.observed_and_drawn([run.accuracy for run in runs]))
        cost.append(problems.observed_and_drawn([run.tokens for run in runs]))
    return _Curve(np.log2(np.array(cost).T), np.array(accuracy).T)
