"""Efficiency gain: how many times its budget majority vote takes to be as accurate.

As arXiv 2502.06703 counts it (Table 5; the formula is its author's, issue 11 of the paper's
repository): the budget at which majority vote is best, over the budget at which the other curve
reaches that accuracy, budgets between two measured ones by linear interpolation. Where a curve
never reaches the accuracy, or does at its very first budget, the gain is a bound.

Curves rise: what a budget reaches is the best of all budgets up to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.strategy import Majority
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.evidence.comparable import MIN_SHARED, paired_accuracies
from planner.notes import Note, NoteCode
from planner.prediction.beta import LEVEL
from profiling.arrays import Floats

Sides = NDArray[np.int8]
_DRAWS = 1000
_RELATIONS = ("=", ">", "<")  # of `Gain`, the surest first


@dataclass(frozen=True, slots=True)
class Gain:
    """A ratio of budgets.

    Attributes:
        gain: the ratio, or what it is at least (`>`) or at most (`<`).
        relation: `=`, `>` or `<`.
        interval: 90 %, over problems; infinite at the end that no measured budget bounds.
    """

    gain: float
    relation: str
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"gain": self.gain, "relation": self.relation, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Efficiency:
    """What is gained over majority vote, in one unit of budget.

    Attributes:
        of_choice: the budget at which majority is as accurate as the choice, over the choice's.
        at_majority_best: as the paper has it: the budget at which majority is best, over the budget
            at which the best of all other strategies is as accurate.
        best_accuracy: what majority reaches at best, as measured.
        best_budget: the budget at which it does.
        others_budget: that at which the best of all others does; where `at_majority_best` is a
            bound, the end of what was measured.
    """

    of_choice: Gain
    at_majority_best: Gain
    best_accuracy: float
    best_budget: float
    others_budget: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "of_choice": self.of_choice.to_dict(),
            "at_majority_best": self.at_majority_best.to_dict(),
            "majority_best": {
                "accuracy": self.best_accuracy,
                "budget": self.best_budget,
                "others_budget": self.others_budget,
            },
        }


def efficiency(
    choice: StrategyEstimate,
    found: Sequence[StrategyEstimate],
    rows: pd.DataFrame,
    *,
    random_state: int = 0,
) -> dict[str, Efficiency]:
    """Gains over majority vote, by unit; empty where it is the choice, or was not measured.

    Accuracies are those measured, on the same problems for all strategies, and intervals are those
    of resampling these problems; without such rows they are draws from the posteriors. Which of the
    others is best at a budget is decided on the same problems, which flatters them a little.

    Args:
        choice: what is recommended; one of `found`.
        found: everything known of this policy, PRM and difficulty, whatever it costs.
        rows: the evidence it rests on.
        random_state: of the resampling.
    """
    plain = np.array([isinstance(cell.strategy, Majority) for cell in found])
    at = next(i for i, cell in enumerate(found) if cell.strategy == choice.strategy)
    if not plain.any() or plain[at]:
        return {}
    accuracy = _accuracies(found, rows, random_state)
    price = cost_unit(found)
    units = {
        "generations": np.array([float(cell.generations) for cell in found]),
        price: np.array([cell.price(price) for cell in found]),
    }
    made = {}
    for unit, budgets in units.items():
        majority, others = (
            (budgets[plain], accuracy[:, plain]),
            (budgets[~plain], accuracy[:, ~plain]),
        )
        equal, side = reached_at(*majority, accuracy[:, at])
        best_at, _ = reached_at(*majority, majority[1].max(axis=1))
        needed, other_side = reached_at(*others, majority[1].max(axis=1))
        # Others that never get there need more than they were given: the gain is smaller.
        made[unit] = Efficiency(
            of_choice=_gain(equal / budgets[at], side),
            at_majority_best=_gain(best_at / needed, -other_side),
            best_accuracy=float(majority[1][0].max()),
            best_budget=float(best_at[0]),
            others_budget=float(needed[0]),
        )
    return made


def _accuracies(found: Sequence[StrategyEstimate], rows: pd.DataFrame, random_state: int) -> Floats:
    """Shape `(1 + draws, strategies)`: as measured first, then as it might have come out."""
    rng = np.random.default_rng(random_state)
    outcomes = paired_accuracies(rows, [cell.strategy for cell in found])
    if (problems := len(outcomes)) >= MIN_SHARED:
        counts = rng.multinomial(problems, np.full(problems, 1 / problems), size=_DRAWS)
        drawn = counts @ outcomes / problems
        return np.vstack([outcomes.mean(axis=0), drawn])
    a, b = np.array([cell.beta for cell in found]).T
    return np.vstack([a / (a + b), rng.beta(a, b, size=(_DRAWS, len(found)))])


def _gain(ratios: Floats, sides: Sides) -> Gain:
    """The first is the estimate, the others its draws; a draw that is a bound may lie anywhere
    beyond it."""
    low = np.where(sides[1:] < 0, 0.0, ratios[1:])
    high = np.where(sides[1:] > 0, np.inf, ratios[1:])
    tail = (1 - LEVEL) / 2
    interval = (
        float(np.quantile(low, tail, method="lower")),
        float(np.quantile(high, 1 - tail, method="higher")),
    )
    return Gain(float(ratios[0]), {0: "=", 1: ">", -1: "<"}[int(sides[0])], interval)


def reached_at(budgets: Floats, accuracy: Floats, target: Floats) -> tuple[Floats, Sides]:
    """The budget at which rising curves reach an accuracy, by linear interpolation.

    Args:
        budgets: shape `(points,)`, in any order; of equal ones the most accurate point counts.
        accuracy: shape `(draws, points)`.
        target: shape `(draws,)`.

    Returns:
        Two of shape `(draws,)`: the budget, and how it is meant: 0 as it is; -1: reached at the
        smallest budget already, which is returned; 1: never reached, the largest is returned.
    """
    order = np.argsort(budgets, kind="stable")
    grid, first = np.unique(budgets[order], return_index=True)
    best = np.maximum.reduceat(accuracy[:, order], first, axis=1)
    curve = np.maximum.accumulate(best, axis=1)
    above = curve >= target[:, None]
    at = np.where(above.any(axis=1), above.argmax(axis=1), len(grid) - 1)
    before = np.maximum(at - 1, 0)
    rows = np.arange(len(target))
    low, high = curve[rows, before], curve[rows, at]
    rise = np.where(high > low, high - low, 1.0)
    share = np.clip((target - low) / rise, 0.0, 1.0)
    reached = grid[before] + share * (grid[at] - grid[before])
    never = ~above.any(axis=1)
    early = above[:, 0] & (curve[:, 0] > target)
    reached = np.where(never, grid[-1], np.where(early, grid[0], reached))
    return reached, np.where(never, 1, np.where(early, -1, 0)).astype(np.int8)


def majority_notes(gains: Mapping[str, Efficiency]) -> list[Note]:
    """Notes on the gain over majority vote, one a relation, all units of budget in one.

    A bound that leaves open which of the two takes more is left out.
    """
    if not gains:
        return []
    of_choice = {unit: one.of_choice for unit, one in gains.items()}
    at_best = {unit: one.at_majority_best for unit, one in gains.items()}
    first, in_generations = next(iter(gains.values())), gains["generations"]
    notes = [
        Note.of(NoteCode.MAJORITY_EQUIVALENT, relation=relation, gains=together)
        for relation in _RELATIONS
        if (together := _together(of_choice, relation))
    ]
    notes += [
        Note.of(
            NoteCode.MAJORITY_AT_BEST,
            relation=relation,
            gains=together,
            accuracy=first.best_accuracy,
            generations=in_generations.best_budget,
            others_generations=in_generations.others_budget,
        )
        for relation in _RELATIONS
        if (together := _together(at_best, relation))
    ]
    return notes


def _together(
    gains: Mapping[str, Gain], relation: str
) -> tuple[tuple[str, float, float, float], ...]:
    """Gains of one relation: unit, gain, and both ends of its interval."""
    return tuple(
        (unit, gain.gain, *gain.interval)
        for unit, gain in gains.items()
        if gain.relation == relation and _tells(gain)
    )


def _tells(gain: Gain) -> bool:
    """Whether it says which of the two takes more: "more than 0.25 times" does not."""
    match gain.relation:
        case ">":
            return gain.gain > 1
        case "<":
            return gain.gain < 1
    return True
