"""The answer: which strategy, with how much budget, under which constraint."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from executor.errors import InputError
from executor.strategy import AdaptiveMajority, BestOfN, Majority, Strategy, key, to_dict
from planner.costs import Cost, Rates
from planner.evidence import cells, for_pair, level_pass_rates, strategy_of
from planner.outcome import OutcomeModel, probability_above, summarise
from profiling.passrate import Difficulty

LEVELS = (*(level.value for level in Difficulty), "all")

# Without a fitted model, a cell starts from its difficulty's mean, worth this many problems.
_PLAIN_PRIOR = 4.0
_JEFFREYS = 0.5

# Accuracies this close are the same for all that is known; then the cheaper one is chosen.
INDIFFERENCE = 0.005


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a choice must keep to; None where there is no limit.

    Attributes:
        budget: most generations a problem.
        max_flops, max_seconds, max_usd: most of each a problem, expected.
        target_accuracy: rather than the best, the cheapest that reaches this accuracy...
        confidence: ...with at least this probability.
    """

    budget: int | None = None
    max_flops: float | None = None
    max_seconds: float | None = None
    max_usd: float | None = None
    target_accuracy: float | None = None
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.budget is not None and self.budget < 1:
            raise InputError(f"budget {self.budget}: must be a whole number of at least 1")
        for name in ("max_flops", "max_seconds", "max_usd"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{name.replace('_', '-')} {value}: must be above 0")
        if self.target_accuracy is not None and not 0 < self.target_accuracy <= 1:
            raise InputError(f"target-accuracy {self.target_accuracy}: must be in (0, 1]")
        if not 0 < self.confidence < 1:
            raise InputError(f"confidence {self.confidence}: must be between 0 and 1")

    def allows(self, strategy: Strategy, cost: Cost, extra: int = 0) -> bool:
        """Whether a strategy of this expected cost keeps to the limits.

        `extra` are generations besides its own: probes that it cannot use.
        """
        if self.budget is not None and strategy.n + extra > self.budget:
            return False
        for name, spent in (
            ("max_flops", cost.flops),
            ("max_seconds", cost.seconds),
            ("max_usd", cost.usd),
        ):
            limit = getattr(self, name)
            if limit is None:
                continue
            if spent is None:
                raise InputError(
                    f"{name.replace('_', '-')}: what a token costs here is not known; "
                    "model sizes come with measured evidence, money with --usd-per-hour"
                )
            if spent > limit:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Choice:
    """One strategy with what is expected of it.

    Attributes:
        strategy: the strategy.
        predicted_accuracy, interval: mean and 90 % interval of its accuracy.
        cost: expected, a problem.
        problems: how many problems it was measured on here; 0 if it rests on the model alone.
        sources: how (`measured`, `replayed`).
        beta: parameters of the Beta posterior that mean and interval are of.
        extra: generations besides the strategy's own: probes that it cannot use.
    """

    strategy: Strategy
    predicted_accuracy: float
    interval: tuple[float, float]
    cost: Cost
    problems: int
    sources: str
    beta: tuple[float, float]
    extra: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "strategy": to_dict(self.strategy),
            "predicted_accuracy": self.predicted_accuracy,
            "interval": list(self.interval),
            "cost": self.cost.to_dict(),
            "problems": self.problems,
            "sources": self.sources,
        }


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A choice for one difficulty, what else there was, and what should be known about it."""

    difficulty: str
    choice: Choice
    alternatives: tuple[Choice, ...]
    notes: tuple[str, ...]


def candidates(
    frame: pd.DataFrame,
    policy: str,
    prm: str | None,
    difficulty: str,
    model: OutcomeModel | None,
    rates: Rates,
) -> list[Choice]:
    """Every strategy there is evidence of for this policy and PRM, with its prediction.

    Raises:
        InputError: there is no evidence for this policy.
    """
    usable = for_pair(frame, policy, prm)
    if not (frame["policy"] == policy).any():
        known = ", ".join(sorted(set(frame["policy"]))) or "none yet"
        raise InputError(
            f"policy {policy}: there is no evidence on it (known: {known}); "
            "measure it with: apportion profile, apportion measure"
        )
    if usable.empty:
        pairs = sorted(set(frame[frame["policy"] == policy]["prm"]) - {""})
        known = ", ".join(pairs) or "none"
        if prm is None:
            raise InputError(
                f"policy {policy}: there is no evidence on it without a PRM (known with: {known})"
            )
        raise InputError(
            f"PRM {prm}: there is no evidence on it with policy {policy} (known: {known})"
        )
    table = cells(usable)
    table = table[table["difficulty"] == difficulty].reset_index(drop=True)
    if table.empty:
        return []
    table["pass_at_1"] = level_pass_rates(frame).get((policy, difficulty), float("nan"))
    if model is None:
        # Where all are right or all wrong, Jeffreys' prior is as sure as a prior may be.
        edge = _JEFFREYS / _PLAIN_PRIOR
        mean = np.clip(table["successes"].sum() / table["rows"].sum(), edge, 1 - edge)
        share = table["problems"] / table["rows"]
        right = (table["successes"] * share).to_numpy(float)
        total = table["problems"].to_numpy(float)
        a, b = _PLAIN_PRIOR * mean + right, _PLAIN_PRIOR * (1 - mean) + total - right
    else:
        a, b = model.posterior(table)
    means, lows, highs = summarise(a, b)
    found = []
    for i, cell in enumerate(table.to_dict("records")):
        cost = rates.price(cell["generated_tokens"], cell["prompt_tokens"], cell["prm_tokens"])
        found.append(
            Choice(
                strategy_of(cell),
                float(means[i]),
                (float(lows[i]), float(highs[i])),
                cost,
                int(cell["problems"]),
                cell["sources"],
                (float(a[i]), float(b[i])),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Probing:
    """What it costs to look at a question before a strategy is chosen for it.

    Attributes:
        probes: samples drawn.
        generated, prm: tokens of one sample, and PRM tokens to score it.
    """

    probes: int
    generated: float
    prm: float

    @classmethod
    def of(cls, usable: pd.DataFrame, probes: int, *, scored: bool) -> Probing:
        """Costs a sample from the replayed rows of a policy and PRM.

        Samples share steps, which are scored once: what one of a few costs is more than what one
        of many does, so the budget nearest to the probes counts.
        """

        def a_sample(name: str, column: str) -> float:
            rows = usable[usable["name"] == name]
            if rows.empty:
                return 0.0
            nearest = min(rows["n"].unique(), key=lambda n: abs(n - probes))
            return float(rows[rows["n"] == nearest][column].mean() / nearest)

        prm = a_sample("best_of_n", "prm_tokens") if scored else 0.0
        return cls(probes, a_sample("majority", "generated_tokens"), prm)

    def charge(self, choice: Choice, rates: Rates) -> Choice:
        """`choice` with what the probes add: nothing generated where it can use them."""
        cost, strategy = choice.cost, choice.strategy
        usable = uses_probes(strategy, self.probes)
        rescored = usable and strategy.needs_prm
        priced = rates.price(
            cost.generated_tokens + (0 if usable else self.probes * self.generated),
            cost.prompt_tokens,
            cost.prm_tokens + (0 if rescored else self.probes * self.prm),
        )
        return replace(choice, cost=priced, extra=0 if usable else self.probes)


def uses_probes(strategy: Strategy, probes: int) -> bool:
    """Whether probe samples count towards a strategy's budget."""
    return isinstance(strategy, Majority | AdaptiveMajority | BestOfN) and strategy.n >= probes


