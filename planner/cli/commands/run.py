"""`apportion run`: answers problems by a plan, or by strategies of the user's own choice."""

from __future__ import annotations

import functools
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from executor.errors import InputError
from executor.problem import Problem
from executor.store.store import RunSpec, StoredOutcome
from planner.cli.commands import common
from planner.cli.commands.measure import measure, need_prm, parse_strategies, summary_table
from planner.cli.console import Output, table
from planner.evaluation.run_summary import RunSummary, summarise_run
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import Plan
from planner.plans.serialization import load_plan, run_settings
from planner.runtime.router import ByPlan
from planner.runtime.session import Session, find_plan_prm

KIND = "run"


@dataclass(frozen=True, slots=True)
class Answered:
    """A run with its answers."""

    summary: RunSummary
    outcomes: tuple[StoredOutcome, ...]

    def to_dict(self) -> dict[str, Any]:
        """The record of the JSON document."""
        answers = [
            {
                "id": stored.outcome.problem.id,
                "answer": stored.outcome.answer,
                "correct": stored.outcome.correct,
                "difficulty": stored.note.get("difficulty"),
                "estimate": stored.note.get("estimate"),
                "strategy": stored.note.get("strategy"),
                "ledger": stored.outcome.ledger.to_dict(),
                "seconds": stored.outcome.seconds,
            }
            for stored in self.outcomes
        ]
        return self.summary.to_dict() | {"answers": answers}


def run(arguments: Namespace, output: Output) -> None:
    """Run the plan, or the strategies."""
    if (arguments.plan is None) == (arguments.strategy is None):
        raise InputError("run: give either --plan FILE, or --strategy NAME with --budget N")
    if arguments.plan is not None:
        answered = [_by_plan(arguments, output)]
    else:
        answered = _by_strategy(arguments, output)
    document = {"runs": [one.to_dict() for one in answered]}
    output.result(document, lambda console: show(console, answered))


def _by_plan(arguments: Namespace, output: Output) -> Answered:
    plan = load_plan(arguments.plan)
    for option in ("budget", *common.STRATEGY_OPTIONS, "template", *common.SAMPLING):
        if getattr(arguments, option) is not None:
            name = option.replace("_", "-")
            raise InputError(f"--{name}: the plan says that; it goes with --strategy only")
    problems = common.problems(arguments, require_answers=False)
    with common.session(arguments, output) as session:
        return run_plan(session, plan, problems, arguments.policy, arguments.prm)


def run_plan(
    session: Session,
    plan: Plan,
    problems: Sequence[Problem],
    policy: str | None = None,
    prm: str | None = None,
) -> Answered:
    """Run a plan on what it has not been run on; policy and PRM may have moved."""
    if prm is None and plan.prm_in_use is not None:
        prm = find_plan_prm(plan.prm_in_use)
    models = session.models(
        policy or plan.policy,
        prm,
        template=plan.template,
        sampling=plan.sampling,
    )
    spec = RunSpec(
        KIND,
        models.policy_name,
        models.prm_name,
        models.settings(plan.template.to_dict(), plan=run_settings(plan)),
    )
    solve = functools.partial(models.run, ByPlan(CompiledPlan(plan)))
    most = max(entry.strategy.n for entry in plan.entries.values())
    work = session.run("running the plan", problems, solve, spec, sequences=most)
    return _answered(session, spec, "plan", problems, asdict(work))


def _by_strategy(arguments: Namespace, output: Output) -> list[Answered]:
    if arguments.policy is None:
        raise InputError("--strategy: needs --policy")
    if arguments.budget is None and arguments.strategy != "greedy":
        raise InputError("--strategy: needs --budget N")
    budgets = [1 if arguments.budget is None else arguments.budget]
    if budgets[0] < 1:
        raise InputError(f"--budget {budgets[0]}: must be at least 1")
    strategies = parse_strategies(arguments, budgets, arguments.strategy)
    need_prm(strategies, arguments.prm)
    problems = common.problems(arguments, require_answers=False)
    with common.session(arguments, output) as session:
        models = session.models(arguments.policy, arguments.prm)
        template = session.template(arguments.policy)
        answered = []
        for strategy in strategies:
            summary, spec = measure(session, models, template, problems, strategy, kind=KIND)
            answered.append(_answered(session, spec, summary.name, problems, summary.engine))
    return answered


def _answered(
    session: Session,
    spec: RunSpec,
    name: str,
    problems: Sequence[Problem],
    engine: Mapping[str, Any] | None,
) -> Answered:
    stored = tuple(session.store.outcomes(spec, problems=problems, samples=False))
    return Answered(summarise_run(name, stored, engine), stored)


def show(console: Console, answered: Sequence[Answered]) -> None:
    """Answers and totals for people."""
    console.print(summary_table("runs", [one.summary for one in answered]))
    if len(answered) > 1:
        return
    (only,) = answered
    mix = Counter(
        (s.note["difficulty"], s.note["strategy"]) for s in only.outcomes if "strategy" in s.note
    )
    for (level, strategy), times in sorted(mix.items()):
        console.print(f"{times} problems taken as {level}: {strategy}")
    marks = {True: "right", False: "wrong", None: "-"}
    rows = [
        [s.outcome.problem.id, s.outcome.answer or "-", marks[s.outcome.correct]]
        for s in only.outcomes
    ]
    console.print(table("answers", ["problem", "answer", "graded"], rows))
