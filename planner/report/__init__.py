"""One self-contained report: the recommendation for a policy and PRM, and its evidence.

`report` makes the content; `planner.report.formats` lays it out.
"""

from __future__ import annotations

from executor.scorers.registry import names
from planner.report import accuracy, advice, basis, trust, workload
from planner.report.data import BasisRow, ReportData
from planner.report.document import Report
from profiling.pass_rate import EASY_FROM, MEDIUM_FROM

__all__ = ["BasisRow", "ReportData", "report"]


def report(data: ReportData) -> Report:
    """Return the report; equal data gives an equal report."""
    pair = data.policy + (f" with {data.prm}" if data.prm else "")
    models = f"Policy {data.policy}, {_scorer(data.prm)}."
    difficulty = (
        f"Difficulty is by the policy's pass@1: easy from {EASY_FROM:.2f}, medium from "
        f"{MEDIUM_FROM:.2f}, hard below."
    )
    budget, cost, strategies = accuracy.sections(data)
    # If the plan was run, its runs come early; if not, the section that says so comes late.
    runs = basis.runs(data)
    return Report(
        policy=data.policy,
        prm=data.prm,
        title=f"Which strategy, with how much compute: {pair}",
        subtitle=f"{models} {difficulty}",
        sections=(
            advice.section(data),
            *((runs,) if data.runs else ()),
            budget,
            cost,
            workload.section(data),
            *(() if data.runs else (runs,)),
            trust.prm(data),
            trust.reliability(data),
            trust.model(data),
            basis.basis(data),
            basis.notes(data),
            strategies,
        ),
    )


def _scorer(name: str | None) -> str:
    """What scores, in words; every scorer that is not registered as another kind is a PRM."""
    if name is None:
        return "no process reward model (PRM)"
    kind = "scorer of whole responses" if name in names() else "process reward model (PRM)"
    return f"{kind} {name}"
