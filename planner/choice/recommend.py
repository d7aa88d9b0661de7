"""The answer: which strategy, with how much budget, under which constraint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from executor.errors import InputError
from executor.strategy import AdaptiveMajority, BestOfN, Majority, Strategy, key, to_dict
from planner.choice.constraint import NO_RATES, Constraint
from planner.choice.pareto import pareto_front
from planner.choice.rules import cheapest_sure, most_accurate, sure_enough
from planner.costs.cost import TOKENS, Cost, Rates
from planner.evidence.comparable import for_pair
from planner.evidence.gathering import cells, strategy_of
from planner.notes import Note, NoteCode
from planner.prediction.beta import probability_above, summarise
from planner.prediction.features import describe
from profiling.difficulty.pass_rate import JEFFREYS

if TYPE_CHECKING:  # scikit-learn takes a fifth of a second to import; most answers need none
    from planner.prediction.outcome_model import OutcomeModel

# Without a fitted model, a cell starts from its difficulty's mean, worth this many problems.
_PLAIN_PRIOR = 4.0
PREDICTED = "predicted"  # what a prediction rests on where nothing of its strategy is known
_WIDE = 0.2  # a wider interval gets a note


@dataclass(frozen=True, slots=True)
class Choice:
    """One strategy with what is expected of it.

    Attributes:
        strategy: the strategy.
        predicted_accuracy, interval: mean and 90 % interval of its accuracy.
        cost: expected, a problem.
        problems: how many problems it was measured on here; 0 if it rests on the model alone.
        sources: how (`measured`, `replayed`, `published`, or `predicted` from other strategies and
            policies alone).
        beta: parameters of the Beta posterior that mean and interval are of.
        extra: generations besides the strategy's own: probes that it cannot use.
        prior: right-or-wrong problems that what was believed before any outcome weighs in `beta`;
            None where it was not made so.
    """

    strategy: Strategy
    predicted_accuracy: float
    interval: tuple[float, float]
    cost: Cost
    problems: int
    sources: str
    beta: tuple[float, float]
    extra: int = 0
    prior: float | None = None

    def price(self, unit: str) -> float:
        """Its cost in one unit: `flops`, `tokens` (generated and PRM's) or `generations`.

        See `cost_unit`.
        """
        if unit == "generations":
            return float(self.strategy.n + self.extra)
        if unit == "flops" and self.cost.flops is not None:
            return self.cost.flops
        return self.cost.generated_tokens + self.cost.prm_tokens

    def probability_above(self, target: float) -> float:
        """P(accuracy >= target)."""
        a, b = self.beta
        return float(probability_above(np.array(a), np.array(b), target))

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
    """A choice for one difficulty, what else there was, and what should be known about it.

    Attributes:
        difficulty: of the problems it is for.
        choice: what to run.
        alternatives: all else within the limits, the most accurate first.
        notes: what a reader should know of it, the most important first.
        pareto: of the choice and its alternatives, those that no other beats in both cost and
            accuracy, from the cheapest on.
        cost_unit: what costs were compared by, see `cost_unit`.
        chance: P(accuracy >= target) of the choice, taken alone; None where there is no target.
    """

    difficulty: str
    choice: Choice
    alternatives: tuple[Choice, ...]
    notes: tuple[Note, ...]
    pareto: tuple[Choice, ...] = ()
    cost_unit: str = "tokens"
    chance: float | None = None


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
    if model is not None:
        table = describe(table, frame[frame["policy"] == policy])
    return choices(table, model, rates)


def choices(table: pd.DataFrame, model: OutcomeModel | None, rates: Rates) -> list[Choice]:
    """What is expected of each cell of one policy, PRM and difficulty.

    Args:
        table: cells, as `planner.prediction.features.describe` describes them if there is a model.
        model: without one, a cell starts from the mean of all cells.
        rates: what a token costs.
    """
    if model is None:
        # Where all are right or all wrong, Jeffreys' prior is as sure as a prior may be.
        edge = JEFFREYS / _PLAIN_PRIOR
        mean = np.clip(table["successes"].sum() / table["rows"].sum(), edge, 1 - edge)
        share = table["problems"] / table["rows"]
        right = (table["successes"] * share).to_numpy(float)
        total = table["problems"].to_numpy(float)
        a, b = _PLAIN_PRIOR * mean + right, _PLAIN_PRIOR * (1 - mean) + total - right
        weights = np.full(len(table), _PLAIN_PRIOR)
    else:
        a, b = model.posterior(table)
        weights = model.prior_weights(table)
    means, lows, highs = summarise(a, b)
    found = []
    for i, cell in enumerate(table.to_dict("records")):
        cost = rates.price(*(float(cell[name]) for name in TOKENS))
        found.append(
            Choice(
                strategy_of(cell),
                float(means[i]),
                (float(lows[i]), float(highs[i])),
                cost,
                int(cell["problems"]),
                cell["sources"],
                (float(a[i]), float(b[i])),
                prior=float(weights[i]),
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
            cost.cached_tokens,
            cost.prm_cached_tokens,
        )
        return replace(choice, cost=priced, extra=0 if usable else self.probes)


def uses_probes(strategy: Strategy, probes: int) -> bool:
    """Whether probe samples count towards a strategy's budget."""
    return isinstance(strategy, Majority | AdaptiveMajority | BestOfN) and strategy.n >= probes


def choose(
    difficulty: str, found: list[Choice], constraint: Constraint, rates: Rates = NO_RATES
) -> Recommendation:
    """The best of `found` under `constraint`.

    Without a target: the highest predicted accuracy; among those within half a point of it, the
    cheapest. With a target: the cheapest that is sure enough to reach it, the more so the more
    there are to choose from, else the surest with a note. See `planner.choice.rules`. `rates` are
    those that `found` was priced by, to say what is missing where a limit is on what is not known.

    Raises:
        InputError: nothing keeps to the constraint.
    """
    allowed = [c for c in found if constraint.allows(c.strategy, c.cost, c.extra)]
    if not allowed:
        why = constraint.refusal(((c.strategy, c.cost, c.extra) for c in found), rates)
        raise InputError(f"difficulty {difficulty}: {why}")
    unit = cost_unit(found)
    prices = np.array([c.price(unit) for c in allowed])
    means = np.array([c.predicted_accuracy for c in allowed])
    notes = _left_out(found, constraint)
    target, chance = constraint.target_accuracy, None
    if target is None:
        picked = int(most_accurate(means[None, :], prices)[0])
    else:
        chances = np.array([c.probability_above(target) for c in allowed])
        confidence, among = constraint.confidence, len(allowed)
        picked = int(cheapest_sure(means[None, :], chances[None, :], prices, confidence)[0])
        chance = float(chances[picked])
        at_least = sure_enough(confidence, among)
        if chance < at_least:
            notes.append(
                Note.of(
                    NoteCode.TARGET_NOT_REACHED, target=target, at_least=at_least,
                    strategy=key(allowed[picked].strategy), chance=chance,
                )
            )  # fmt: skip
        if among > 1:
            notes.append(
                Note.of(
                    NoteCode.BONFERRONI, confidence=confidence, strategies=among, at_least=at_least
                )
            )
    pick = allowed[picked]
    others = sorted(
        (c for c in allowed if c is not pick), key=lambda c: (-c.predicted_accuracy, c.price(unit))
    )
    return Recommendation(
        difficulty,
        pick,
        tuple(others),
        (*notes, *_remarks(pick)),
        pareto=tuple(allowed[i] for i in pareto_front(prices, means)),
        cost_unit=unit,
        chance=chance,
    )


def cost_unit(found: Sequence[Choice]) -> str:
    """What costs are compared by: `flops` where all are known, else `tokens`; never both.

    Where a strategy's tokens are not known either (imported runs), `generations`: what is unknown
    is not free.
    """
    if all(choice.cost.flops is not None for choice in found):
        return "flops"
    known = all(math.isfinite(choice.price("tokens")) for choice in found)
    return "tokens" if known else "generations"


def unit_name(unit: str) -> str:
    """A unit of `cost_unit` in words."""
    return "FLOPs" if unit == "flops" else unit


def _left_out(found: list[Choice], constraint: Constraint) -> list[Note]:
    """A note if a limit keeps strategies out only because their need of it is not known."""
    unknown = [
        c for c in found if None in constraint.needs(c.strategy, c.cost, c.extra).values()
    ]  # fmt: skip
    if not unknown:
        return []
    return [Note.of(NoteCode.STRATEGIES_LEFT_OUT, strategies=len(unknown))]


def _remarks(pick: Choice) -> list[Note]:
    width = pick.interval[1] - pick.interval[0]
    if width <= _WIDE:
        return []
    published = pick.sources == "published"
    return [
        Note.of(
            NoteCode.INTERVAL_WIDE, width=width, problems=pick.problems, published=published
        )
    ]  # fmt: skip
