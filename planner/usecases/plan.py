"""Plan: a strategy and a budget for every difficulty, from the evidence of a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from executor.errors import InputError
from executor.loading import portable
from executor.models.templates import PromptTemplate
from executor.problem import problem_uid
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.choice.estimate import StrategyEstimate, cost_unit
from planner.choice.frontier import frontier
from planner.choice.probe_cost import ProbeCost, Probing
from planner.choice.recommend import Recommendation, choose
from planner.costs.pricing import Pricing
from planner.evidence.cells import difficulty_counts
from planner.evidence.comparable import comparable, for_pair, of_all_only
from planner.evidence.runs import current_runs, domain_of, evidence_domain, evidence_grader
from planner.notes import Note, NoteCode
from planner.plans.chooser import Chooser
from planner.plans.plan import DEFAULT, Plan, PlanBasis
from planner.plans.reference import Reference
from planner.plans.routing_value import (
    MisclassificationRates,
    RoutingComparison,
    compare,
    estimator_note,
    expected,
)
from planner.plans.serialization import plan_to_dict
from planner.prediction.tuning import fingerprint
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from planner.usecases.fit_chooser import Question, fit_chooser, questions_of
from planner.usecases.recommend import check_limits_known
from planner.usecases.store_lookup import model_name
from profiling.difficulty.estimator import DifficultyModel, Head
from profiling.difficulty.fitting import PROBES, fit_difficulty
from profiling.pass_rate import LEVELS, Difficulty
from profiling.profiles.free_scores import scored_freely
from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import STUDY, read_profile
from profiling.scorers.free import FREE_SCORERS


@dataclass(frozen=True, slots=True)
class PlanResult:
    """A plan, and the recommendations that it is made of.

    Attributes:
        plan: the record that `apportion.run` and the service follow; `apportion.save_plan`
            writes it.
        recommendations: one for each difficulty with evidence, and one for all at the end.
    """

    plan: Plan
    recommendations: tuple[Recommendation, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: the plan as its file has it."""
        return plan_to_dict(self.plan)


def plan(
    policy: str,
    prm: str | None = None,
    *,
    constraint: Constraint = Constraint(),
    pricing: Pricing = Pricing(),
    store: str = DEFAULT_STORE,
    domain: str | None = None,
    reporter: Reporter = SilentReporter(),
) -> PlanResult:
    """Choose a strategy and a budget for every difficulty, from the evidence in a store.

    The call starts no engine and writes nothing.

    Args:
        policy: name or folder of the policy; the store must have its profile.
        prm: name or folder of the PRM; None: only strategies without a PRM.
        constraint: limits that every choice must keep to.
        pricing: devices and prices of the costs.
        store: SQLAlchemy URL of the store.
        domain: domain of the evidence; None: that of the newest profile.
        reporter: receives progress.

    Raises:
        InputError: there is no evidence, or no strategy keeps to the constraint.

    Example:
        >>> from pathlib import Path
        >>> from apportion import Constraint, plan, save_plan
        >>> result = plan("lab-0.4m", "lab-0.4m-prm", constraint=Constraint(budget=8))
        >>> sorted(result.plan.entries)
        ['all', 'easy', 'hard', 'medium']
        >>> save_plan(result.plan, Path("plan.json"))
    """
    with reporter.status("planning"):
        return _plan(policy, prm, constraint, pricing, store, domain)


def _plan(
    policy: str,
    prm: str | None,
    constraint: Constraint,
    pricing: Pricing,
    store_url: str,
    domain: str | None,
) -> PlanResult:
    name, prm_name = model_name(policy, "policy"), model_name(prm, "PRM")
    bundle = read_evidence_bundle(store_url, name, prm_name, pricing, domain=domain)
    check_limits_known(constraint, bundle.rates)
    with (
        Store.open(store_url, create=False) as store,
        evidence_grader(store, domain, name) as grader,
    ):
        spec = profile_of(store, name, prm_name, domain)
        held_out = [one for one in read_profile(store, spec) if one.held_out]
        scored = spec.prm is not None
        if prm_name is not None and prm_name in FREE_SCORERS and not scored:
            held_out, scored = scored_freely(held_out, prm_name), True
        classifier = fit_difficulty(held_out, grader)
        reference = Reference.from_profiles(held_out, classifier, grader)
        by_problem = {problem_uid(one.outcome.problem): one for one in held_out}
        questions = questions_of(by_problem, grader, scored=scored)
    profiled = Profiled(
        sampling=Sampling.from_dict(spec.settings["sampling"]),
        template=PromptTemplate.from_dict(spec.settings["template"], "the profile's template"),
        scored=scored,
        classifier=classifier,
        reference=reference,
        questions=questions,
    )
    made = plan_from(bundle, name, prm_name, constraint, profiled)
    named = replace(
        made.plan,
        domain=domain_of(spec),
        policy=portable(policy),
        prm=portable(prm) if prm and made.plan.prm is not None else None,
    )
    return replace(made, plan=named)


