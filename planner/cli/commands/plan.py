"""`apportion plan`: a strategy and a budget for every difficulty, written down."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.models.templates import PromptTemplate
from executor.store.store import RunSpec, Store
from executor.strategy import Sampling, key
from planner.choice.constraint import Constraint
from planner.choice.frontier import frontier
from planner.choice.recommend import Probing, Recommendation, candidates, choose, cost_unit
from planner.cli.commands import common
from planner.cli.console import Output, count, share, table
from planner.costs.pricing import Pricing
from planner.evidence import gathering as evidence
from planner.evidence.comparable import comparable, for_pair
from planner.notes import Note, NoteCode
from planner.plans.plan import DEFAULT, Entry, Plan, ProbeCost
from planner.plans.reference import Reference
from planner.plans.routing_value import Comparison, compare, estimator_note, expected
from planner.prediction.beta import PERCENT
from planner.prediction.tuning import fingerprint
from planner.report.notes import word
from planner.usecases import stored_models
from planner.usecases.evidence_bundle import Basis, read_basis
from planner.usecases.stored_models import model_name
from planner.workloads.misclassification import Confusion
from profiling.difficulty.estimator import DifficultyModel
from profiling.difficulty.fitting import PROBES, fit_difficulty
from profiling.difficulty.pass_rate import LEVELS, Difficulty
from profiling.profiler import KIND as PROFILE
from profiling.profiler import STUDY, read_profile


def run(arguments: Namespace, output: Output) -> None:
    """Choose for every difficulty; write the plan."""
    constraint = common.constraint(arguments)
    if not arguments.out.parent.is_dir():
        raise InputError(f"--out {arguments.out}: the folder {arguments.out.parent} does not exist")
    with output.status("planning"):
        plan, made = make(
            arguments.store,
            arguments.policy,
            arguments.prm,
            constraint,
            common.pricing(arguments),
        )
    plan.save(arguments.out)
    document = plan.to_dict() | {"out": str(arguments.out)}
    output.result(document, lambda console: show(console, made, arguments.out))


def make(
    store_url: str,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    pricing: Pricing | None = None,
) -> tuple[Plan, list[Recommendation]]:
    """The plan for a policy and a PRM, and the recommendations it is made of.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    name, prm_name = model_name(policy), model_name(prm)
    basis = read_basis(store_url, name, prm_name, pricing)
    stored_models.check_known(constraint, basis.rates)
    with Store.open(store_url, create=False) as store, MathGrader() as grader:
        spec = _profile_of(store, name, prm_name)
        held_out = [one for one in read_profile(store, spec) if one.held_out]
        classifier = fit_difficulty(held_out, grader)
        reference = Reference.of(held_out, classifier, grader)
    made, routes, routing = _routed(basis, name, prm_name, constraint, classifier, spec)
    compared = comparable(basis.frame, name, prm_name)
    usable = compared.rows
    *levels, every = made
    made = [*levels, replace(every, notes=(*every.notes, *compared.notes()))]
    alternatives = _alternatives(basis, name, prm_name)
    known = (entry for entries in alternatives.values() for entry in entries)
    needs_prm = any(entry.strategy.needs_prm for entry in known) or _scores(classifier, spec)
    a_probe = Probing.of(usable, PROBES, scored=spec.prm is not None)
    plan = Plan(
        policy=_lasting(policy),
        prm=_lasting(prm) if prm and needs_prm else None,
        sampling=Sampling(**spec.settings["sampling"]),
        template=PromptTemplate.from_dict(spec.settings["template"], "the profile's template"),
        entries={r.difficulty: Entry.of(r.choice) for r in made},
        classifier=classifier,
        constraint={k: v for k, v in asdict(constraint).items() if v is not None},
        rests_on={
            "rows": len(usable),
            "problems": int(usable["problem"].nunique()),
            "prm": prm_name,
            "mix": evidence.difficulty_counts(usable),
            "evidence": fingerprint(usable),
            "model": basis.metrics,
            "routing": None if routing is None else routing.to_dict(),
        },
        frontier={
            r.difficulty: tuple(map(Entry.of, frontier((r.choice, *r.alternatives)))) for r in made
        },
        rates=basis.rates,
        alternatives=alternatives,
        worth_routing=routes,
        reference=reference,
        probe_cost=ProbeCost(a_probe.generated, a_probe.prm),
    )
    return plan, made


def _alternatives(basis: Basis, policy: str, prm: str | None) -> dict[str, tuple[Entry, ...]]:
    """All that is known of each difficulty, whatever it costs."""
    found = (
        (level, candidates(basis.frame, policy, prm, level, basis.model, basis.rates))
        for level in LEVELS
    )
    return {level: tuple(map(Entry.of, known)) for level, known in found if known}


