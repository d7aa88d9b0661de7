"""An answer: a recommendation with all that is said of it, the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from executor.strategy import key
from planner.choice.cheaper import Cheaper, cheaper
from planner.choice.cheaper import sentence as less_words
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.majority_equivalent import Efficiency, efficiency
from planner.choice.majority_equivalent import sentences as gain_words
from planner.choice.measurement_commands import commands
from planner.choice.next_measurement import PROBLEMS, Measurement, next_measurement
from planner.choice.paired import Compare, measured
from planner.choice.recommend import Recommendation
from planner.choice.runner_up import RunnerUp, runner_up, why
from planner.choice.shrinkage import drawn
from profiling.difficulty.pass_rate import ALL


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommendation with all that is said of it.

    Attributes:
        policy, prm: whom it is for.
        rows: the evidence it rests on.
        made: the choice, what else keeps to the limits, the Pareto front, notes.
        second: the runner-up; `why` it lost.
        less: what is nearly as good for less.
        measurement: what more problems would be worth; None where nothing was measured.
        gains: efficiency gain over majority vote, by unit of budget.
        published: figures of others, where nothing was measured (`planner.published.answer`).
        own: whether it rests on runs of this store, which more of them add to.
        notes: for people.
    """

    policy: str
    prm: str | None
    rows: pd.DataFrame
    made: Recommendation
    second: RunnerUp | None
    why: str | None
    less: Cheaper | None
    measurement: Measurement | None
    gains: Mapping[str, Efficiency]
    published: tuple[dict[str, Any], ...] = ()
    own: bool = True
    notes: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[StrategyEstimate, ...]:
        """What is worth a row of a table, the cheapest first: the choice, the Pareto front, and
        whatever else is named beside the choice."""
        made = self.made
        named = [one.choice for one in (self.second, self.less) if one is not None]
        rows = [*made.pareto, made.choice, *named]
        once = {key(one.strategy): one for one in rows}.values()
        return tuple(sorted(once, key=lambda one: one.price(made.cost_unit)))

    def marks(self, choice: StrategyEstimate) -> tuple[str, ...]:
        """What a strategy is in this answer, in words."""
        named = (
            ("recommended", self.made.choice),
            ("runner-up", self.second and self.second.choice),
            ("cheaper", self.less and self.less.choice),
        )
        return tuple(words for words, one in named if one and one.strategy == choice.strategy)

    @property
    def said(self) -> list[str]:
        """What is said beside the choice, a sentence each without a full stop."""
        told = [] if self.why is None else [f"runner-up: {self.why}"]
        if self.less is not None:
            told.append(f"cheaper: {less_words(self.less, self.made)}")
        return told + gain_words(self.gains)

    @property
    def buy(self) -> tuple[str, ...]:
        """Command lines of the measurement; none where they would replace what this rests on."""
        if not self.own or self.measurement is None:
            return ()
        cells, problems = self.measurement.cells, self.measurement.problems
        return commands(cells, problems, self.policy, self.prm, self.made.difficulty)


def explain(
    rows: pd.DataFrame,
    policy: str,
    prm: str | None,
    made: Recommendation,
    found: Sequence[StrategyEstimate],
    constraint: Constraint,
    next_problems: int = PROBLEMS,
    *,
    own: bool,
) -> Answer:
    """What is said of a choice.

    Args:
        rows: the evidence of this policy and PRM.
        policy, prm: whom it is for.
        made: the choice, under `constraint`.
        found: everything known, whatever it costs.
        constraint: what it keeps to.
        next_problems: of a measurement.
        own: see `Answer`.
    """
    level = made.difficulty
    of_level = rows if level == ALL else rows[rows["difficulty"] == level]
    made = replace(made, notes=(*made.notes, *drawn(made.choice, of_level)))
    return of_choice(
        policy,
        prm,
        rows,
        made,
        constraint,
        measured(of_level),
        measurement=next_measurement(made, found, constraint, of_level, next_problems),
        gains=efficiency(made.choice, found, of_level),
        own=own,
    )


def of_choice(
    policy: str,
    prm: str | None,
    rows: pd.DataFrame,
    made: Recommendation,
    constraint: Constraint,
    compare: Compare,
    *,
    measurement: Measurement | None = None,
    gains: Mapping[str, Efficiency] | None = None,
    published: tuple[dict[str, Any], ...] = (),
    own: bool = True,
) -> Answer:
    """A choice beside what else there is to choose; see `Answer`.

    Args:
        policy, prm, rows, made, measurement, gains, published, own: as in `Answer`.
        constraint: what the choice was made under.
        compare: how two choices differ.
    """
    second = runner_up(made, constraint, compare)
    return Answer(
        policy=policy,
        prm=prm,
        rows=rows,
        made=made,
        second=second,
        why=None if second is None else why(second, made, constraint),
        less=cheaper(made, compare),
        measurement=measurement,
        gains=gains or {},
        published=published,
        own=own,
    )
