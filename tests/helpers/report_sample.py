"""An invented report: a small matrix of known accuracies, and all that the planner says of it."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from executor.answers.voting import Vote
from executor.ledger import Ledger
from executor.strategy import (
    AdaptiveMajority,
    BeamSearch,
    BestOfN,
    Dvts,
    Greedy,
    Majority,
    ParticleFilter,
    Score,
    Strategy,
)
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.costs.cost import Rates
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.evidence.cells import difficulty_counts
from planner.notes import Note, NoteCode
from planner.report import BasisRow, ReportData
from planner.usecases.evidence_bundle import EvidenceBundle
from planner.usecases.recommend import choose_from_bundle
from profiling.pass_rate import LEVELS
from profiling.reliability import Bin
from tests.helpers.evidence_frames import simulated_frame

STRATEGIES_RUN: tuple[Strategy, ...] = (
    Greedy(),
    *(Majority(n) for n in (1, 4, 16)),
    *(BestOfN(n, score, Vote.WEIGHTED) for n in (4, 16) for score in (Score.LAST, Score.MIN)),
    BeamSearch(4),
    BeamSearch(16),
    AdaptiveMajority(4),
    ParticleFilter(4, 0.5),
    Dvts(16),
)
_FROM = {"easy": 0.7, "medium": 0.3, "hard": 0.05}
BINS = (Bin(0.05, 0.1, 0.02, 0.3, 40, 12), Bin(0.55, 0.5, 0.3, 0.7, 60, 20))


def estimate(value: float, half: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def rewards(within: dict[str, float], **changes: Any) -> dict[str, Any]:
    return {
        "auc": estimate(0.7),
        "auc_within": within,
        "calibration_error": 0.1,
        "brier": estimate(0.2),
        "problems": 20,
        "mixed_problems": 8,
        "samples": 320,
        "right": 0.3,
    } | changes


@cache
def _full() -> ReportData:
    """Strategies get better in their order; on hard problems by little."""
    frame = simulated_frame(
        {
            level: {s: base + 0.02 * i for i, s in enumerate(STRATEGIES_RUN)}
            for level, base in _FROM.items()
        },
        problems=40,
    )
    bundle = EvidenceBundle(frame, None, None, Rates(1000, 500), ())
    answers = [choose_from_bundle(bundle, "policy", "prm", level, Constraint()) for level in LEVELS]
    return ReportData(
        policy="policy",
        prm="prm",
        advice=answers,
        found={
            level: candidates(frame, "policy", "prm", level, None, bundle.rates)
            for level in LEVELS
        },
        mix=difficulty_counts(frame),
        basis=[
            BasisRow("measured", "greedy", "", (1,), 120, 120, "here"),
            BasisRow("replayed", "best_of_n", "prm", (4, 16), 120, 480, "there"),
        ],
        rewards=rewards(estimate(0.65)),
        scores=BINS,
        fit={
            "log_loss": 0.4, "base_log_loss": 0.5, "calibration": 0.03, "regret": 0.01,
            "regret_error": 0.004, "problems": 20, "rows": 500, "trials": 12,
            "reliability": [dataclasses.asdict(one) for one in BINS],
        },
        runs=[
            RunSummary("plan", 50, 50, 20, 0.4, (0.28, 0.54), Ledger(generated=5000), 1.0),
            RunSummary("greedy", 50, 50, 10, 0.2, (0.11, 0.33), Ledger(generated=500), 1.0),
        ],
        paired=[PairedDifference("greedy", 0.2, (0.05, 0.35), 50)],
        notes=[Note.of(NoteCode.BUNDLED_EVIDENCE, benchmarks=("",))],
    )  # fmt: skip


def data(**changes: Any) -> ReportData:
    """The invented findings, with changes."""
    return dataclasses.replace(_full(), **changes)


BARE = ReportData("policy", None, (), {}, {}, (), None, (), None, (), (), ())
