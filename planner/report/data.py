"""The input of a report: findings of other modules, gathered by its use case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.choice.answer import Answer
from planner.choice.estimate import StrategyEstimate
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.notes import Note
from profiling.reliability import Bin


@dataclass(frozen=True, slots=True)
class BasisRow:
    """Evidence of one kind, or one published figure.

    Attributes:
        source: kind of source (`measured`, `replayed`, `imported`, `published`, `model`).
        strategy: name of the kind of strategy, or key of the published strategy; may be empty.
        prm: name of the PRM; empty if none was used.
        budgets: budgets with evidence, in generations per problem.
        problems: number of distinct problems; None if the evidence is not of problems.
        rows: number of rows, one per strategy and problem; of published evidence, of figures.
        origin: place that the evidence is from, in words.
        accuracy: published accuracy; None for evidence of this program's own.
    """

    source: str
    strategy: str
    prm: str
    budgets: tuple[int, ...]
    problems: int | None
    rows: int
    origin: str
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class ReportData:
    """Findings that a report shows.

    Attributes:
        policy, prm: names of the models; `prm` is None if no PRM is used.
        advice: answers, one per difficulty.
        found: every strategy with an estimate, by difficulty.
        mix: number of problems in the evidence, by difficulty.
        basis: evidence behind the report, row by row.
        rewards: `RewardStatistics.to_dict()`, or None.
        scores: reliability of the PRM's scores; empty if it is not known.
        fit: `planner.prediction.tuning.Fit.metrics()`, or None.
        runs: held-out runs, the plan first.
        paired: accuracy of the first run minus that of each other run; each has the other's name.
        notes: notes on the evidence and on unknown costs.
    """

    policy: str
    prm: str | None
    advice: Sequence[Answer]
    found: Mapping[str, Sequence[StrategyEstimate]]
    mix: Mapping[str, int]
    basis: Sequence[BasisRow]
    rewards: Mapping[str, Any] | None
    scores: Sequence[Bin]
    fit: Mapping[str, Any] | None
    runs: Sequence[RunSummary]
    paired: Sequence[PairedDifference]
    notes: Sequence[Note]
