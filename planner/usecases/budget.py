"""Budget: a workload's budget divided over difficulties, and what a day of it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from executor.problem import Problem
from executor.store.store import Store
from planner.costs.pricing import Pricing
from planner.evidence.runs import current_runs
from planner.notes import codes
from planner.plans.plan import DEFAULT, Plan
from planner.plans.serialization import HasPlan, as_plan
from planner.report.notes import word
from planner.usecases import DEFAULT_STORE
from planner.usecases.run import KIND as RUN
from planner.usecases.store_lookup import name_in_plan, store_exists
from planner.workloads.allocation import Division, difference
from planner.workloads.budget_report import DIVIDED, BudgetReport, Total
from planner.workloads.workload import Workload, read_mix
from profiling.pass_rate import Difficulty
from profiling.problems.files import load_problems


def budget(
    plan: Plan | HasPlan | Path | str,
    workload: Path | str,
    *,
    total: Total | None = None,
    queries_per_day: float | None = None,
    pricing: Pricing = Pricing(),
    problem_field: str | None = None,
    store: str = DEFAULT_STORE,
) -> BudgetReport:
    """Divide a workload's total budget over its difficulties, and cost a day of it.

    Args:
        plan: a plan, or the file of one.
        workload: a mix (TOML, JSON or CSV: queries or shares of each difficulty), or a file of
            queries (JSONL, JSON or CSV). Queries have the difficulties that stored runs of plans
            took them for, else those of the plan's evidence.
        total: budget for all queries; None: the plan's own choices are costed, in tokens.
        queries_per_day: number of queries of a day that is costed; None: no day is.
        pricing: devices and prices that costs are counted by.
        problem_field: field of a query that holds the question; None: the usual names.
        store: SQLAlchemy URL of the store; it need not exist.

    Raises:
        InputError: a file that cannot be read, a total that does not reach, a price that is not
            known; see `BudgetReport.from_plan`.

    Example:
        >>> from apportion import Total, budget
        >>> divided = budget("plan.json", "mix.json", total=Total("tokens", 4e4))
        >>> sorted(divided.divisions)
        ['division', 'equal', 'plan']
    """
    plan = as_plan(plan)
    workload = Path(workload)
    prm = plan.rests_on.prm or plan.prm
    return BudgetReport.from_plan(
        plan,
        read_mix(workload) or _of_queries(workload, problem_field, store, plan),
        pricing.apply(plan.rates, name_in_plan(plan.policy, "policy"), prm),
        total,
        queries_per_day,
    )


def _of_queries(path: Path, problem_field: str | None, store_url: str, plan: Plan) -> Workload:
    """The difficulties of a file's queries: as plans that were run on them took them, else as the
    plan's evidence has them."""
    problems = load_problems(path, problem_field=problem_field, require_answers=False)
    counts, source = plan.rests_on.mix, "as in the plan's evidence"
    if found := _taken(store_url, plan, problems):
        told = sum(found.values())
        counts, source = found, f"of {told} of {len(problems)} queries, as runs of plans took them"
    if not sum(counts.values()):
        return Workload({DEFAULT: 1.0}, len(problems), "not known; all queries are taken as all")
    counted = Workload.from_counts(counts, source)
    if counted.queries == len(problems):
        return counted
    return Workload(counted.shares, len(problems), source)


def _taken(store_url: str, plan: Plan, problems: Sequence[Problem]) -> Counter[str]:
    """How many of these problems plans took as which difficulty, in runs that are stored."""
    if not store_exists(store_url):
        return Counter()
    taken: dict[str, str] = {}
    levels = {level.value for level in Difficulty}
    with Store.open(store_url, create=False) as store:
        for spec in current_runs(store.runs(), plan.domain):
            if spec.kind == RUN and spec.policy == name_in_plan(plan.policy, "policy"):
                for stored in store.outcomes(spec, problems=problems, samples=False):
                    if (level := stored.note.get("difficulty")) in levels:
                        taken[stored.outcome.problem.id] = level
    return Counter(taken.values())


def to_dict(made: BudgetReport) -> dict[str, Any]:
    """The JSON document of a budget, plain values."""
    divided = made.divisions.get(DIVIDED)
    return {
        "policy": made.plan.policy,
        "prm": made.plan.rests_on.prm,
        "workload": {
            "queries": made.queries,
            "shares": dict(made.workload.shares),
            "source": made.workload.source,
        },
        "total": None if made.total is None else {made.total.unit: made.total.amount},
        "divisions": {name: _record(made, division) for name, division in made.divisions.items()},
        "by_name": None if made.by_assigned is None else _parts(made.by_assigned),
        "more_correct_than": {
            name: dict(zip(("expected", "interval"), difference(divided, other), strict=True))
            for name, other in made.divisions.items()
            if divided is not None and name != DIVIDED
        },
        "queries_per_day": made.queries_per_day,
        "daily": {
            name: {
                "cost": day.to_dict(),
                "at_load": [one.to_dict() for one in made.provisions(day)],
            }
            for name, day in made.days().items()
        },
        "notes": list(map(word, made.notes)),
        "note_codes": codes(made.notes),
    }


def _record(made: BudgetReport, division: Division) -> dict[str, Any]:
    return {
        "parts": _parts(division),
        "expected_correct": division.correct,
        "interval": list(division.interval()),
        "spent": None if made.total is None else division.spent,
        "cost": made.cost(division).to_dict(),
    }


def _parts(division: Division) -> list[dict[str, Any]]:
    return [
        {"difficulty": part.level, "queries": part.queries} | part.option.to_record()
        for part in division.parts
    ]
