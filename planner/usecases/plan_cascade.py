"""Plan a cascade: which policy answers first, and when the next one is asked."""

from __future__ import annotations

from collections.abc import Sequence

from executor.errors import InputError
from executor.loading import portable
from executor.models.checkpoint import Role
from executor.models.templates import PromptTemplate
from executor.store.store import Store
from executor.strategy import Sampling
from planner.cascades.choice import Goal, Search, goal_of, held_out
from planner.cascades.evidence import ModelsEvidence
from planner.cascades.plan import CascadePlan, PlannedStage, Promise
from planner.choice.constraint import Constraint
from planner.costs.pricing import Pricing
from planner.evaluation.bootstrap import ProblemBootstrap
from planner.evidence.runs import domain_of
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.asked_models import EVERY, NO_PRM
from planner.usecases.cascade_evidence import read_models_evidence
from planner.usecases.plan import profile_of
from planner.usecases.store_lookup import model_name, store_exists, store_name


def plan_cascade(
    policies: Sequence[str],
    prms: Sequence[str] = (),
    *,
    constraint: Constraint = Constraint(),
    pricing: Pricing = Pricing(),
    store: str = DEFAULT_STORE,
    seed: int = 0,
    reporter: Reporter = SilentReporter(),
) -> CascadePlan:
    """Choose the stages of a cascade and its stop rules from the profiles in a store.

    The call starts no engine and writes nothing. A cascade of one stage comes out if no cascade
    looks better than one model alone.

    Args:
        policies: names or folders of at least two policies, or `all`.
        prms: names or folders of scorers; `none` for none; empty: all that there is evidence with.
        constraint: one limit of cost, a target accuracy, or both.
        pricing: devices and prices.
        store: SQLAlchemy URL of the store; it must have a profile of each policy on the same
            problems.
        seed: seed of the folds that the promised accuracy comes from.
        reporter: receives progress.

    Raises:
        InputError: there is no such evidence, or nothing keeps to the constraint.
    """
    goal, unit = goal_of(constraint)
    if not store_exists(store):
        raise InputError(
            f"store {store_name(store)}: does not exist; a plan needs profiles of your own: run "
            "apportion profile with each policy"
        )
    evidence, _ = read_models_evidence(
        policies, prms, unit=unit, pricing=pricing, store=store, reporter=reporter
    )
    with reporter.status("choosing the stages"):
        chosen = Search(evidence).choose(goal).cascade
    with reporter.status("judging the choice on held-out problems"):
        promise = _promise(evidence, goal, unit, seed)
    places = _places(policies, "policy") | _places(prms, "PRM")
    stages, domains = [], set()
    rules = (*chosen.rules, None)
    with Store.open(store, create=False) as opened:
        for stage, rule in zip(chosen.stages, rules, strict=True):
            policy, prm = stage.models.policy, stage.models.prm
            spec = profile_of(opened, policy, prm)
            domains.add(domain_of(spec))
            stages.append(
                PlannedStage(
                    portable(places.get(policy, policy)),
                    None if prm is None else portable(places.get(prm, prm)),
                    stage.strategy,
                    Sampling.from_dict(spec.settings["sampling"]),
                    PromptTemplate.from_dict(spec.settings["template"], "the profile's template"),
                    rule,
                )
            )
    if len(domains) > 1:
        raise InputError(f"the profiles are of several domains ({', '.join(sorted(domains))})")
    return CascadePlan(tuple(stages), constraint, promise, domains.pop())


def _promise(evidence: ModelsEvidence, goal: Goal, unit: str, seed: int) -> Promise | None:
    """What the same choice gets on problems that it has not seen."""
    (judged,) = held_out(evidence, [goal], seed)
    if judged is None:
        return None
    bootstrap = ProblemBootstrap([evidence.problems], seed)
    accuracy = bootstrap.mean([judged.accuracy])
    return Promise(
        accuracy.value,
        (accuracy.low, accuracy.high),
        float(judged.cost.mean()),
        unit,
        len(evidence.problems),
    )


def _places(given: Sequence[str], role: Role) -> dict[str, str]:
    """What the user gave for each model, by the name that evidence has for it."""
    return {model_name(one, role): one for one in given if one not in (EVERY, NO_PRM)}
