"""Run: answers to problems, by a plan or by strategies that the caller chooses."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from executor.errors import InputError
from executor.problem import Problem
from executor.run.runner import CONTEXT_EXCEEDED, ENDPOINT
from executor.store.store import RunSpec, StoredOutcome
from executor.strategy import Strategy
from planner.evaluation.run_summary import RunSummary, summarise_run
from planner.plans.compiled import CompiledPlan
from planner.plans.plan import Plan
from planner.plans.serialization import HasPlan, as_plan, run_settings
from planner.runtime.model_ref import check_plan_prm
from planner.runtime.reporter import Reporter, SilentReporter
from planner.runtime.router import ByPlan
from planner.runtime.session import Session
from planner.runtime.settings import SessionSettings
from planner.runtime.spending import Spending, check_anything_done, with_spending
from planner.usecases import DEFAULT_STORE
from planner.usecases.measure import check_policy_reads, check_prm_given, run_strategy
from planner.usecases.open_session import open_session
from planner.usecases.problem_files import Problems, read_problems, settings_for

KIND = "run"
"""Kind of these runs in a store."""


@dataclass(frozen=True, slots=True)
class AnsweredRun:
    """One run with its answers.

    Attributes:
        summary: accuracy and tokens.
        outcomes: one per problem, in the order of the problems.
        spec: the run in the store.
    """

    summary: RunSummary
    outcomes: tuple[StoredOutcome, ...]
    spec: RunSpec

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
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
                "context_exceeded": bool(stored.note.get(CONTEXT_EXCEEDED)),
            }
            | ({ENDPOINT: stored.note[ENDPOINT]} if ENDPOINT in stored.note else {})
            for stored in self.outcomes
        ]
        return self.summary.to_dict() | {"answers": answers}


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to problems.

    Attributes:
        runs: the run of the plan, or one run for each strategy.
        spending: what was spent of the settings' `max_usd`; None without one.
    """

    runs: tuple[AnsweredRun, ...]
    spending: Spending | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return with_spending({"runs": [one.to_dict() for one in self.runs]}, self.spending)


def run(
    problems: Problems,
    *,
    plan: Plan | HasPlan | Path | str | None = None,
    strategies: Sequence[Strategy] = (),
    policy: str | None = None,
    prm: str | None = None,
    store: str = DEFAULT_STORE,
    settings: SessionSettings | None = None,
    session: Session | None = None,
    reporter: Reporter = SilentReporter(),
) -> Answers:
    """Answer problems by a plan or by strategies.

    Problems that the store already holds for the same run are not answered again.

    Args:
        problems: a file of problems, several files, or the problems themselves.
        plan: a plan or its file; its sampling and template replace those of the settings.
        strategies: strategies to run, each with its budget; only without a plan.
        policy: the policy (catalog name, folder, hub id or address of a server). With a plan it is
            the present place of the plan's policy; None: the place in the plan.
        prm: the same for the PRM. Without a plan, None means no PRM.
        store: SQLAlchemy URL of the store; it is created if it does not exist.
        settings: settings of sampling, engines, servers and cluster; None: the defaults, with early
            stopping, which leaves out draws that cannot change an answer.
        session: an open session, whose store and settings are used; None: a new one for this call.
        reporter: receives progress and remarks.

    Raises:
        InputError: both or neither of plan and strategies are given, a file or a model is missing
            or unfit, or a strategy needs a PRM.
        EngineError: an engine was lost; the same call continues from the stored outcomes.
    """
    if (plan is None) == (not strategies):
        raise InputError("run: give either --plan FILE, or --strategy NAME with --budget N")
    settings = settings or SessionSettings(early_stop=True)
    if plan is not None:
        plan = as_plan(plan)
        policy = policy or plan.policy
        if prm is None and plan.prm_in_use is not None:
            prm = plan.prm_in_use
            check_plan_prm(prm)
    if policy is None:
        raise InputError("--strategy needs a policy; give one with --policy")
    check_prm_given(strategies, prm)
    problem_list = read_problems(problems, require_answers=False, remark=reporter.say)
    settings = settings_for(problem_list, settings, session, None if plan is None else plan.domain)
    with open_session(session, store, settings, reporter, policy=policy, prm=prm) as opened:
        if plan is not None:
            runs: tuple[AnsweredRun, ...] = (_run_plan(opened, plan, problem_list, policy, prm),)
        else:
            runs = _run_strategies(opened, strategies, problem_list, policy, prm)
        check_anything_done(opened.spending, sum(one.summary.problems for one in runs))
        return Answers(runs, opened.spending)


def _run_plan(
    session: Session, plan: Plan, problems: Sequence[Problem], policy: str, prm: str | None
) -> AnsweredRun:
    model = session.find_policy(policy)
    check_policy_reads([entry.strategy for entry in plan.entries.values()], model)
    models = session.models(
        model,
        None if prm is None else session.find_prm(prm),
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


def _run_strategies(
    session: Session,
    strategies: Sequence[Strategy],
    problems: Sequence[Problem],
    policy: str,
    prm: str | None,
) -> tuple[AnsweredRun, ...]:
    model = session.find_policy(policy)
    check_policy_reads(strategies, model)
    models = session.models(model, None if prm is None else session.find_prm(prm))
    template = session.template(model)
    runs = []
    for strategy in strategies:
        summary, spec = run_strategy(session, models, template, problems, strategy, kind=KIND)
        runs.append(_answered(session, spec, summary.name, problems, summary.engine))
    return tuple(runs)


def _answered(
    session: Session,
    spec: RunSpec,
    name: str,
    problems: Sequence[Problem],
    engine: Mapping[str, Any] | None,
) -> AnsweredRun:
    outcomes = tuple(session.store.outcomes(spec, problems=problems, samples=False))
    return AnsweredRun(summarise_run(name, outcomes, engine), outcomes, spec)