def choose(difficulty: str, found: list[Choice], constraint: Constraint) -> Recommendation:
    """The best of `found` under `constraint`.

    Without a target: the highest predicted accuracy; among those within half a point of it, the
    cheapest. With a target: the cheapest that is sure enough to reach it, else the best with a
    note.

    Raises:
        InputError: nothing keeps to the constraint.
    """
    price = _prices(found)
    allowed = [c for c in found if constraint.allows(c.strategy, c.cost, c.extra)]
    if not allowed:
        cheapest = min(found, key=price, default=None)
        hint = f"; the cheapest known is {key(cheapest.strategy)}" if cheapest else ""
        raise InputError(f"difficulty {difficulty}: no known strategy keeps to the limits{hint}")
    notes: list[str] = []
    best = max(c.predicted_accuracy for c in allowed)
    near = [c for c in allowed if c.predicted_accuracy >= best - INDIFFERENCE]
    pick = min(near, key=price)
    target = constraint.target_accuracy
    if target is not None:
        sure = [c for c in allowed if _sure(c, target) >= constraint.confidence]
        if sure:
            pick = min(sure, key=price)
        else:
            top = max(allowed, key=lambda c: (_sure(c, target), c.predicted_accuracy))
            notes.append(
                f"no strategy here is {constraint.confidence:.0%} sure to reach {target:.0%}; "
                f"the surest is {key(top.strategy)} at {_sure(top, target):.0%}"
            )
            pick = top
    others = sorted(
        (c for c in allowed if c is not pick), key=lambda c: (-c.predicted_accuracy, price(c))
    )
    notes += _remarks(pick, others)
    return Recommendation(difficulty, pick, tuple(others), tuple(notes))


def _remarks(pick: Choice, others: list[Choice]) -> list[str]:
    notes = []
    rival = next((c for c in others if c.strategy.name != pick.strategy.name), None)
    if rival and rival.interval[1] >= pick.predicted_accuracy:
        notes.append(
            f"{key(rival.strategy)} may be as good: {rival.predicted_accuracy:.3f} "
            f"[{rival.interval[0]:.3f}, {rival.interval[1]:.3f}]"
        )
    width = pick.interval[1] - pick.interval[0]
    if width > 0.2:
        notes.append(
            f"the interval is {width:.0%} wide: it rests on {pick.problems} problems; "
            "measure more for a surer answer"
        )
    return notes


def _prices(found: list[Choice]) -> Callable[[Choice], float]:
    """What to compare costs by: FLOPs where all are known, else tokens; never one with another.

    Where a strategy's tokens are not known either (imported runs), generations: unknown is not
    free.
    """

    def flops(choice: Choice) -> float:
        return choice.cost.flops or 0.0

    def tokens(choice: Choice) -> float:
        return choice.cost.generated_tokens + choice.cost.prm_tokens

    def generations(choice: Choice) -> float:
        return choice.strategy.n + choice.extra

    if all(choice.cost.flops is not None for choice in found):
        return flops
    return tokens if all(math.isfinite(tokens(choice)) for choice in found) else generations


def _sure(choice: Choice, target: float) -> float:
    """P(accuracy >= target)."""
    a, b = choice.beta
    return float(probability_above(np.array(a), np.array(b), target))
