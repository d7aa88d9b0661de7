"""The next measurement: the value of measuring more problems before the choice.

The method is preposterior analysis (Raiffa and Schlaifer, Applied Statistical Decision Theory,
1961). The outcomes of all strategies on m more problems are drawn from their predictive
distribution; each draw gives new posteriors, and the rule in force chooses again. Strategies are
compared on shared problems only, so a measurement runs all strategies.

Outcomes of strategies on the same problem are correlated: a problem that is hard for one is hard
for others, and no measurement separates two strategies that always agree. Whole problems are
therefore drawn, each with the accuracies of all strategies on it, from a Dirichlet posterior over
the measured problems (the Bayesian bootstrap: Rubin 1981, Annals of Statistics 9(1)). The prior
adds further problems; a strategy solves one of them if its mean exceeds a uniform draw that all
strategies share (Ferguson 1973, Annals of Statistics 1(2)). For a single strategy with outcomes of
0 and 1 the result is exactly its beta-binomial distribution.
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
_DIGITS = 9  # removes rounding errors, so that sums of equal accuracies are equal


@dataclass(frozen=True, slots=True)
class NextMeasurement:
    """The expected value of running all strategies on the same further problems.

    Attributes:
        cells: the strategies to run, with their present estimates.
        problems: number of further problems.
        chance: probability that the choice changes.
        gain: expected accuracy of the strategy that is then most accurate, minus that of the
            present one: the expected value of sample information (never negative).
        saving: expected cost per problem of the present choice minus that of the later choice, in
            the unit of the recommendation; negative if the later choice is expected to cost more.
        cost: cost of the measurement, by field of `Cost`; None if it is not known.
        together: whether whole problems were drawn; if not, no problems are shared, and the
            strategies are taken as independent.
    """

    cells: tuple[StrategyEstimate, ...]
    problems: int
    chance: float
    gain: float
    saving: float
    cost: dict[str, float | None]
    together: bool

    def to_dict(self, commands: Sequence[str]) -> dict[str, Any]:
        """Return plain values for JSON, with the command lines of the measurement."""
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
    estimates: Sequence[StrategyEstimate],
    constraint: Constraint,
    rows: pd.DataFrame,
    problems: int = PROBLEMS,
    *,
    draws: int = DRAWS,
    random_state: int = 0,
) -> NextMeasurement:
    """Estimate the value of running every strategy on `problems` further problems.

    Args:
        made: the recommendation; its choice and alternatives are what the rule chooses from.
        estimates: estimates of all strategies for this policy, PRM and difficulty; all are run.
        constraint: the constraint of the recommendation.
        rows: the evidence behind the recommendation, of its difficulty.
        problems: number of further problems, of the same kind as the measured ones.
        draws: number of simulated measurements; a probability has a standard error of at most
            1 / (2 sqrt(draws)).
        random_state: seed of the draws.

    Raises:
        InputError: `problems` is below 1.
    """
    if problems < 1:
        raise InputError(f"next-problems is {problems}; expected a whole number of at least 1")
    cells = [made.choice, *made.alternatives]  # the first is the present choice
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
    # The present best has the same expected accuracy before and after; the difference is taken
    # within each draw, which cancels noise.
    gains = then.max(axis=1) - then[:, np.argmax(a / (a + b))]
    return NextMeasurement(
        tuple(estimates),
        problems,
        chance=float(np.mean(picks != 0)),
        gain=float(gains.mean()),
        saving=float(np.mean(prices[0] - prices[picks])),
        cost=whole_cost(estimates, problems),
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
    """Draw the number of correct answers of every strategy, problem by problem.

    Args:
        table: accuracies on the measured problems, shape `(seen, strategies)`.
        means: posterior mean of each strategy, shape `(strategies,)`; the draws have these means.
        priors: weight of each strategy's prior in problems, shape `(strategies,)`. A drawn problem
            is common to all strategies, so the largest weight is used; the prior means of the other
            strategies move toward their measured accuracies.
        problems: number of further problems.
        draws: number of draws.
        rng: generator of the draws.

    Returns:
        Correct answers, shape `(draws, strategies)`.
    """
    seen, weight = len(table), priors.max()
    rates = table.mean(axis=0)
    believed = np.clip(rates + (means - rates) * (weight + seen) / weight, 0.0, 1.0)
    ends = np.unique([*believed, 1.0])
    shares = np.diff(ends, prepend=0.0)
    further = believed >= ends[:, None]  # solved if the mean reaches the draw
    atoms = np.vstack([table, further[shares > 0]])
    alpha = np.concatenate([np.ones(seen), weight * shares[shares > 0]])
    counts = rng.multinomial(problems, rng.dirichlet(alpha, size=draws))
    return np.asarray(np.round(counts @ atoms, _DIGITS))


def _chances(
    a: Floats, b: Floats, worth: Floats, right: Floats, problems: int, target: float
) -> Floats:
    """Return P(accuracy >= target) given the drawn outcomes, shape `(draws, strategies)`.

    Values are exact on a grid and interpolated linearly between its points. The grid has every
    whole number of correct answers if `problems` is at most `_STEPS`.
    """
    steps = problems * (_STEPS // problems) or _STEPS
    grid = np.linspace(0, problems, steps + 1)
    gained, lost = worth * grid[:, None], worth * (problems - grid[:, None])
    table = probability_above(a + gained, b + lost, target)
    columns = zip(right.T, table.T, strict=True)
    return np.column_stack([np.interp(drawn, grid, exact) for drawn, exact in columns])


def measurement_note(one: NextMeasurement, made: Recommendation) -> Note:
    """Return the note on the value of a measurement.

    `planner.choice.measurement_commands.commands` gives its command lines.
    """
    if one.chance == 0:
        return Note.of(NoteCode.MEASUREMENT_CHANGES_NOTHING, problems=one.problems)
    samples, live = bought(one.cells)
    parts = one.cost["generated_tokens"], one.cost["prm_tokens"]
    counts = [part for part in parts if part is not None]
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
        tokens=sum(counts) if len(counts) == len(parts) else None,
    )