@dataclass(frozen=True, slots=True)
class Profiled:
    """What a plan takes from a profile.

    Attributes:
        sampling, template: how the policy wrote, and how questions were put to it.
        scored: whether a PRM scored the samples.
        classifier: the difficulty estimator that was fitted to them; None if there is none.
        reference: statistics of the questions; None if there are too few.
        questions: the questions with their samples, by problem, to fit a chooser to.
    """

    sampling: Sampling
    template: PromptTemplate
    scored: bool
    classifier: DifficultyModel | None
    reference: Reference | None
    questions: Mapping[str, Question] = field(default_factory=dict)


def plan_from(
    bundle: EvidenceBundle,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    profiled: Profiled,
) -> PlanResult:
    """Choose a strategy and a budget for every difficulty, from evidence and a profile.

    Args:
        bundle: the evidence, and the model that predicts from it.
        policy, prm: names as the evidence has them.
        constraint: limits that every choice must keep to.
        profiled: what the profile gives.

    Raises:
        InputError: there is no evidence, or no strategy keeps to the constraint.
    """
    chooser, choices, routes, routing = _chosen(bundle, policy, prm, constraint, profiled)
    compared = comparable(bundle.frame, policy, prm)
    rows = compared.rows
    *levels, every = choices
    notes = (*every.notes, *compared.notes(), *of_all_only(rows, constraint.budget))
    choices = [*levels, replace(every, notes=notes)]
    alternatives = _alternatives(bundle, policy, prm)
    all_entries = (entry for entries in alternatives.values() for entry in entries)
    needs_prm = any(entry.strategy.needs_prm for entry in all_entries) or _scores(profiled)
    new_plan = Plan(
        policy=policy,
        prm=prm if needs_prm else None,
        sampling=profiled.sampling,
        template=profiled.template,
        entries={r.difficulty: r.choice.as_recorded() for r in choices},
        classifier=profiled.classifier,
        constraint=constraint,
        rests_on=PlanBasis(
            rows=len(rows),
            problems=int(rows["problem"].nunique()),
            prm=prm,
            mix=difficulty_counts(rows),
            evidence=fingerprint(rows),
            model=bundle.metrics,
            routing=None if routing is None else routing.to_dict(),
        ),
        frontier={r.difficulty: _recorded(frontier((r.choice, *r.alternatives))) for r in choices},
        rates=bundle.rates,
        alternatives=alternatives,
        worth_routing=routes,
        reference=profiled.reference,
        chooser=chooser,
        probe_cost=ProbeCost.from_evidence(rows, PROBES, scored=profiled.scored),
    )
    return PlanResult(new_plan, tuple(choices))


def _alternatives(
    bundle: EvidenceBundle, policy: str, prm: str | None
) -> dict[str, tuple[StrategyEstimate, ...]]:
    """Return the estimates of all strategies known for each difficulty, whatever their cost."""
    by_level = (
        (level, candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates))
        for level in LEVELS
    )
    return {level: _recorded(estimates) for level, estimates in by_level if estimates}


def _recorded(estimates: Iterable[StrategyEstimate]) -> tuple[StrategyEstimate, ...]:
    """Return the estimates as a plan file keeps them."""
    return tuple(one.as_recorded() for one in estimates)


def _chosen(
    bundle: EvidenceBundle, policy: str, prm: str | None, constraint: Constraint, profiled: Profiled
) -> tuple[Chooser | None, list[Recommendation], bool, RoutingComparison | None]:
    """Return the chooser if the plan routes by one, and then what `_routed` returns.

    A chooser is fitted to what was recorded of the profile's own problems. If it cannot be, the
    chances of the difficulties decide.
    """
    if profiled.classifier is None:
        return None, recommendations(bundle, policy, prm, constraint), False, None
    head = profiled.classifier.heads[-1]
    usable = for_pair(bundle.frame, policy, prm)
    cost = ProbeCost.from_evidence(usable, profiled.classifier.probes, scored=profiled.scored)
    probing = Probing(profiled.classifier.probes, cost)
    if not profiled.questions or constraint.target_accuracy is not None:
        return None, *_routed(bundle, policy, prm, constraint, probing, head)
    plain = recommendations(bundle, policy, prm, constraint)
    fitted = fit_chooser(
        usable,
        candidates(bundle.frame, policy, prm, DEFAULT, bundle.model, bundle.rates),
        plain[-1].choice,
        constraint,
        probing,
        profiled.questions,
        bundle.rates,
    )
    if fitted is None:
        return None, *_routed(bundle, policy, prm, constraint, probing, head)
    chooser, routing = fitted
    notes: tuple[Note, ...] = (routing.note(),)
    if routing.routes:
        plain = recommendations(bundle, policy, prm, constraint, probing)
        notes = (estimator_note(head), *notes)
    *levels, every = plain
    found = [*levels, replace(every, notes=(*every.notes, *notes))]
    return chooser if routing.routes else None, found, routing.routes, routing


