"""What would change the answer: the value of measuring more problems before choosing.

Preposterior analysis (Raiffa and Schlaifer, Applied Statistical Decision Theory, 1961): what all
strategies do on m more problems is drawn from what is known; each draw gives other posteriors, and
the rule in force then chooses. Only problems that all strategies were run on count, so a
measurement is of all of them.

Strategies that meet the same problems go together: what is hard for one is hard for others, and two
that always answer alike cannot be told apart at any price. So whole problems are drawn, each with
the accuracies of all strategies on it, from a Dirichlet posterior over the problems seen (the
Bayesian bootstrap: Rubin 1981, Annals of Statistics 9(1)), with what was believed before them as
further problems that are solved by all strategies believed good enough for one common draw
(Ferguson 1973, Annals of Statistics 1(2)). Of one strategy that is right or wrong this is its
Beta-binomial, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from executor.errors import InputError
from executor.strategy import to_dict
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.measurement_commands import bought, whole_cost
from planner.choice.recommend import Recommendation
from planner.choice.rules import cheapest_sure, most_accurate
from planner.evidence.comparable import paired_accuracies
from planner.notes import Note, NoteCode
from planner.prediction.beta import probability_above

Floats = NDArray[np.float64]
PROBLEMS = 50
DRAWS = 2000
_STEPS = 200
_DIGITS = 9  # sums of equal accuracies are equal, whatever their last bits


@dataclass(frozen=True, slots=True)
class Measurement:
    """What running all strategies on the same further problems is expected to be worth.

    Attributes:
        cells: what would be run, with what is known of it now.
        problems: how many more.
        chance: probability that something else is chosen afterwards.
        gain: expected accuracy of the most accurate strategy afterwards, minus that of today's: the
            expected value of sample information (never negative).
        saving: expected cost a problem of what is chosen today minus that of what is chosen
            afterwards, in the unit that costs are compared by; negative where dearer ones are.
        cost: of all of it, by name as in `Cost`; None where it is not known.
        together: whether problems were drawn whole; else no problems are shared, and strategies
            are taken as independent.
    """

    cells: tuple[StrategyEstimate, ...]
    problems: int
    chance: float
    gain: float
    saving: float
    cost: dict[str, float | None]
    together: bool

    def to_dict(self, commands: Sequence[str]) -> dict[str, Any]:
        """Plain values, for JSON, with the command lines that buy it."""
        return {
            "strategies": [to_dict(cell.strategy) for cell in self.cells],
            "problems": self.problems,
            "chance_of_change": self.chance,
            "expected_gain": self.gain,
            "expected_saving": self.saving,
            "cost": self.cost,
            "drawn_together": self.together,
            "commands": list(commands),
        }


def next_measurement(
    made: Recommendation,
    found: Sequence[StrategyEstimate],
    constraint: Constraint,
    rows: pd.DataFrame,
    problems: int = PROBLEMS,
    *,
    draws: int = DRAWS,
    random_state: int = 0,
) -> Measurement:
    """What `problems` more with every strategy are worth.

    Args:
        made: the choice, and what else keeps to the limits: what is chosen from.
        found: everything known of this policy, PRM and difficulty: what must be run.
        constraint: what the choice was made under.
        rows: the evidence it rests on, of its difficulty.
        problems: how many more, of the same kind as those measured.
        draws: of what may come; a chance has a standard error of at most 1 / (2 sqrt(draws)).
        random_state: of the draws.

    Raises:
        InputError: fewer than one problem.
    """
    if problems < 1:
        raise InputError(f"next-problems is {problems}; expected a whole number of at least 1")
    cells = [made.choice, *made.alternatives]  # the first is chosen today
    prices = np.array([cell.price(made.cost_unit) for cell in cells])
    a, b = np.array([cell.beta for cell in cells]).T
    table = paired_accuracies(rows, [cell.strategy for cell in cells])
    together = len(table) > 0 and all(
        cell.problems == len(table) and cell.prior_weight is not None for cell in cells
    )
    rng = np.random.default_rng(random_state)
    if together:
        prior = np.array([cell.prior_weight for cell in cells], dtype=float)
        worth = (a + b - prior) / len(table)
        right = drawn_together(table, a / (a + b), prior / worth, problems, draws, rng)
    else:
        worth = np.ones(len(cells))
        right = rng.binomial(problems, rng.beta(a, b, size=(draws, len(cells)))).astype(float)
    then = (a + worth * right) / (a + b + worth * problems)
    if (target := constraint.target_accuracy) is None:
        picks = most_accurate(then, prices)
    else:
        sure = _chances(a, b, worth, right, problems, target)
        picks = cheapest_sure(then, sure, prices, constraint.confidence)
    # What is best today is expected to stay as good as it is: a difference of equal draws.
    gains = then.max(axis=1) - then[:, np.argmax(a / (a + b))]
    return Measurement(
        tuple(found),
        problems,
        chance=float(np.mean(picks != 0)),
        gain=float(gains.mean()),
        saving=float(np.mean(prices[0] - prices[picks])),
        cost=whole_cost(found, problems),
        together=together,
    )


def drawn_together(
    table: Floats,
    means: Floats,
    priors: Floats,
    problems: int,
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    """Right answers of every strategy on so many more problems, each drawn whole.

    Args:
        table: accuracies on the problems seen, shape `(seen, strategies)`.
        means: what is believed of each strategy now; what is drawn has these expectations.
        priors: how many problems weigh as much as what was believed of each before. A problem is
            the same for all, so the largest counts, and its problems are drawn towards those seen
            for the others.
        problems, draws, rng: how much is drawn.

    Returns:
        Shape `(draws, strategies)`.
    """
    seen, weight = len(table), priors.max()
    rates = table.mean(axis=0)
    believed = np.clip(rates + (means - rates) * (weight + seen) / weight, 0.0, 1.0)
    ends = np.unique([*believed, 1.0])
    shares = np.diff(ends, prepend=0.0)
    further = believed >= ends[:, None]  # a common draw up to each end
    atoms = np.vstack([table, further[shares > 0]])
    alpha = np.concatenate([np.ones(seen), weight * shares[shares > 0]])
    counts = rng.multinomial(problems, rng.dirichlet(alpha, size=draws))
    return np.asarray(np.round(counts @ atoms, _DIGITS))


def _chances(
    a: Floats, b: Floats, worth: Floats, right: Floats, problems: int, target: float
) -> Floats:
    """P(accuracy >= target) once so many answers are right, shape `(draws, strategies)`.

    Exact on a grid, which holds all whole numbers of at most `_STEPS` problems; straight between.
    """
    steps = problems * (_STEPS // problems) or _STEPS
    grid = np.linspace(0, problems, steps + 1)
    gained, lost = worth * grid[:, None], worth * (problems - grid[:, None])
    table = probability_above(a + gained, b + lost, target)
    columns = zip(right.T, table.T, strict=True)
    return np.column_stack([np.interp(got, grid, known) for got, known in columns])


def measurement_note(one: Measurement, made: Recommendation) -> Note:
    """A note on what would change the answer; `planner.choice.measurement_commands.commands` gives
    the command lines."""
    if one.chance == 0:
        return Note.of(NoteCode.MEASUREMENT_CHANGES_NOTHING, problems=one.problems)
    samples, live = bought(one.cells)
    parts = one.cost["generated_tokens"], one.cost["prm_tokens"]
    known = [part for part in parts if part is not None]
    return Note.of(
        NoteCode.MEASUREMENT_MAY_CHANGE,
        problems=one.problems,
        samples=samples,
        live=live,
        chance=one.chance,
        together=one.together,
        gain=one.gain,
        saving=one.saving / made.choice.price(made.cost_unit),
        unit=made.cost_unit,
        tokens=sum(known) if len(known) == len(parts) else None,
    )
