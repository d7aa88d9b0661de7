"""Routing by four probes and no label, replayed: tokens at the accuracy of the best fixed strategy.

Each question of the matrix is probed eight times from its pool. A difficulty estimator that has not
seen the question's fold gives the probability of each difficulty. Of the strategies planned for all
problems at each budget, the one with the highest expected accuracy minus a price of its tokens
runs.

All prices together give a curve of accuracy over tokens. The curve is read at the accuracy of the
strategy to compare with, which takes a price that is known only in hindsight. Beside it stands a
price that is chosen on the other folds: the cheapest of those that are as accurate there.

To locate the losses, the same is done with the most probable difficulty taken as certain, with the
true one, with the true one and no probes (the choice is then among all strategies), without
routing, and with each problem's outcomes known.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from common import LABORATORY, MEASURED, ROOT

sys.path.insert(0, str(ROOT))
from executor.answers.grader import Grader, MathGrader
from executor.outcome import SampleRecord
from executor.problem import problem_uid
from executor.strategy import Score
from planner.evaluation.bootstrap import Interval, TwoWayBootstrap
from planner.evaluation.comparison import TRAINED_OWN, TRAINED_SINGLE
from planner.evaluation.crossfit import Arena, Indices
from planner.evaluation.exchange import tokens_for
from planner.evaluation.fixed_strategies import best_own, best_single, trained_own, trained_single
from planner.evaluation.probing import LEVELS, Estimator, ProbedArena
from profiling.arrays import Floats
from profiling.difficulty.estimator import Head, classes
from profiling.difficulty.fitting import PROBES, DifficultyEstimator
from profiling.difficulty.probes import Probes, features
from profiling.laboratory.task import read_problems
from profiling.pools.replay import Pool
from profiling.profiles.pool_files import load_pools, rewards_of

DRAWS = 8
PRICES = (0.0, *np.geomspace(1e-6, 3e-2, 50))  # accuracy a token


def samples_of(policy: str, prm: str) -> dict[str, tuple[str, tuple[SampleRecord, ...]]]:
    """The policy's bundled samples as one PRM scored them, by problem, with the problem's text."""
    table, _ = load_pools(MEASURED / "pools", policy)
    columns = [table[name].tolist() for name in
               ("answer", "correct", "state", "tokens", "logprob")]  # fmt: skip
    records = [
        SampleRecord("", None if pd.isna(answer) else answer, bool(correct), state, int(tokens),
                     float(logprob), tuple(map(float, given)))
        for answer, correct, state, tokens, logprob, given
        in zip(*columns, rewards_of(table, prm), strict=True)
    ]  # fmt: skip
    texts = {problem_uid(p): p.text for p in read_problems(LABORATORY / "profile.jsonl")}
    return {
        str(uid): (texts[str(uid)], tuple(records[row] for row in rows))
        for uid, rows in table.groupby("problem").indices.items()
    }


def pools_of(policy: str, prm: str, grader: Grader) -> tuple[dict[str, Pool], dict[str, Probes]]:
    """The policy's pools as one PRM scored them, by problem: for votes, and as probes see them."""
    pools, probes = {}, {}
    for uid, (text, mine) in samples_of(policy, prm).items():
        pools[uid] = Pool.of(mine, grader, rules=tuple(Score))
        probes[uid] = Probes.of(text, mine, grader)
    return pools, probes


def estimators(
    arena: Arena, pools: Mapping[str, Pool], probes: Mapping[str, Probes]
) -> list[Estimator]:
    """For each fold, a difficulty estimator trained on the problems of the others."""
    found: list[Estimator] = []
    for fold in range(len(arena.found)):
        seen = [p for p, at in zip(arena.problems, arena.folds, strict=True) if at != fold]
        rates = [(int(pools[p].correct.sum()), len(pools[p])) for p in seen]
        fitted = DifficultyEstimator(probes=(PROBES,)).fit([probes[p] for p in seen], rates)
        head = fitted.model_.head(PROBES)

        def told(problem: str, drawn: Indices, head: Head = head) -> Floats:
            return classes(head.ranges(features(probes[problem], drawn)))

        found.append(told)
    return found


# Accuracy and tokens on each problem of every arena, by price.
Curve = list[tuple[list[Floats], list[Floats]]]


