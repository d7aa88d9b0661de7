"""Plans replayed as the router runs them: probes are paid, and no label is told.

For each fold a plan is made from the others, by the code that `apportion plan` runs. Every held-out
question is then decided on by the code that the router runs: whether to probe it, what its probes
say, and which strategy follows. The samples are those of the question's profile, in random order. A
vote that can use its probes goes on from them; a search or a greedy answer starts anew, and its
outcome is the recorded one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from executor.answers.grader import Grader
from executor.models.templates import PromptTemplate
from executor.strategy import BestOfN, Majority, Sampling, Strategy, key
from planner.choice.constraint import Constraint
from planner.choice.probe_cost import uses_probes
from planner.costs.cost import Rates
from planner.evaluation.crossfit import Arena, HeldOut, Indices, Run
from planner.plans.compiled import CompiledPlan
from planner.plans.reference import Reference
from planner.runtime.decision import ProbeDecision, decide, decide_probing
from planner.usecases.evidence_bundle import EvidenceBundle
from planner.usecases.fit_chooser import Question
from planner.usecases.plan import Profiled, plan_from
from profiling.difficulty.fitting import PROBES, fit_difficulty
from profiling.pools.drawn import part, voted

DRAWS = 4
"""Times that each question is probed anew; the mean over them counts."""

# How a policy wrote changes no decision that is replayed.
_SAMPLING, _TEMPLATE = Sampling(), PromptTemplate()


def routed(
    arena: Arena,
    held_out: HeldOut,
    questions: Mapping[str, Question],
    rates: Rates,
    budgets: Sequence[int],
    grader: Grader,
    *,
    draws: int = DRAWS,
    random_state: int = 0,
) -> Arena:
    """Return an arena with what plans get there as the router runs them, at each budget.

    Args:
        arena: the policy and PRM.
        held_out: the evidence and the model of each fold.
        questions: the profile; those of all problems of the arena.
        rates: prices of tokens, which plans choose by.
        budgets: most generations of a strategy; see `with_probes`.
        grader: tells which answers are equal.
        draws: times that each question is probed anew.
        random_state: seed of the samples' order.
    """
    rng = np.random.default_rng(random_state)
    order = [rng.random((draws, len(questions[p].pool))).argsort(axis=1) for p in arena.problems]
    plans = [_plans(arena, fold, held_out, questions, rates, budgets, grader)
             for fold in range(len(arena.found))]  # fmt: skip
    runs = {budget: _replay(arena, questions, order, [by[budget] for by in plans])
            for budget in budgets}  # fmt: skip
    return replace(arena, routed=runs)


def with_probes(budget: int) -> int:
    """Return a budget with room for probes that a strategy of this budget cannot use.

    All that is generated counts as spent. A smaller budget than the probes has no room for them.
    """
    return budget + PROBES if budget >= PROBES else budget


def _plans(
    arena: Arena,
    fold: int,
    held_out: HeldOut,
    questions: Mapping[str, Question],
    rates: Rates,
    budgets: Sequence[int],
    grader: Grader,
) -> dict[int, CompiledPlan]:
    """Return the plan of each budget that has not seen a fold."""
    frame = held_out.seen[fold]
    # A plan must not choose what has no recorded outcome to judge it by.
    frame = frame[(frame["policy"] == arena.policy) & frame["strategy"].isin(arena.strategies)]
    bundle = EvidenceBundle(frame, held_out.models[fold], None, rates, ())
    asked = {problem: questions[problem]
             for problem, at in zip(arena.problems, arena.folds, strict=True)
             if at != fold and questions[problem].profile.held_out}  # fmt: skip
    seen = [one.profile for one in asked.values()]
    classifier = fit_difficulty(seen, grader)
    reference = Reference.from_profiles(seen, classifier, grader)
    profiled = Profiled(_SAMPLING, _TEMPLATE, arena.prm is not None, classifier, reference, asked)
    made = {
        budget: plan_from(
            bundle, arena.policy, arena.prm, Constraint(budget=with_probes(budget)), profiled
        )
        for budget in budgets
    }
    return {budget: CompiledPlan(result.plan) for budget, result in made.items()}


def _replay(
    arena: Arena,
    questions: Mapping[str, Question],
    order: Sequence[Indices],
    plans: Sequence[CompiledPlan],
) -> Run:
    """Return what the plans of the folds get and spend on the problems they have not seen."""
    rows = []
    for at, (problem, fold) in enumerate(zip(arena.problems, arena.folds, strict=True)):
        question = questions[problem]
        probing = decide_probing(
            plans[fold], question.probes.text, plans[fold].plan.constraint,
            scored=arena.prm is not None,
        )  # fmt: skip
        # Without probes all draws are alike, and votes have their expectation.
        drawn = order[at] if probing.probes else order[at][:1]
        rows.append(
            np.mean([_answer(arena, at, question, plans[fold], probing, one) for one in drawn],
                    axis=0)
        )  # fmt: skip
    accuracy, tokens, flops = np.array(rows).T
    return Run(accuracy, tokens, None if np.isnan(flops).any() else flops)


def _answer(
    arena: Arena,
    at: int,
    question: Question,
    compiled: CompiledPlan,
    probing: ProbeDecision,
    order: Indices,
) -> tuple[float, float, float]:
    """Return accuracy, generated tokens and FLOPs of one question; NaN FLOPs if not known."""
    estimate, wanted = probing.by_text, probing.probes
    seen = question.probes.take(order[:wanted]) if wanted else None
    if seen is not None and compiled.plan.classifier is not None:
        estimate = compiled.plan.classifier.estimate_probes(seen)
    decision = decide(
        compiled, probing, estimate, compiled.plan.constraint,
        drawn=wanted, scored=arena.prm is not None, seen=seen,
    )  # fmt: skip
    strategy = decision.strategy
    column = arena.strategies.index(key(strategy))
    flops = np.nan if arena.flops is None else float(arena.flops[at, column])
    if not wanted:
        return float(arena.accuracy[at, column]), float(arena.tokens[at, column]), flops
    if uses_probes(strategy, wanted):
        drawn = part(question.pool, order[: strategy.n])
        return voted(drawn, strategy), float(drawn.tokens.sum()), flops
    spent = float(question.pool.tokens[order[:wanted]].sum())
    return (
        float(arena.accuracy[at, column]),
        float(arena.tokens[at, column]) + spent,
        flops + _probe_flops(arena, at, wanted),
    )


def _probe_flops(arena: Arena, at: int, probes: int) -> float:
    """FLOPs of drawing and scoring probes: those of a vote among as many samples."""
    kind: type[Strategy] = Majority if arena.prm is None else BestOfN
    known = [column for column, one in enumerate(arena.parsed)
             if isinstance(one, kind) and one.n == probes]  # fmt: skip
    return float(arena.flops[at, known[0]]) if arena.flops is not None and known else np.nan
