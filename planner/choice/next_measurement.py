"""The next measurement: the value of measuring more problems before the choice.

The method is preposterior analysis (Raiffa and Schlaifer, Applied Statistical Decision Theory,
1961). The outcomes of all strategies on m more problems are drawn from their predictive
distribution; each draw gives new posteriors, and the rule in force chooses again. Strategies are
compared on shared problems only, so a measurement runs all strategies.

Outcomes of strategies on the same problem are correlated: a problem that is hard for one is hard
for others, and only problems on which two strategies differ separate them. The choice is therefore
drawn from its own beta-binomial distribution, and every other strategy by its difference to the
choice on the measured problems (`planner.prediction.further_problems`). These differences include
disagreements that were not seen yet, so no choice is beyond change. The differences are taken as
independent of the choice's own accuracy, which matters only if there is a target.

`bench/next_measurement.py` compares claims with what further problems did.
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
from planner.prediction.further_problems import Differences

Floats = NDArray[np.float64]
PROBLEMS = 50
DRAWS = 2000
_EDGE = 1e-6  # least distance of a later estimate from 0 and 1, so that it has a distribution


@dataclass(frozen=True, slots=True)
class NextMeasurement:
    """The expected value of running all strategies on the same further problems.

    Attributes:
        cells: the strategies to run, with their present estimates.
        problems: number of further problems.
        chance: probability that the choice changes; 0 only if there is nothing else to choose.
        gain: expected accuracy of the later choice minus that of the present one. It is negative if
            the later choice is expected to save cost at a loss that the rule accepts.
        saving: expected cost per problem of the present choice minus that of the later choice, in
            the unit of the recommendation; negative if the later choice is expected to cost more.
        cost: cost of the measurement, by field of `Cost`; None if it is not known.
        together: whether strategies were drawn by their differences on the problems they share; if
            not, no problems are shared, and the strategies are taken as independent.
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
    shrunk = [cell.shrunk for cell in cells if cell.shrunk and cell.problems == len(table)]
    together = len(table) > 0 and len(shrunk) == len(cells)
    rng = np.random.default_rng(random_state)
    if together:
        prior, own = np.array([(one.prior, one.own) for one in shrunk]).T
        apart = Differences.of(table, a / (a + b)).draw(problems, draws, rng)
        first = beta_binomial(a[:1], b[:1], problems, draws, rng) / problems
        # A normal approximation: a sum may lie outside of 0 and 1, which keeps its mean exact.
        drawn = np.column_stack([first, first + apart])
        then = later_estimates(prior, own, table.mean(axis=0), drawn, len(table), problems)
        worth = (a + b) * (1 + problems / len(table))
    else:
        right = beta_binomial(a, b, problems, draws, rng)
        then, worth = (a + right) / (a + b + problems), a + b + problems
    if (target := constraint.target_accuracy) is None:
        picks = most_accurate(then, prices)
    else:
        inside = np.clip(then, _EDGE, 1 - _EDGE)
        sure = probability_above(worth * inside, worth * (1 - inside), target)
        picks = cheapest_sure(then, sure, prices, constraint.confidence)
    ahead = then - then[:, :1]  # of the present choice
    changes = int(np.count_nonzero(picks))
    return NextMeasurement(
        tuple(estimates),
        problems,
        # A change that none of the draws has is rare, not impossible (Krichevsky and Trofimov 1981,
        # IEEE Transactions on Information Theory 27(2)).
        chance=(changes + 0.5) / (draws + 1) if len(cells) > 1 else 0.0,
        gain=float(ahead[np.arange(draws), picks].mean()),
        saving=float(np.mean(prices[0] - prices[picks])),
        cost=whole_cost(estimates, problems),
        together=together,
    )


def beta_binomial(
    a: Floats, b: Floats, problems: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Draw correct answers on further problems, strategy by strategy.

    Args:
        a, b: parameters of the accuracies, shape `(strategies,)`.
        problems: number of further problems.
        draws: number of draws.
        rng: generator of the draws.

    Returns:
        Shape `(draws, strategies)`; a column is beta-binomial, and columns are independent.
    """
    accuracy = rng.beta(a, b, size=(draws, len(a)))
    return rng.binomial(problems, accuracy).astype(np.float64)


def later_estimates(
    prior: Floats, own: Floats, measured: Floats, drawn: Floats, seen: int, problems: int
) -> Floats:
    """Return the estimates that further outcomes give, as `planner.prediction.joint` makes them.

    An estimate lies between the strategy's measured accuracy and a prediction. With more problems
    the prediction moves with their level, and the strategy's own outcomes weigh more: their weight
    T / (T + R) has a variance R that falls with the number of problems.

    Args:
        prior: predictions that the outcomes are shrunk toward, shape `(strategies,)`.
        own: weights of the strategies' own outcomes in the estimates, shape `(strategies,)`.
        measured: measured accuracies, shape `(strategies,)`.
        drawn: accuracies on the further problems, shape `(draws, strategies)`.
        seen, problems: number of measured and of further problems.

    Returns:
        Shape `(draws, strategies)`.
    """
    whole = (seen * measured + problems * drawn) / (seen + problems)
    moved = prior + (whole - measured).mean(axis=1, keepdims=True)
    weight = own / (own + (1 - own) * seen / (seen + problems))
    return np.asarray(moved + weight * (whole - moved))


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