def _routed(
    basis: Basis,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    classifier: DifficultyModel | None,
    spec: RunSpec,
) -> tuple[list[Recommendation], bool, Comparison | None]:
    """Choices that pay for their probes, and whether to probe; not where it would change nothing.

    With the comparison this was decided by; None where there was nothing to decide, or a strategy
    is not known on a difficulty it may meet.
    """
    if classifier is not None:
        usable = for_pair(basis.frame, policy, prm)
        probing = Probing.of(usable, classifier.probes, scored=spec.prm is not None)
        made = recommendations(basis, policy, prm, constraint, probing)
        if len({r.choice.strategy for r in made if r.difficulty != DEFAULT}) > 1:
            head = classifier.heads[-1]
            confusion = head.quality.named()
            routing = _compared(basis, policy, prm, constraint, made, probing, confusion)
            routing_notes = () if routing is None else (routing.note(),)
            if routing is None or routing.routes:
                *levels, every = made
                notes = (*every.notes, estimator_note(head), *routing_notes)
                return [*levels, replace(every, notes=notes)], True, routing
            *levels, every = recommendations(basis, policy, prm, constraint)
            every = replace(every, notes=(*every.notes, *routing_notes))
            return [*levels, every], False, routing
    return recommendations(basis, policy, prm, constraint), False, None


def _compared(
    basis: Basis,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    made: list[Recommendation],
    probing: Probing,
    confusion: Confusion,
) -> Comparison | None:
    """The strategies for each difficulty beside that for all; None where nobody can say."""
    usable = for_pair(basis.frame, policy, prm)
    problems = usable[usable["difficulty"].isin(tuple(Difficulty))].drop_duplicates("problem")
    counted = problems["difficulty"].value_counts(normalize=True)
    shares = {level.value: float(counted.get(level.value, 0.0)) for level in Difficulty}
    plain = {
        level: candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
        for level in shares
    }
    unit = cost_unit([choice for found in plain.values() for choice in found])
    alone = {level: {c.strategy: c for c in found} for level, found in plain.items()}
    probed = {
        level: {c.strategy: probing.charge(c, basis.rates) for c in found}
        for level, found in plain.items()
    }
    every = made[-1].choice.strategy
    named = {r.difficulty: r.choice.strategy for r in made}
    routes = {level: named.get(level, every) for level in shares}
    routed = expected(routes, probed, shares, confusion, unit)
    single = expected(dict.fromkeys(shares, every), alone, shares, confusion, unit)
    if routed is None or single is None:
        return None
    return compare(routed, single, every, unit, constraint)


def recommendations(
    basis: Basis,
    policy: str,
    prm: str | None,
    constraint: Constraint,
    probing: Probing | None = None,
) -> list[Recommendation]:
    """One for every difficulty there is evidence on, and one for all.

    With `probing`, choices for a difficulty pay for the probes that find it out.
    """
    made = []
    for level in LEVELS:
        found = candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
        if probing is not None and level != DEFAULT:
            found = [probing.charge(choice, basis.rates) for choice in found]
        if found:
            chosen = choose(level, found, constraint, basis.rates)
            if probing is not None and level != DEFAULT:
                probed = Note.of(NoteCode.PROBES_INCLUDED, probes=probing.probes)
                chosen = replace(chosen, notes=(*chosen.notes, probed))
            made.append(chosen)
    if not made or made[-1].difficulty != DEFAULT:
        raise InputError(f"policy {policy}: there is no evidence to plan from")
    return made


def _profile_of(store: Store, policy: str, prm: str | None) -> RunSpec:
    """The profile with most problems, the PRM's own before one without."""
    profiles = [spec for spec in evidence.current(store.runs()) if spec.kind == PROFILE]
    fitting = [s for s in profiles if s.policy == policy and s.prm in (prm, None)]
    if any(STUDY in s.settings for s in fitting):
        raise InputError(
            f"policy {policy}: its samples are imported, and nothing says how its questions were "
            "put; a plan needs a profile of your own: run apportion profile"
        )
    if not fitting:
        raise InputError(f"policy {policy}: has no profile in this store; run apportion profile")
    return max(
        fitting, key=lambda s: (s.prm == prm, sum(1 for _ in store.outcomes(s, samples=False)))
    )


def _scores(classifier: DifficultyModel | None, spec: RunSpec) -> bool:
    """Whether the classifier was trained on rewards, which probes then need too."""
    return classifier is not None and spec.prm is not None


def _lasting(model: str) -> str:
    """A folder by its full path: plans are run from anywhere."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def show(console: Console, made: list[Recommendation], out: Path) -> None:
    """The plan for people."""
    rows: list[list[Any]] = [
        [
            r.difficulty,
            key(r.choice.strategy),
            share(r.choice.predicted_accuracy, r.choice.interval),
            str(r.choice.problems),
            count(r.choice.cost.generated_tokens),
            count(r.choice.cost.prm_tokens),
        ]
        for r in made
    ]
    columns = ["difficulty", "strategy", f"accuracy [{PERCENT}]", "problems", "generated", "PRM"]
    console.print(table("plan", columns, rows))
    for r in made:
        for note in r.notes:
            console.print(f"{r.difficulty}: {word(note)}", highlight=False, markup=False)
    console.print(f"written to {out}")
