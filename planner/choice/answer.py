"""The answer of every interface: a recommendation with its notes and what is shown beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from planner.choice.against import Against
from planner.choice.cheaper import Cheaper, cheaper, cheaper_note
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate
from planner.choice.few_problems import few_problems_notes
from planner.choice.majority_equivalent import Efficiency, efficiency, majority_notes
from planner.choice.measurement_commands import commands
from planner.choice.next_measurement import (
    PROBLEMS,
    NextMeasurement,
    measurement_note,
    next_measurement,
)
from planner.choice.paired import Compare, measured
from planner.choice.recommend import Recommendation
from planner.choice.runner_up import RunnerUp, runner_up, runner_up_note
from planner.choice.shrinkage import shrinkage_notes
from planner.evidence.cells import rows_of
from planner.notes import Note


@dataclass(frozen=True, slots=True)
class Answer:
    """A recommendation with the notes and comparisons that a reader needs.

    Attributes:
        policy, prm: names of the policy and of the PRM; None means no PRM. Of an answer over
            several models they are those of the choice.
        rows: the evidence behind the answer; empty over several models.
        made: the recommendation: choice, alternatives within the limits, Pareto front and notes.
        second: the runner-up; None if the choice has no rival.
        why: note on why the runner-up lost; None if there is no runner-up.
        less: a cheaper choice that is nearly as good; None if there is none.
        measurement: value of measuring more problems; None if nothing was measured.
        gains: efficiency gain over majority vote, by unit of budget.
        published: published figures, if nothing was measured (`planner.published.answer`); over
            several models also the kinds of measured evidence.
        own: whether the evidence is runs of this store; further runs then add to it.
        notes: notes on the evidence, and further remarks for the reader.
        policies: names of the policies that the choice was made among, the smallest first; empty
            if it was asked of one policy and PRM.
        against: the choice beside one answer of every larger policy, the largest first.
        pairs: for every two of the policies, the smaller one's strategy beside one answer of the
            larger one, the largest first.
        printed: pairs of policies that others have compared in print, as plain values.
        constraint: limits and target that the choice keeps to.
    """

    policy: str
    prm: str | None
    rows: pd.DataFrame
    made: Recommendation
    second: RunnerUp | None
    why: Note | None
    less: Cheaper | None
    measurement: NextMeasurement | None
    gains: Mapping[str, Efficiency]
    published: tuple[dict[str, Any], ...] = ()
    own: bool = True
    notes: tuple[Note, ...] = ()
    policies: tuple[str, ...] = ()
    against: tuple[Against, ...] = ()
    pairs: tuple[Against, ...] = ()
    printed: tuple[dict[str, Any], ...] = ()
    constraint: Constraint = Constraint()

    @property
    def target(self) -> float | None:
        """The target accuracy, for the chances of strategies of several models; else None."""
        return self.constraint.target_accuracy if self.policies else None

    @property
    def shown(self) -> tuple[StrategyEstimate, ...]:
        """The rows of a table, cheapest first: Pareto front, choice, runner-up, cheaper choice."""
        made = self.made
        named = [one.choice for one in (self.second, self.less) if one is not None]
        rows = [*made.pareto, made.choice, *named]
        once = {one.run: one for one in rows}.values()
        return tuple(sorted(once, key=lambda one: one.price(made.cost_unit)))

    def marks(self, choice: StrategyEstimate) -> tuple[str, ...]:
        """Return the roles of a strategy in this answer, such as `runner-up`, as words."""
        named = (
            ("surest" if self.made.misses_target else "recommended", self.made.choice),
            ("runner-up", self.second and self.second.choice),
            ("cheaper", self.less and self.less.choice),
        )
        return tuple(words for words, one in named if one and one.run == choice.run)

    @property
    def remarks(self) -> list[Note]:
        """Notes on the runner-up, the cheaper choice and majority vote."""
        runner_ups = [] if self.why is None else [self.why]
        cheaper = [] if self.cheaper_note is None else [self.cheaper_note]
        return [*runner_ups, *cheaper, *majority_notes(self.gains)]

    @property
    def cheaper_note(self) -> Note | None:
        """The note on the cheaper choice; None if there is no cheaper choice."""
        return None if self.less is None else cheaper_note(self.less, self.made)

    @property
    def measurement_note(self) -> Note | None:
        """The note on the value of more problems; None if nothing was measured."""
        return None if self.measurement is None else measurement_note(self.measurement, self.made)

    @property
    def buy(self) -> tuple[str, ...]:
        """Command lines of the measurement.

        The tuple is empty if there is no measurement, or if the evidence is not runs of this store:
        new runs would then replace it.
        """
        if not self.own or self.measurement is None:
            return ()
        cells, problems = self.measurement.cells, self.measurement.problems
        return commands(cells, problems, self.policy, self.prm, self.made.difficulty)


def explain(
    rows: pd.DataFrame,
    policy: str,
    prm: str | None,
    made: Recommendation,
    estimates: Sequence[StrategyEstimate],
    constraint: Constraint,
    next_problems: int = PROBLEMS,
    *,
    own: bool,
) -> Answer:
    """Make the answer around a recommendation that rests on evidence.

    Args:
        rows: evidence of this policy and PRM.
        policy, prm: names of the policy and of the PRM; None means no PRM.
        made: the recommendation under `constraint`.
        estimates: estimates of all strategies, also of those outside the limits.
        constraint: the constraint of the recommendation.
        next_problems: number of problems of the proposed measurement.
        own: see `Answer`.
    """
    level = made.difficulty
    of_level = rows_of(rows, level)
    made = replace(made, notes=(*made.notes, *shrinkage_notes(made.choice, of_level)))
    return of_choice(
        policy,
        prm,
        rows,
        made,
        constraint,
        measured(of_level),
        measurement=next_measurement(made, estimates, constraint, of_level, next_problems),
        gains=efficiency(made.choice, estimates, of_level),
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
    measurement: NextMeasurement | None = None,
    gains: Mapping[str, Efficiency] | None = None,
    published: tuple[dict[str, Any], ...] = (),
    own: bool = True,
) -> Answer:
    """Make the answer around a recommendation, with its runner-up and its cheaper choice.

    Args:
        policy, prm, rows, made, measurement, gains, published, own: as in `Answer`.
        constraint: the constraint of the recommendation.
        compare: function that contrasts two strategies.
    """
    second = runner_up(made, constraint, compare)
    made = replace(made, notes=(*made.notes, *few_problems_notes(made, second)))
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
        constraint=constraint,
    )
