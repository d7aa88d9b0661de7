"""Summaries of runs: accuracy with its interval, number of problems, and tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from executor.ledger import Ledger
from executor.problem import problem_uid
from executor.run.runner import CONTEXT_EXCEEDED, ISOLATION, ONLY_THOUGHTS
from executor.store.store import StoredOutcome
from planner.prediction.paired_statistics import paired_interval
from profiling.pass_rate import PassRate


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The summary of one run.

    Attributes:
        name: key of the strategy that was run, or `plan`.
        problems: number of finished problems.
        graded: number of those whose reference answer is known.
        correct: number of right answers among them.
        accuracy, interval: share right and its 95 % interval (Jeffreys); None if none is graded.
        ledger: tokens of all problems.
        seconds: mean time from a problem's start to its answer.
        engine: the engines' own counters of this run (`EngineWork` as a record); they equal the
            ledger if no problem was finished before.
        context_exceeded: number of problems whose question fills the policy's context. Nothing was
            drawn for them; those with a reference answer count as wrong.
        isolation: what kept programs from the machine (`executor.sandbox.sandbox.Isolation`);
            several if not all problems ran alike, none if no programs ran.
        only_thoughts: number of responses that ended inside their thought, without an answer.
    """

    name: str
    problems: int
    graded: int
    correct: int
    accuracy: float | None
    interval: tuple[float, float] | None
    ledger: Ledger
    seconds: float
    engine: Mapping[str, Any] | None = None
    context_exceeded: int = 0
    isolation: tuple[str, ...] = ()
    only_thoughts: int = 0

    @property
    def tokens_per_problem(self) -> float:
        """Generated tokens a problem, dropped ones and probes included."""
        return self.ledger.policy_generated / self.problems if self.problems else 0.0

    @property
    def prm_tokens_per_problem(self) -> float:
        """PRM tokens forwarded a problem."""
        return self.ledger.prm / self.problems if self.problems else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {
            "isolation": list(self.isolation),
            "tokens_per_problem": self.tokens_per_problem,
            "prm_tokens_per_problem": self.prm_tokens_per_problem,
        }


def summarise_run(
    name: str, outcomes: Iterable[StoredOutcome], engine: Mapping[str, Any] | None = None
) -> RunSummary:
    """Summarise a run's outcomes.

    Args:
        name: of the summary.
        outcomes: the finished problems.
        engine: the engines' own counters.
    """
    stored = list(outcomes)
    found = [one.outcome for one in stored]
    graded = [outcome for outcome in found if outcome.correct is not None]
    right = sum(bool(outcome.correct) for outcome in graded)
    rate = PassRate(right, len(graded)) if graded else None
    return RunSummary(
        name=name,
        problems=len(found),
        graded=len(graded),
        correct=right,
        accuracy=None if rate is None else rate.pass_at_1,
        interval=None if rate is None else rate.interval(),
        ledger=sum((outcome.ledger for outcome in found), Ledger()),
        seconds=sum(outcome.seconds for outcome in found) / len(found) if found else 0.0,
        engine=engine,
        context_exceeded=sum(bool(one.note.get(CONTEXT_EXCEEDED)) for one in stored),
        isolation=isolations(stored),
        only_thoughts=sum(one.note.get(ONLY_THOUGHTS, 0) for one in stored),
    )


def isolations(outcomes: Iterable[StoredOutcome]) -> tuple[str, ...]:
    """Return the names of what kept the programs of a run from the machine."""
    return tuple(sorted({one.note[ISOLATION] for one in outcomes if ISOLATION in one.note}))


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Accuracy of one run minus another's on the same problems.

    Attributes:
        against: name of the other run.
        difference, interval: mean difference and its 95 % interval (Agresti-Min).
        problems: number of problems that are graded in both runs.
    """

    against: str
    difference: float
    interval: tuple[float, float]
    problems: int


def paired_difference(
    one: Iterable[StoredOutcome], other: Iterable[StoredOutcome], against: str
) -> PairedDifference | None:
    """Compare two runs problem by problem; None if they share no graded problem."""
    first, second = _correct_by_problem(one), _correct_by_problem(other)
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    differences = np.array([float(first[uid]) - float(second[uid]) for uid in shared])
    low, high = paired_interval(differences)
    return PairedDifference(against, float(differences.mean()), (low, high), len(shared))


def _correct_by_problem(outcomes: Iterable[StoredOutcome]) -> dict[str, bool]:
    return {
        problem_uid(stored.outcome.problem): stored.outcome.correct
        for stored in outcomes
        if stored.outcome.correct is not None
    }
