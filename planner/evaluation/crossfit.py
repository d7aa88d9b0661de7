"""Score plans on problems that were not used to make them.

Problems are split into folds. The model is tuned and fitted, and strategies are chosen, on all
folds but one; the choice is scored on that one. The outcomes of every strategy there are recorded,
so the plan is compared with each strategy on the same problems, at the same number of generations,
and with the best one in hindsight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.errors import InputError
from executor.strategy import Strategy, from_key, key
from planner.choice.candidates import estimate_cells
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.recommend import choose
from planner.choice.rule_of_thumb import Account, rule_of_thumb
from planner.costs.cost import Rates
from planner.evidence.cells import cells, rows_of
from planner.evidence.comparable import MIN_SHARED, for_pair
from planner.evidence.layout import UNKNOWN
from planner.prediction.features import describe
from planner.prediction.outcome_model import OutcomeModel
from planner.prediction.splits import problem_folds
from planner.prediction.tuning import pairs
from profiling.arrays import Floats
from profiling.pass_rate import ALL, LEVELS

Indices = NDArray[np.intp]
_TOKENS = ("generated_tokens", "prompt_tokens", "prm_tokens")


@dataclass(frozen=True, slots=True)
class Run:
    """What one way of answering got and spent on each problem of an arena.

    Attributes:
        accuracy: accuracy, shape `(problems,)`.
        tokens: generated tokens, of the same shape.
        flops: FLOPs, of the same shape; None if sizes are not known.
    """

    accuracy: Floats
    tokens: Floats
    flops: Floats | None


@dataclass(frozen=True, slots=True)
class Arena:
    """One policy and PRM: the outcome of each strategy on each problem, and the plans' estimates.

    Attributes:
        policy, prm: names.
        parameters: the policy's size; None if it is not known.
        problems: uids of the problems, shape `(problems,)`.
        levels: their difficulties by profile, which has seen their labels; shape `(problems,)`.
        folds: the fold that each is held out in, shape `(problems,)`.
        strategies: keys of the strategies that were run on all the problems.
        n: their budgets, shape `(strategies,)`.
        accuracy, tokens: accuracy and generated tokens, shape `(problems, strategies)`.
        in_class: accuracy by samples that did not give the problem its difficulty, of the same
            shape (`profiling.pools.class_part`); NaN in columns of strategies that are known for
            all problems together only. What is picked or judged by difficulty counts by it, all
            else by `accuracy`.
        flops: FLOPs, of the same shape; None if sizes are not known.
        found: for each fold, the estimates made without it, by difficulty and for all.
        routed: what plans got as the router runs them, by budget: each fold's plan has not seen
            its problems, no label is told, and probes are paid.
    """

    policy: str
    prm: str | None
    parameters: int | None
    problems: tuple[str, ...]
    levels: NDArray[np.str_]
    folds: Indices
    strategies: tuple[str, ...]
    n: Indices
    accuracy: Floats
    in_class: Floats
    tokens: Floats
    flops: Floats | None
    found: tuple[Mapping[str, list[StrategyEstimate]], ...]
    routed: Mapping[int, Run] = field(default_factory=dict)

    @property
    def parsed(self) -> tuple[Strategy, ...]:
        """The strategies themselves."""
        return tuple(map(from_key, self.strategies))

    @property
    def name(self) -> str:
        """Name of the policy and PRM, for tables."""
        return self.policy if self.prm is None else f"{self.policy} with {self.prm}"

    def planned(
        self, budget: int, *, by_difficulty: bool = True, at_any_cost: bool = False
    ) -> Indices:
        """Index of the strategy that the plan runs on each problem, shape `(problems,)`.

        Args:
            budget: most generations a problem.
            by_difficulty: whether the plan knows the problem's difficulty, and chooses among the
                strategies that are known in it; else it runs one strategy on all.
            at_any_cost: whether it takes the strategy with the highest predicted accuracy; else, as
                plans do, the cheapest within half a point of it.
        """
        column = {name: index for index, name in enumerate(self.strategies)}
        chosen: dict[tuple[int, str], int] = {}
        picked = np.empty(len(self.problems), dtype=np.intp)
        for at, (fold, level) in enumerate(zip(self.folds, self.levels, strict=True)):
            known = level if by_difficulty and self.found[fold].get(level) else ALL
            if (fold, known) not in chosen:
                limit, found = Constraint(budget=budget), self.found[fold][known]
                if by_difficulty:
                    found = [one for one in found if self.by_class[column[key(one.strategy)]]]
                if at_any_cost:
                    best = max((c for c in found if limit.allows(c.strategy, c.cost)),
                               key=lambda choice: choice.predicted_accuracy)  # fmt: skip
                else:
                    best = choose(known, found, limit).choice
                chosen[fold, known] = column[key(best.strategy)]
            picked[at] = chosen[fold, known]
        return picked

    @property
    def by_class(self) -> NDArray[np.bool_]:
        """Whether each strategy is known in the difficulties, shape `(strategies,)`."""
        return np.asarray(~np.isnan(self.in_class).any(axis=0))

    def rated(self, budget: int) -> bool:
        """Whether all strategies within a budget are known in the difficulties."""
        return bool(self.by_class[self.within(budget)].all())

    def told(self, budget: int) -> Run | None:
        """The plan if each problem's difficulty were told, at no cost: a bound, not a plan.

        None if some strategy within the budget is not known in the difficulties: without it there
        would be no bound.
        """
        if not self.rated(budget):
            return None
        return self.run_by_class(self.planned(budget))

    def as_run(self, budget: int) -> Run:
        """The plan as the router runs it; without a replay of the router, one strategy for all."""
        if budget in self.routed:
            return self.routed[budget]
        return self.run(self.planned(budget, by_difficulty=False))

    def run(self, picked: Indices) -> Run:
        """Outcome of the strategies picked for the problems, whatever their difficulties."""
        return Run(self.score(picked), self.spent(picked), self.forwarded(picked))

    def run_by_class(self, picked: Indices) -> Run:
        """Outcome of the strategies picked by the difficulties of the problems."""
        return Run(self.score_by_class(picked), self.spent(picked), self.forwarded(picked))

    def fixed(self, strategy: str) -> Indices | None:
        """The same strategy for every problem; None if it is not known."""
        if strategy not in self.strategies:
            return None
        return np.full(len(self.problems), self.strategies.index(strategy))

    def thumb(self, budget: int, account: Account) -> Indices | None:
        """Index of the rule of thumb's strategy on each problem.

        None if it was not measured, or if it is known for all problems together only.
        """
        if self.parameters is None:
            return None
        try:
            named = {level: key(rule_of_thumb(self.parameters, level, budget, account))
                     for level in set(self.levels)}  # fmt: skip
        except InputError:
            return None
        known = {name for name, yes in zip(self.strategies, self.by_class, strict=True) if yes}
        if not set(named.values()) <= known:
            return None
        return np.array([self.strategies.index(named[level]) for level in self.levels])

    def score(self, picked: Indices) -> Floats:
        """Accuracy on each problem of the strategies picked for them."""
        return np.asarray(self.accuracy[np.arange(len(picked)), picked])

    def score_by_class(self, picked: Indices) -> Floats:
        """The same by samples that did not give the problems their difficulties."""
        return np.asarray(self.in_class[np.arange(len(picked)), picked])

    def spent(self, picked: Indices) -> Floats:
        """Generated tokens on each problem of the strategies picked for them."""
        return np.asarray(self.tokens[np.arange(len(picked)), picked])

    def forwarded(self, picked: Indices) -> Floats | None:
        """FLOPs on each problem of the strategies picked for them; None if not known."""
        return None if self.flops is None else self.flops[np.arange(len(picked)), picked]

    def within(self, budget: int) -> Indices:
        """Indices of the strategies with at most this budget."""
        return np.flatnonzero(self.n <= budget)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Evidence in folds of problems, and for each fold what was fitted without it.

    Attributes:
        frame: all evidence.
        fold_of: the fold that a problem is held out in.
        seen: for each fold, the evidence of the others.
        models: for each fold, the model fitted to that.
    """

    frame: pd.DataFrame
    fold_of: Mapping[str, int]
    seen: tuple[pd.DataFrame, ...]
    models: tuple[OutcomeModel, ...]

    @classmethod
    def fit(
        cls,
        frame: pd.DataFrame,
        fit: Callable[[pd.DataFrame], OutcomeModel],
        random_state: int = 0,
    ) -> HeldOut:
        """Fit a model to all folds but one, for every fold.

        Args:
            frame: evidence.
            fit: fits a model to the evidence of some problems; it never sees the others.
            random_state: seed of the folds.

        Raises:
            InputError: too few problems.
        """
        masks = list(problem_folds(frame["problem"], random_state))
        seen = tuple(frame[~mask].reset_index(drop=True) for mask in masks)
        fold_of = {
            problem: fold for fold, mask in enumerate(masks) for problem in frame["problem"][mask]
        }
        return cls(frame, fold_of, seen, tuple(map(fit, seen)))

    def arenas(self, sizes: Mapping[str, int]) -> list[Arena]:
        """Plans made on all folds but one, for every fold, to be scored on that fold.

        Args:
            sizes: parameters of policies and PRMs, as far as they are known.

        Raises:
            InputError: no policy has strategies that can be compared.
        """

        def expected(
            policy: str, prm: str | None, rates: Rates
        ) -> list[dict[str, list[StrategyEstimate]]]:
            return [expectations(seen, model, policy, prm, rates)
                    for seen, model in zip(self.seen, self.models, strict=True)]  # fmt: skip

        return arenas(self.frame, self.fold_of, expected, sizes)


