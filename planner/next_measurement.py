"""What would change the answer: the value of measuring one more cell before choosing.

Preposterior analysis (Raiffa and Schlaifer, Applied Statistical Decision Theory, 1961): a cell's
accuracy is Beta(a, b); of m more problems k are right with a Beta-binomial probability; each k
gives another posterior, and the rule in force then chooses. Summed over k = 0 ... m this is exact,
for expectations as for chances. Cells are taken as independent and others stay as they are: where
outcomes on the same problems go together, a difference is surer than this has it. Only problems
that all strategies were run on count, so the cost is that of running all.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from executor.errors import InputError
from executor.strategy import BestOfN, Majority, Strategy, key, to_dict
from planner.constraint import Constraint
from planner.costs import Cost
from planner.posterior import predictive, probability_above
from planner.recommend import Choice, Recommendation, unit_name
from planner.selection import cheapest_sure, most_accurate

Floats = NDArray[np.float64]
PROBLEMS = 50
# The sums are of numbers of order 1: what is smaller than this is rounding.
_ROUNDING = 1e-12
_WORTH_SAYING = 5e-5  # of accuracy, or of a cost


@dataclass(frozen=True, slots=True)
class Measurement:
    """What running one strategy on more problems is expected to be worth.

    Attributes:
        choice: the strategy that would be run, with what is known of it now.
        problems: how many more.
        chance: probability that something else is chosen afterwards.
        gain: expected accuracy of the most accurate strategy afterwards, minus that of today's: the
            expected value of sample information (never negative).
        saving: expected cost a problem of what is chosen today minus that of what is chosen
            afterwards, in the unit that costs are compared by; negative where dearer ones are.
        cost: of running all strategies compared on these problems, as only problems that all were
            run on count; each run apart, though samples may be shared. By name as in `Cost`; None
            where it is not known.
    """

    choice: Choice
    problems: int
    chance: float
    gain: float
    saving: float
    cost: dict[str, float | None]

    def to_dict(self, command: str | None) -> dict[str, Any]:
        """Plain values, for JSON, with the command line that begins it."""
        return {
            "strategy": to_dict(self.choice.strategy),
            "problems": self.problems,
            "chance_of_change": self.chance,
            "expected_gain": self.gain,
            "expected_saving": self.saving,
            "cost": self.cost,
            "command": command,
        }


def next_measurements(
    made: Recommendation, constraint: Constraint, problems: int = PROBLEMS
) -> list[Measurement]:
    """What `problems` more of each cell are worth, the most likely to change the choice first.

    Args:
        made: the choice, and what else keeps to the limits.
        constraint: what it was made under.
        problems: how many more, of the same kind as those measured.

    Raises:
        InputError: fewer than one problem.
    """
    if problems < 1:
        raise InputError(f"next-problems {problems}: must be a whole number of at least 1")
    cells = [made.choice, *made.alternatives]
    prices = np.array([cell.price(made.cost_unit) for cell in cells])
    means = np.array([cell.predicted_accuracy for cell in cells])
    target = constraint.target_accuracy
    sure = None if target is None else np.array([c.probability_above(target) for c in cells])

    def chosen(means: Floats, sure: Floats | None) -> NDArray[np.intp]:
        if sure is None:
            return most_accurate(means, prices)
        return cheapest_sure(means, sure, prices, constraint.confidence)

    today = int(chosen(means[None, :], None if sure is None else sure[None, :])[0])
    whole = _whole([cell.cost for cell in cells], problems)
    found = []
    for i, cell in enumerate(cells):
        a, b = cell.beta
        right = np.arange(problems + 1)
        weights = predictive(a, b, problems)
        then = np.tile(means, (problems + 1, 1))
        then[:, i] = (a + right) / (a + b + problems)
        surer = None
        if sure is not None and target is not None:
            surer = np.tile(sure, (problems + 1, 1))
            after = np.asarray(a + right), np.asarray(b + problems - right)
            surer[:, i] = probability_above(*after, target)
        picks = chosen(then, surer)
        found.append(
            Measurement(
                cell,
                problems,
                chance=_rounded(weights @ (picks != today)),
                gain=_rounded(weights @ (then.max(axis=1) - means.max())),
                saving=float(weights @ (prices[today] - prices[picks])),
                cost=whole,
            )
        )
    return sorted(found, key=lambda one: (-one.chance, -one.gain))


def command(
    strategy: Strategy, problems: int, policy: str, prm: str | None, difficulty: str
) -> str:
    """The command line that buys a measurement.

    Majority and best-of-N are bought as a profile: its samples say what every smaller budget, score
    and vote would have answered, besides. The file of problems is the user's; it counts in full
    only where the other strategies are run on the same problems, see `planner.evidence.for_pair`.
    """
    words = ["--problems", "problems.jsonl" if difficulty == "all" else f"{difficulty}.jsonl"]
    words += ["--limit", str(problems), "--policy", policy]
    if strategy.needs_prm and prm is not None:
        words += ["--prm", prm]
    if isinstance(strategy, Majority | BestOfN):
        return shlex.join(["apportion", "profile", *words, "--max-samples", str(strategy.n)])
    words += ["--strategies", strategy.name, "--budgets", str(strategy.n)]
    for option, value in to_dict(strategy).items():
        if option not in ("name", "n"):
            words += [f"--{option.replace('_', '-')}", str(value)]
    return shlex.join(["apportion", "measure", *words])


def sentence(best: Measurement, made: Recommendation) -> str:
    """What would change the answer, in words; `command` says how to begin."""
    if best.chance == 0:
        return f"no {best.problems} more problems of any one strategy would change this choice"
    worth = [f"{best.gain:.4f} more accuracy"] if best.gain >= _WORTH_SAYING else []
    if (saved := best.saving / made.choice.price(made.cost_unit)) >= _WORTH_SAYING:
        unit = unit_name(made.cost_unit)
        worth.append(f"{saved:.0%} fewer {unit} a problem")
    parts = best.cost["generated_tokens"], best.cost["prm_tokens"]
    known = [part for part in parts if part is not None]
    tokens = f"at most {sum(known):,.0f} tokens" if len(known) == len(parts) else "not known"
    return (
        f"what could change this: {key(best.choice.strategy)} on {best.problems} more problems, "
        f"with a chance of {best.chance:.0%} if strategies were independent, and on average "
        f"{' and '.join(worth) or 'no gain'}; all strategies compared must be run on these "
        f"problems, as only shared ones count: what that takes is {tokens}"
    )


def _whole(costs: list[Cost], problems: int) -> dict[str, float | None]:
    """What so many problems cost with every strategy, by name; None where one is not known."""
    records = [cost.to_dict() for cost in costs]
    found: dict[str, float | None] = {}
    for name in records[0]:
        values = [record[name] for record in records]
        total = sum(math.nan if value is None else value for value in values) * problems
        found[name] = total if math.isfinite(total) else None
    return found


def _rounded(value: float) -> float:
    """A sum that is a probability or not negative, without what rounding made of 0."""
    return 0.0 if abs(value) < _ROUNDING else float(value)