def curves(probed: Sequence[ProbedArena]) -> dict[str, Curve]:
    """Every way of routing, at every price."""
    ways = {
        "by four probes": lambda one, price: one.outcomes(one.by_expectation(price)),
        "by four probes, the most probable difficulty taken for certain":
            lambda one, price: one.outcomes(one.by_most_probable(price)),
        "by the true difficulty, probes paid": lambda one, price: one.outcomes(one.by_truth(price)),
        "by the true difficulty": lambda one, price: _plainly(one, price, by_difficulty=True),
        "one strategy for all": lambda one, price: _plainly(one, price, by_difficulty=False),
        "by the outcomes themselves": _clairvoyant,
    }  # fmt: skip
    found: dict[str, Curve] = {}
    for name, way in ways.items():
        points = [[way(one, price) for one in probed] for price in PRICES]
        found[name] = [([a for a, _ in at], [t for _, t in at]) for at in points]
    return found


def _plainly(one: ProbedArena, price: float, *, by_difficulty: bool) -> tuple[Floats, Floats]:
    """Without probes: the best of a problem's difficulty, or of all."""
    arena, strategies = one.arena, one.arena.parsed
    picked = np.empty(len(arena.problems), dtype=np.intp)
    chosen: dict[tuple[int, str], int] = {}
    for at, (fold, level) in enumerate(zip(arena.folds, arena.levels, strict=True)):
        known = arena.found[fold]
        asked = level if by_difficulty and known.get(level) else "all"
        if (fold, asked) not in chosen:
            worth = {c.strategy: c.predicted_accuracy - price * c.cost.generated_tokens
                     for c in known[asked]}  # fmt: skip
            chosen[fold, asked] = max(one.allowed, key=lambda s: worth[strategies[s]])
        picked[at] = chosen[fold, asked]
    run = arena.run_by_class(picked) if by_difficulty else arena.run(picked)
    return run.accuracy, run.tokens


def _clairvoyant(one: ProbedArena, price: float) -> tuple[Floats, Floats]:
    arena = one.arena
    worth = arena.accuracy[:, one.allowed] - price * arena.tokens[:, one.allowed]
    picked = one.allowed[worth.argmax(axis=1)]
    return arena.score(picked), arena.spent(picked)


def read(curve: Curve, fixed: tuple[list[Floats], list[Floats]], problems: TwoWayBootstrap) -> Any:
    """A curve where it is as accurate as a fixed strategy, and where it takes half the tokens.

    `tokens` is the ratio at equal accuracy, infinite if the curve does not reach it; `reached` the
    share of resampled problems on which it does; `at_half` the difference in accuracy at half of
    its tokens. The place on the curve is chosen by the very problems (in hindsight); `foreseen` has
    the honest figures.
    """

    def resampled(values: list[Floats]) -> Floats:
        return np.array([np.concatenate(values).mean(), *problems.means(values)])

    accuracy = np.array([resampled(a) for a, _ in curve]).T
    tokens = np.array([resampled(t) for _, t in curve]).T
    target, budget = resampled(fixed[0]), resampled(fixed[1])
    ratios = np.array(
        [tokens_for(target[i], accuracy[i], tokens[i]) / budget[i] for i in range(len(target))]
    )
    halves = np.empty(len(target))
    for i in range(len(target)):
        order = np.argsort(tokens[i])
        halves[i] = np.interp(budget[i] / 2, tokens[i][order], accuracy[i][order]) - target[i]
    return {
        "tokens": Interval.from_draws(ratios[0], ratios[1:]).to_dict(),
        "reached": float(np.isfinite(ratios[1:]).mean()),
        "at_half": Interval.from_draws(halves[0], halves[1:]).to_dict(),
        "most_accurate": float(accuracy[0].max() - target[0]),
    }


