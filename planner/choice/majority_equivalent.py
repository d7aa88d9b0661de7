"""Efficiency gain: the budget majority vote needs for the same accuracy, over the other budget.

The definition is that of arXiv 2502.06703 (Table 5; its author states the formula in issue 11 of
the paper's repository): the budget at which majority vote is most accurate, over the budget at
which the other curve reaches that accuracy. Accuracies between two measured budgets are
interpolated linearly. If a curve never reaches the accuracy, or reaches it at its smallest budget,
the gain is a bound.

Curves are monotone: the accuracy of a budget is the highest accuracy of all budgets up to it.
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
_DIGITS = 9  # removes rounding errors, so that strategies that move together stay equal
_RELATIONS = ("=", ">", "<")  # relations of `Gain`, from exact to bounds


@dataclass(frozen=True, slots=True)
class Gain:
    """A ratio of budgets.

    Attributes:
        gain: the ratio, or a lower (`>`) or upper (`<`) bound of it.
        relation: `=`, `>` or `<`.
        interval: 90 % interval over problems; the upper end is infinite if no measured budget
            bounds it.
    """

    gain: float
    relation: str
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {"gain": self.gain, "relation": self.relation, "interval": list(self.interval)}


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Efficiency gains over majority vote, in one unit of budget.

    Attributes:
        of_choice: the budget at which majority is as accurate as the choice, over the budget of the
            choice.
        at_majority_best: the gain of the paper: the budget at which majority is most accurate, over
            the budget at which the best other strategy is as accurate.
        best_accuracy: highest predicted accuracy of majority.
        best_budget: the budget at which majority reaches `best_accuracy`.
        others_budget: the budget at which the best other strategy reaches `best_accuracy`; if
            `at_majority_best` is a bound, the smallest or largest measured budget.
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
    estimates: Sequence[StrategyEstimate],
    rows: pd.DataFrame,
    *,
    random_state: int = 0,
) -> dict[str, Efficiency]:
    """Return the efficiency gains over majority vote, by unit of budget.

    Accuracies are the predicted ones, so that a strategy has one accuracy in an answer. Intervals
    come from resampling the problems that all strategies share: each resample moves a prediction
    as far as it moves the measured mean. If too few problems are shared, intervals come from draws
    of the posteriors. The best other strategy at a budget is chosen on the problems that also
    measure it, so its accuracy is slightly too high.

    Args:
        choice: the recommended strategy; one of `estimates`.
        estimates: estimates of all strategies for this policy, PRM and difficulty, at any cost.
        rows: the evidence behind the estimates.
        random_state: seed of the resampling.

    Returns:
        Gains by unit; empty if the choice is majority vote or if majority vote was not measured.
    """
    plain = np.array([isinstance(cell.strategy, Majority) for cell in estimates])
    at = next(i for i, cell in enumerate(estimates) if cell.strategy == choice.strategy)
    if not plain.any() or plain[at]:
        return {}
    accuracy = _accuracies(estimates, rows, random_state)
    price = cost_unit(estimates)
    units = {
        "generations": np.array([float(cell.generations) for cell in estimates]),
        price: np.array([cell.price(price) for cell in estimates]),
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
        # If the others never reach the accuracy, they need a larger budget: the gain is smaller.
        made[unit] = Efficiency(
            of_choice=_gain(equal / budgets[at], side),
            at_majority_best=_gain(best_at / needed, -other_side),
            best_accuracy=float(majority[1][0].max()),
            best_budget=float(best_at[0]),
            others_budget=float(needed[0]),
        )
    return made


def _accuracies(
    estimates: Sequence[StrategyEstimate], rows: pd.DataFrame, random_state: int
) -> Floats:
    """Return the predicted accuracies, then draws of them; shape `(1 + draws, strategies)`."""
    rng = np.random.default_rng(random_state)
    predicted = np.array([cell.predicted_accuracy for cell in estimates])
    outcomes = paired_accuracies(rows, [cell.strategy for cell in estimates])
    if (problems := len(outcomes)) >= MIN_SHARED:
        counts = rng.multinomial(problems, np.full(problems, 1 / problems), size=_DRAWS)
        moved = counts @ outcomes / problems - outcomes.mean(axis=0)
        return np.vstack([np.round(predicted, _DIGITS), np.round(predicted + moved, _DIGITS)])
    a, b = np.array([cell.beta for cell in estimates]).T
    return np.vstack([predicted, rng.beta(a, b, size=(_DRAWS, len(estimates)))])


def _gain(ratios: Floats, sides: Sides) -> Gain:
    """Return the gain with its interval; a draw that is a bound may lie anywhere beyond it.

    Args:
        ratios: the estimate, then its draws, shape `(1 + draws,)`.
        sides: 0 for an exact ratio, 1 for a lower and -1 for an upper bound, shape `(1 + draws,)`.
    """
    low = np.where(sides[1:] < 0, 0.0, ratios[1:])
    high = np.where(sides[1:] > 0, np.inf, ratios[1:])
    tail = (1 - LEVEL) / 2
    interval = (
        float(np.quantile(low, tail, method="lower")),
        float(np.quantile(high, 1 - tail, method="higher")),
    )
    return Gain(float(ratios[0]), {0: "=", 1: ">", -1: "<"}[int(sides[0])], interval)


def reached_at(budgets: Floats, accuracy: Floats, target: Floats) -> tuple[Floats, Sides]:
    """Return the budget at which each curve reaches an accuracy, by linear interpolation.

    Args:
        budgets: budgets of the points, shape `(points,)`, in any order; if budgets are equal, the
            most accurate point counts.
        accuracy: accuracies of the points, shape `(draws, points)`.
        target: the accuracy to reach, shape `(draws,)`.

    Returns:
        The budget and its side, each of shape `(draws,)`. The side is 0 if the budget is exact, -1
        if the curve is above the target at the smallest budget (which is returned), and 1 if it
        never reaches the target (the largest budget is returned).
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
    """Return notes on the gain over majority vote: one per relation, for all units of budget.

    A bound that does not decide which of the two needs the larger budget is left out.
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
    """Return unit, gain, and both ends of the interval, for the gains of one relation."""
    return tuple(
        (unit, gain.gain, *gain.interval)
        for unit, gain in gains.items()
        if gain.relation == relation and _tells(gain)
    )


def _tells(gain: Gain) -> bool:
    """Return whether the gain decides which budget is larger; "more than 0.25" does not."""
    match gain.relation:
        case ">":
            return gain.gain > 1
        case "<":
            return gain.gain < 1
    return True
