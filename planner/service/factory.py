"""Builds what answers by a plan: an answerer with drift monitoring and feedback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from executor.errors import InputError
from executor.run.runner import Executor, check_continues
from executor.scorers.registry import needs_of
from planner.plans.plan import Plan
from planner.report.notes import word
from planner.runtime.model_ref import ModelRef
from planner.runtime.router import Routed
from planner.runtime.session import Session
from planner.service.answering.answerer import Query
from planner.service.answering.planned import AnswerObserver, PlanAnswerer
from planner.service.feedback.recorder import FeedbackRecorder
from planner.service.monitoring.drift import DriftMonitor


@dataclass(frozen=True, slots=True)
class PlanService:
    """The parts of a server that depend on the plan.

    Attributes:
        answerer: answers queries.
        feedback: records what clients say about answers; the answerer closes it.
        drift: compares traffic with the plan's profile.
    """

    answerer: PlanAnswerer
    feedback: FeedbackRecorder
    drift: DriftMonitor


def create_plan_service(
    session: Session,
    plan: Plan,
    policy: str | None = None,
    prm: str | None = None,
    *,
    on_drift: Callable[[str], None] | None = None,
    on_feedback_failure: Callable[[str], None] | None = None,
) -> PlanService:
    """Build an answerer that follows a plan with the models of a session.

    The models are loaded at first use.

    Args:
        session: session of the models and the store; the caller closes it.
        plan: a plan of any readable version; only version 3 lets queries have their own limits.
        policy, prm: present location of the models; None: the plan's.
        on_drift: called with one line if traffic no longer looks like the profile; None: the
            session's reporter says the line.
        on_feedback_failure: called with one line if answers cannot be kept for feedback; None: as
            `on_drift`.

    Raises:
        InputError: a model is not there, or does not fit the plan; the session is of another domain
            than the plan; or its scorer needs what questions of a service do not have.
    """
    if session.settings.max_usd is not None:
        raise InputError("--max-usd: caps a command, not a service; leave it out")
    if plan.domain != session.settings.domain:
        raise InputError(
            f"the plan is of domain {plan.domain}, and the session of {session.settings.domain}; "
            f"expected the same: SessionSettings(domain={plan.domain!r})"
        )
    model = session.find_policy(policy or plan.policy)
    scorer: ModelRef | None = None
    if prm is not None:
        scorer = session.find_prm(prm)
    elif plan.prm is not None:
        scorer = session.find_plan_prm(plan.prm)
    if scorer is not None and needs_of(scorer.name) == "executions":
        raise InputError(
            f"the plan has the scorer {scorer.name}, and questions of a service have no public "
            "tests; make a plan without it"
        )
    if model.checkpoint.chat:
        for entry in plan.entries.values():
            check_continues(entry.strategy, model.name)
    warn = on_drift or session.reporter.say
    drift = DriftMonitor(plan)
    feedback = FeedbackRecorder(
        session.store, on_failure=on_feedback_failure or warn, sampling=plan.sampling
    )

    def load() -> Executor:
        with session.loading:
            session.release_lost()
            return session.executor(model, scorer, template=plan.template, sampling=plan.sampling)

    observer = create_observer(plan, drift, feedback, warn)
    answerer = PlanAnswerer(plan, load, observer=observer, close=feedback.close, model=model.name)
    return PlanService(answerer, feedback, drift)


def create_observer(
    plan: Plan,
    drift: DriftMonitor,
    feedback: FeedbackRecorder,
    on_drift: Callable[[str], None],
) -> AnswerObserver:
    """Return a function that passes every answer to the drift monitor and the feedback recorder.

    Args:
        plan: the plan that answers follow.
        drift, feedback: receive every answer.
        on_drift: called with one line if traffic no longer looks like the profile.
    """
    template = plan.template.to_dict()
    latest: tuple[Executor, dict[str, Any]] | None = None

    def settings_of(executor: Executor) -> dict[str, Any]:
        # One executor answers all queries except those that have their own sampling.
        nonlocal latest
        if latest is None or latest[0] is not executor:
            latest = executor, executor.settings(template)
        return latest[1]

    def observe(query: Query, routed: Routed, executor: Executor) -> None:
        probing = routed.probing
        # Probes that were drawn with other settings than the profile's cannot be compared with it.
        agreed = routed.agreement if executor.sampling == plan.sampling else None
        for finding in drift.observe(
            query.text, probing.by_text, agreed, probing.features, probing.unlike_profile
        ):
            on_drift(word(finding.note()))
        feedback.remember(
            query, routed, executor.policy_name, executor.prm_name, settings_of(executor)
        )

    return observe