def arenas(
    frame: pd.DataFrame,
    fold_of: Mapping[str, int],
    expected: Callable[[str, str | None, Rates], list[dict[str, list[StrategyEstimate]]]],
    sizes: Mapping[str, int],
) -> list[Arena]:
    """One arena for every policy and PRM whose strategies were run on the same problems.

    Args:
        frame: evidence to score plans by.
        fold_of: the fold that a problem is held out in; problems without one are left out.
        expected: makes the estimates for a policy, a PRM and prices of tokens: for each fold, those
            of the evidence without it (see `expectations`).
        sizes: parameters of policies and PRMs.
    """
    found = []
    for policy, prm in pairs(frame):
        rows = for_pair(frame, policy, prm)
        of_class = rows[rows["difficulty"] != UNKNOWN]
        classes = of_class.drop_duplicates("problem").set_index("problem")["difficulty"]
        rows = rows[rows["problem"].isin(fold_of.keys() & set(classes.index))]
        wide = rows_of(rows, ALL).pivot_table(
            index="problem", columns="strategy", values="accuracy"
        )  # fmt: skip
        wide = wide.dropna(axis="columns")
        if len(wide) < MIN_SHARED or wide.shape[1] < 2:
            continue
        rates = Rates(sizes.get(policy), None if prm is None else sizes.get(prm))
        strategies = tuple(map(str, wide.columns))
        known = [
            {level: [c for c in made if key(c.strategy) in strategies]
             for level, made in by_level.items()}
            for by_level in expected(policy, prm, rates)
        ]  # fmt: skip
        if any(not by_level.get(ALL) for by_level in known):
            continue
        costs = {
            name: rows.pivot_table(index="problem", columns="strategy", values=name)
            .reindex(index=wide.index, columns=wide.columns)  # NaN if they were not counted
            .to_numpy(float)
            for name in _TOKENS
        }
        in_class = of_class.pivot_table(index="problem", columns="strategy", values="accuracy")
        in_class = in_class.reindex(index=wide.index, columns=wide.columns)
        in_class.loc[:, in_class.isna().any()] = np.nan
        found.append(
            Arena(
                policy,
                prm,
                sizes.get(policy),
                tuple(map(str, wide.index)),
                classes.loc[wide.index].to_numpy(str),
                np.array([fold_of[problem] for problem in wide.index]),
                strategies,
                np.array([from_key(strategy).n for strategy in strategies]),
                wide.to_numpy(float),
                in_class.to_numpy(float),
                costs["generated_tokens"],
                _flops(costs, rates),
                tuple(known),
            )
        )
    if not found:
        raise InputError(
            f"evidence: no policy has two strategies that were run on the same {MIN_SHARED} "
            "problems of known difficulty; run profile and measure on more"
        )
    return found


