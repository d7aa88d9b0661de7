"""A service opened on a plan: models of a session, drift and feedback watching every answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from executor.run.runner import Executor
from planner.plans.plan import Plan
from planner.report.notes import word
from planner.runtime.router import Routed
from planner.runtime.session import Session, find_plan_prm
from planner.service.answering.answerer import Query
from planner.service.answering.planned import PlanAnswerer, Watcher
from planner.service.feedback.feedback import Feedback
from planner.service.monitoring.drift import Drift


@dataclass(frozen=True, slots=True)
class Opened:
    """What a server needs.

    Attributes:
        answerer: answers queries.
        watch_gauges: drift, by measure.
        feedback: takes what clients say of answers; the answerer closes it.
        drift: what `watch_gauges` tells, with its limits and in words.
    """

    answerer: PlanAnswerer
    watch_gauges: Callable[[], Mapping[str, float]]
    feedback: Feedback
    drift: Drift


def open_service(
    session: Session,
    plan: Plan,
    policy: str | None = None,
    prm: str | None = None,
    *,
    warn: Callable[[str], None] | None = None,
    unkept: Callable[[str], None] | None = None,
) -> Opened:
    """Answer by a plan with a session's models, which are loaded at first use.

    Args:
        session: of the models and the store; closed by whoever opened it.
        plan: of any readable version; only one of version 3 lets queries have limits of their own.
        policy, prm: where they are now; None: where the plan says.
        warn: told, in a line, when traffic no longer looks like the profile; by default the session
            says it.
        unkept: told, in a line, when answers cannot be kept for feedback; as `warn` by default.

    Raises:
        InputError: a model is not there, or does not fit.
    """
    given = policy or plan.policy
    name = session.checkpoint(given).name
    scorer = prm or (None if plan.prm is None else find_plan_prm(plan.prm))
    say = warn or session.reporter.say
    drift, feedback = (
        Drift(plan),
        Feedback(session.store, warn=unkept or say, sampling=plan.sampling),
    )

    def load() -> Executor:
        with session.loading:
            session.give_up_lost()
            return session.executor(given, scorer, template=plan.template, sampling=plan.sampling)

    watch = watching(plan, drift, feedback, say)
    answerer = PlanAnswerer(plan, load, watch=watch, close=feedback.close, model=name)
    return Opened(answerer, drift.gauges, feedback, drift)


def watching(plan: Plan, drift: Drift, feedback: Feedback, say: Callable[[str], None]) -> Watcher:
    """Have every answer looked at for drift, and kept for feedback.

    Args:
        plan: that answers come from.
        drift, feedback: told of every answer.
        say: told, in a line, when traffic no longer looks like the profile.
    """

    template = plan.template.to_dict()

    plain: tuple[Executor, dict[str, Any]] | None = None

    def settings_of(executor: Executor) -> dict[str, Any]:
        # One executor answers all queries but those with a sampling of their own.
        nonlocal plain
        if plain is None or plain[0] is not executor:
            plain = executor, executor.settings(template)
        return plain[1]

    def watch(query: Query, routed: Routed, executor: Executor) -> None:
        looked = routed.looked
        # Of probes that were drawn otherwise than the profile's nothing follows.
        agreed = routed.agreement if executor.sampling == plan.sampling else None
        for finding in drift.observe(query.text, looked.estimate, agreed, looked.about, looked.far):
            say(word(finding.note()))
        feedback.remember(
            query, routed, executor.policy_name, executor.prm_name, settings_of(executor)
        )

    return watch