def foreseen(
    curve: Curve,
    fixed: tuple[list[Floats], list[Floats]],
    folds: Sequence[Indices],
    problems: TwoWayBootstrap,
) -> dict[str, Any]:
    """The same at a price that is chosen for each fold on all others.

    `tokens` is the ratio of tokens, `accuracy` the difference in accuracy.
    """
    fold = np.concatenate(list(folds))
    accuracy = np.array([np.concatenate(values) for values, _ in curve])
    tokens = np.array([np.concatenate(values) for _, values in curve])
    aim, spent = (np.concatenate(values) for values in fixed)
    got, used = np.empty(len(aim)), np.empty(len(aim))
    for one in np.unique(fold):
        mine, others = fold == one, fold != one
        means, costs = accuracy[:, others].mean(axis=1), tokens[:, others].mean(axis=1)
        reaches = means >= aim[others].mean()
        price = np.where(reaches, costs, np.inf).argmin() if reaches.any() else means.argmax()
        got[mine], used[mine] = accuracy[price, mine], tokens[price, mine]
    ratios = problems.means([used]) / problems.means([spent])
    return {
        "tokens": Interval.from_draws(used.mean() / spent.mean(), ratios).to_dict(),
        "accuracy": problems.mean([got - aim]).to_dict(),
    }


def route(found: Sequence[Arena], budget: int) -> dict[str, Any]:
    """The whole section: every way of routing against the fixed strategies, and lines of it."""
    probed = []
    with MathGrader() as grader:
        for arena in found:
            pools, probes = pools_of(arena.policy, str(arena.prm), grader)
            trained = estimators(arena, pools, probes)
            probed.append(
                ProbedArena.draw(arena, pools, trained, probes=PROBES, draws=DRAWS, budget=budget)
            )
    problems = TwoWayBootstrap([arena.problems for arena in found])
    single = best_single(found, budget)
    own = [trained_own(arena, budget) for arena in found]
    targets = {
        TRAINED_OWN: [picked for picked in own if picked is not None],
        TRAINED_SINGLE: trained_single(found, budget),
        f"best single strategy in hindsight, {single}":
            [np.full(len(a.problems), a.strategies.index(single)) for a in found],
        "best of each policy and PRM in hindsight": [best_own(a, budget) for a in found],
        "best of each policy and PRM, chosen as the plan is":
            [a.planned(budget, by_difficulty=False, at_any_cost=True) for a in found],
    }  # fmt: skip
    drawn = curves(probed)
    named = np.concatenate([p.chances.argmax(axis=2).ravel() for p in probed])
    true = np.concatenate(
        [np.repeat([LEVELS.index(level) for level in p.arena.levels], DRAWS) for p in probed]
    )
    document: dict[str, Any] = {"difficulty_named_rightly": float((named == true).mean())}
    lines = []
    for name, picks in targets.items():
        fixed = ([a.score(p) for a, p in zip(found, picks, strict=True)],
                 [a.spent(p) for a, p in zip(found, picks, strict=True)])  # fmt: skip
        folds = [arena.folds for arena in found]
        document[name] = {
            way: read(curve, fixed, problems)
            | {"foreseen": foreseen(curve, fixed, folds, problems)}
            for way, curve in drawn.items()
        }
        lines.append(f"tokens at the accuracy of the {name}:")
        lines += [f"  routed {way}: {told(row)}" for way, row in document[name].items()]
    return document | {"lines": lines}


def told(row: Mapping[str, Any]) -> str:
    """One way of routing, in words."""
    half = row["at_half"]
    at_half = (f"at half of its tokens {100 * half['value']:+.2f} "
               f"[{100 * half['low']:+.2f}, {100 * half['high']:+.2f}] points")  # fmt: skip
    ahead, gained = row["foreseen"]["tokens"], row["foreseen"]["accuracy"]
    foreseen = (f"at a price chosen on other folds {ahead['value']:.2f} "
                f"[{ahead['low']:.2f}, {ahead['high']:.2f}] of its tokens, "
                f"{100 * gained['value']:+.2f} [{100 * gained['low']:+.2f}, "
                f"{100 * gained['high']:+.2f}] points")  # fmt: skip
    if np.isinf(row["tokens"]["value"]):
        reached = f"not reached (at most {100 * row['most_accurate']:+.2f} points)"
    else:
        ratio = row["tokens"]
        reached = f"{ratio['value']:.2f} [{ratio['low']:.2f}, {ratio['high']:.2f}]"
        if row["reached"] < 1:
            reached += f", not reached in {1 - row['reached']:.1%} of resamples"
    return f"in hindsight {reached}; {at_half}; {foreseen}"