def _flops(costs: Mapping[str, Floats], rates: Rates) -> Floats | None:
    scored = float(costs["prm_tokens"].any())
    if rates.price(1.0, 1.0, scored).flops is None:
        return None
    each = [rates.price(*unit).flops or 0.0 for unit in np.eye(3)]
    return np.asarray(sum(one * costs[name] for one, name in zip(each, _TOKENS, strict=True)))


def expectations(
    frame: pd.DataFrame,
    model: OutcomeModel,
    policy: str,
    prm: str | None,
    rates: Rates,
    *,
    unseen: Callable[[pd.DataFrame], pd.Series] | None = None,
) -> dict[str, list[StrategyEstimate]]:
    """The estimates of a plan made from this evidence, by difficulty and for all.

    Args:
        frame: evidence.
        model: the model fitted to it.
        policy, prm: names.
        rates: prices of tokens.
        unseen: selects the cells whose outcomes count as not measured.
    """
    own = frame[frame["policy"] == policy]
    rows = for_pair(own, policy, prm)
    table = describe(cells(rows), own)
    if unseen is not None:
        table.loc[unseen(table), ["successes", "squares", "problems", "rows"]] = 0
    by_level = {level: table[table["difficulty"] == level] for level in LEVELS}
    return {
        level: estimate_cells(part.reset_index(drop=True), rows, model, rates)
        for level, part in by_level.items()
        if len(part)
    }