def _routed(
    bundle: EvidenceBundle,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    probing: Probing,
    head: Head,
) -> tuple[list[Recommendation], bool, RoutingComparison | None]:
    """Return the choices, whether the plan routes, and the comparison that decided this.

    A plan routes if probing changes a choice and the comparison favours it; its choices then pay
    for their probes. The comparison is None if there is nothing to decide, or if a strategy is not
    known on a difficulty that it may meet.

    Args:
        bundle, policy, prm, constraint: see `plan_from`.
        probing: the probes that the estimator of difficulties reads.
        head: the part of the estimator that reads them.
    """
    try:
        choices = recommendations(bundle, policy, prm, constraint, probing)
    except InputError:  # the limits leave no room for probes
        return recommendations(bundle, policy, prm, constraint), False, None
    if len({r.choice.strategy for r in choices if r.difficulty != DEFAULT}) < 2:
        return recommendations(bundle, policy, prm, constraint), False, None
    rates = head.quality.named()
    routing = _compared(bundle, policy, prm, constraint, choices, probing, rates)
    notes: tuple[Note, ...] = () if routing is None else (routing.note(),)
    routes = routing is None or routing.routes
    if routes:
        notes = (estimator_note(head), *notes)
    else:
        choices = recommendations(bundle, policy, prm, constraint)
    *levels, every = choices
    return [*levels, replace(every, notes=(*every.notes, *notes))], routes, routing


def _compared(
    bundle: EvidenceBundle,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    choices: list[Recommendation],
    probing: Probing,
    rates: MisclassificationRates,
) -> RoutingComparison | None:
    """Compare the strategies for each difficulty with the one for all.

    The result is None if a strategy is not known on a difficulty that it may meet.
    """
    usable = for_pair(bundle.frame, policy, prm)
    problems = usable[usable["difficulty"].isin(tuple(Difficulty))].drop_duplicates("problem")
    counted = problems["difficulty"].value_counts(normalize=True)
    shares = {level.value: float(counted.get(level.value, 0.0)) for level in Difficulty}
    plain = {
        level: candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
        for level in shares
    }
    unit = cost_unit([choice for estimates in plain.values() for choice in estimates])
    alone = {level: {c.strategy: c for c in estimates} for level, estimates in plain.items()}
    probed = {
        level: {c.strategy: probing.charge(c, bundle.rates) for c in estimates}
        for level, estimates in plain.items()
    }
    every, for_all = choices[-1].choice.strategy, choices[-1].choice.predicted_accuracy
    by_level = {r.difficulty: r.choice.strategy for r in choices}
    routes = {level: by_level.get(level, every) for level in shares}
    routed = expected(routes, probed, shares, rates, unit)
    single = expected(dict.fromkeys(shares, every), alone, shares, rates, unit)
    if routed is None or single is None:
        return None
    # The estimate for all problems and the mean over difficulties are shrunk toward different
    # priors. The plan prints the first, so both ways start from it; their difference stays.
    shift = for_all - single.accuracy
    return compare(routed.shifted(shift), single.shifted(shift), every, unit, constraint)


def recommendations(
    bundle: EvidenceBundle,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    probing: Probing | None = None,
) -> list[Recommendation]:
    """Return a recommendation for each difficulty with evidence, and one for all at the end.

    With `probing`, the choices for a difficulty pay for the probes that estimate it.

    Raises:
        InputError: there is no evidence, or no strategy keeps to the constraint.
    """
    choices = []
    for level in LEVELS:
        estimates = candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
        if probing is not None and level != DEFAULT:
            estimates = [probing.charge(choice, bundle.rates) for choice in estimates]
        if estimates:
            recommendation = choose(level, estimates, constraint, bundle.rates)
            if probing is not None and level != DEFAULT:
                probed = Note.of(NoteCode.PROBES_INCLUDED, probes=probing.probes)
                recommendation = replace(recommendation, notes=(*recommendation.notes, probed))
            choices.append(recommendation)
    if not choices or choices[-1].difficulty != DEFAULT:
        raise InputError(f"policy {policy}: there is no evidence to plan from")
    return choices


def profile_of(store: Store, policy: str, prm: str | None, domain: str | None = None) -> RunSpec:
    """Return the profile with the most problems; one with this PRM goes before one without.

    Raises:
        InputError: the policy has no profile, or an imported one.
    """
    runs = store.runs()
    current = current_runs(runs, domain or evidence_domain(runs, policy))
    profiles = [spec for spec in current if spec.kind == PROFILE]
    fitting = [s for s in profiles if s.policy == policy and s.prm in (prm, None)]
    if any(STUDY in s.settings for s in fitting):
        raise InputError(
            f"policy {policy}: its samples are imported, and their prompt template is not known; "
            "a plan needs a profile of your own: run apportion profile"
        )
    if not fitting:
        raise InputError(f"policy {policy}: has no profile in this store; run apportion profile")
    return max(
        fitting, key=lambda s: (s.prm == prm, sum(1 for _ in store.outcomes(s, samples=False)))
    )


def _scores(profiled: Profiled) -> bool:
    """Whether the classifier was trained on rewards, so that probes need rewards too."""
    return profiled.classifier is not None and profiled.scored
