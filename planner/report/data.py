"""What a report is made of: findings that other modules have made, gathered by its command."""

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
        source: how it was found (`measured`, `replayed`, `imported`, `published`, `model`).
        strategy: name of the kind of strategy, or the key of the one published; may be empty.
        prm: empty where none was used.
        budgets: generations a problem that there is evidence at.
        problems: distinct ones; None where it is not of problems.
        rows: how many, one a strategy and problem; of published evidence figures.
        origin: where it is from.
        accuracy: as published; None where it is this program that says it.
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
    """What a report shows.

    Attributes:
        policy, prm: names of the models; None where no PRM is used.
        advice: one a difficulty.
        found: by difficulty, every strategy that something is known of.
        mix: how many problems of each difficulty the evidence is of.
        basis: what it rests on.
        rewards: `RewardStatistics.to_dict()`, or None.
        scores: reliability of the PRM's scores, empty where they are not known.
        fit: `planner.prediction.tuning.Fit.metrics()`, or None.
        runs: held-out runs, the plan first.
        paired: accuracy of the first run minus that of others, which they are named by.
        notes: what the evidence is of, and the costs that are not known.
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
