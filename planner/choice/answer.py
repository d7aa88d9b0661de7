"""An answer: a recommendation with all its notes, the same wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from executor.strategy import key
from planner.choice.cheaper import Cheaper, cheaper, cheaper_note
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.majority_equivalent import Efficiency, efficiency, majority_notes
from planner.choice.measurement_commands import commands
from planner.choice.next_measurement import (
    PROBLEMS,
    Measurement,
    measurement_note,
    next_measurement,
)
from planner.choice.paired import Compare, measured
from planner.choice.recommend import Recommendation
from planner.choice.runner_up import RunnerUp, runner_up, runner_up_note
from planner.choice.shrinkage import shrinkage_notes
from planner.notes import Note
from profiling.pass_rate import ALL


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommendation with all that a reader should know of it.

    Attributes:
        policy, prm: whom it is for.
        rows: the evidence it rests on.
        made: the choice, what else keeps to the limits, the Pareto front, notes.
        second: the runner-up; None: there is none.
        why: a note on why the runner-up lost.
        less: a cheaper choice that is nearly as good; None: there is none.
        measurement: what more problems would be worth; None if nothing was measured.
        gains: efficiency gain over majority vote, by unit of budget.
        published: figures of others, where nothing was measured (`planner.published.answer`).
        own: whether it rests on runs of this store, which more of them add to.
        notes: what the answer rests on, and what else a reader should know.
    """

    policy: str
    prm: str | None
    rows: pd.DataFrame
    made: Recommendation
    second: RunnerUp | None
    why: Note | None
    less: Cheaper | None
    measurement: Measurement | None
    gains: Mapping[str, Efficiency]
    published: tuple[dict[str, Any], ...] = ()
    own: bool = True
    notes: tuple[Note, ...] = ()

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
    def remarks(self) -> list[Note]:
        """Notes on what stands beside the choice: runner-up, cheaper choice, majority vote."""
        runner_ups = [] if self.why is None else [self.why]
        cheaper = [] if self.cheaper_note is None else [self.cheaper_note]
        return [*runner_ups, *cheaper, *majority_notes(self.gains)]

    @property
    def cheaper_note(self) -> Note | None:
        """A note on the cheaper choice; None: there is none."""
        return None if self.less is None else cheaper_note(self.less, self.made)

    @property
    def measurement_note(self) -> Note | None:
        """A note on what more problems would be worth; None if nothing was measured."""
        return None if self.measurement is None else measurement_note(self.measurement, self.made)

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
    """Make the answer to which a choice belongs.

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
    made = replace(made, notes=(*made.notes, *shrinkage_notes(made.choice, of_level)))
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
        why=None if second is None else runner_up_note(second, made, constraint),
        less=cheaper(made, compare),
        measurement=measurement,
        gains=gains or {},
        published=published,
        own=own,
    )
