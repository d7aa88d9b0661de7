"""Recommend among several policies, each with its scorers, strategies and budgets.

A policy is measured (the store, or this project's own evidence) or published, as for one policy.
Measured policies are compared on the problems that all of them were run on.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from executor.errors import InputError
from planner.catalog import Catalog
from planner.choice.answer import Answer
from planner.choice.constraint import Constraint
from planner.choice.estimate import Models, StrategyEstimate
from planner.choice.models import Contenders
from planner.choice.paired import Compare, Contrast, by_outcomes
from planner.choice.recommend import Counting, as_one
from planner.choice.scorer_verdict import vote_gain, vote_note
from planner.costs.pricing import Pricing
from planner.evidence.cells import kinds
from planner.notes import Note, NoteCode
from planner.published.over_models import PublishedModels
from planner.published.printed_pairs import printed_pairs
from planner.usecases.asked_models import EVERY, AskedModels, scorers
from planner.usecases.known_models import Unlisted
from planner.usecases.measured_models import (
    MeasuredStrategies,
    estimate,
    of_same_problems,
    shared_problems,
    with_enough,
)
from profiling.pass_rate import ALL

TOO_LARGE = "larger than the memory of --device"


@dataclass(frozen=True, slots=True)
class ModelsCandidates:
    """What is known of several policies, before any constraint.

    Attributes:
        contenders: the strategies of all policies, and what they rest on.
        by_models: notes on the evidence of measured models; they matter if these are chosen.
        figures: the published figures among the evidence; None without.
    """

    contenders: Contenders
    by_models: Mapping[Models, tuple[Note, ...]]
    figures: PublishedModels | None

    def choose(self, constraint: Constraint) -> Answer:
        """Return the choice under a constraint.

        Raises:
            InputError: nothing keeps to the constraint.
        """
        answer = self.contenders.choose(constraint)
        choice = answer.made.choice
        assert choice.models is not None
        own = list(self.by_models.get(choice.models, ()))
        if self.figures is not None and choice.models not in self.by_models:
            own += self.figures.about(choice)
        rows = self.contenders.rows_of(choice.models)
        if (gain := vote_gain(rows, choice.models.prm)) is not None:
            own.append(vote_note(gain.difference, gain.samples, str(choice.models.prm)))
        return replace(answer, notes=tuple(dict.fromkeys((*answer.notes, *own))))


def recommend_models(
    policies: Sequence[str],
    prms: Sequence[str],
    *,
    difficulty: str,
    benchmark: str | None,
    constraint: Constraint,
    pricing: Pricing,
    catalog: Catalog,
    unlisted: Unlisted,
    store: str,
    domain: str | None = None,
) -> Answer:
    """Choose among several policies, or among several PRMs of one.

    Args:
        policies, prms: see `find_models`.
        difficulty, benchmark, constraint, pricing, unlisted, store, domain: see
            `planner.usecases.recommend.recommend`.
        catalog: sizes of models.

    Raises:
        InputError: see `find_models`; a limit means different things for two policies; or nothing
            keeps to the constraint.
    """
    if not policies:
        raise InputError("--policy: must be given at least once")
    if constraint.budget is not None and (len(policies) > 1 or EVERY in policies):
        raise InputError(
            "--budget: N generations of a small and of a large model are not the same thing; "
            "limit --max-flops, --max-seconds or --max-usd instead"
        )
    if unlisted.parameters is not None or unlisted.prm_parameters is not None:
        raise InputError(
            "--parameters and --prm-parameters are of one model; list the sizes of several in a "
            "file with --catalog"
        )
    for policy in policies:
        catalog = unlisted.sized(catalog, policy, None)
    for prm in prms:
        catalog = unlisted.sized(catalog, None, prm)
    known = find_models(
        store, policies, prms, difficulty=difficulty, benchmark=benchmark, catalog=catalog,
        pricing=pricing, unlisted=unlisted, domain=domain,
    )  # fmt: skip
    return known.choose(constraint)


def find_models(
    store_url: str,
    policies: Sequence[str],
    prms: Sequence[str],
    *,
    difficulty: str = ALL,
    benchmark: str | None,
    catalog: Catalog,
    pricing: Pricing,
    unlisted: Unlisted = Unlisted(),
    domain: str | None = None,
) -> ModelsCandidates:
    """Every strategy that is known of several policies.

    Args:
        store_url: SQLAlchemy URL of the store to look in first; it need not exist.
        policies: names or folders; `EVERY` stands for all that something is known of.
        prms: names or folders; `NO_PRM` for none; empty or `EVERY`: all that there is evidence
            with.
        difficulty: difficulty of the problems; of several policies only `all`.
        benchmark: problem set that is asked about; None: whatever was measured.
        catalog: sizes of models.
        pricing: devices and prices.
        unlisted: whether models that nobody knows are allowed.
        domain: what an answer is; None: that of each policy's newest profile.

    Raises:
        InputError: nothing is known of a policy, or nothing compares two of them.
    """
    asked = AskedModels(store_url, benchmark, catalog, pricing, unlisted, scorers(prms), domain)
    measured, published = asked.split(policies)
    if difficulty != ALL and len(measured) + len(published) > 1:
        raise InputError(
            f"difficulty {difficulty}: is by the pass@1 of one policy, so the problems of two "
            "policies differ; leave --difficulty out, or give one --policy"
        )
    if difficulty != ALL and published:
        raise InputError(
            f"difficulty {difficulty}: published figures are of whole benchmarks; leave "
            "--difficulty out, or profile and measure"
        )
    evidence, left_out = with_enough(asked.measured(measured))
    if EVERY in policies and benchmark is None:
        evidence, others = of_same_problems(evidence, asked.own_policies())
        left_out += others
    shared, notes = shared_problems(evidence, benchmark)
    known = estimate(evidence, shared, difficulty)
    notes += [note for one in evidence if one.models.prm is None for note in one.bundle.notes]
    figures = asked.figures(published) if published else None
    found = known.found
    if figures is not None:
        found += figures.found
        notes += [*figures.notes, *asked.notes]
    left_out += [(str(models), TOO_LARGE) for models in asked.too_large]
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in left_out)
        raise InputError(reasons or "nothing is known of any policy; measure one, or name some")
    names = {one.models.policy for one in found if one.models is not None}
    if left_out:
        notes.append(Note.of(NoteCode.MODELS_LEFT_OUT, models=tuple(left_out)))
    sizes = asked.sizes(names)
    measured_kinds = kinds(pd.concat(known.rows.values(), ignore_index=True)) if known.rows else []
    contenders = Contenders(
        found,
        sizes,
        known.rows,
        _compare(known, figures),
        evidence=(*measured_kinds, *(() if figures is None else figures.evidence)),
        printed=() if figures is None else _printed(figures.benchmark, sizes, names),
        notes=tuple(dict.fromkeys(notes)),
        own=any(one.bundle.own for one in evidence),
        difficulty=difficulty,
        counting=_counting(known),
    )
    return ModelsCandidates(contenders, known.notes, figures)


def _compare(known: MeasuredStrategies, figures: PublishedModels | None) -> Compare:
    """Return the function that contrasts two strategies: by problems, or by figures of both."""
    by_problem = by_outcomes(lambda one: known.outcomes.get(one.run))

    def compare(one: StrategyEstimate, other: StrategyEstimate) -> Contrast:
        if figures is None or one.run in known.outcomes or other.run in known.outcomes:
            return by_problem(one, other)
        return figures.contrast(one, other)

    return compare


def _counting(known: MeasuredStrategies) -> Counting:
    """Return the function that counts each measured strategy, and all predicted ones as one."""

    def count(found: Sequence[StrategyEstimate]) -> int:
        predicted = [one for one in found if one.run not in known.outcomes]
        return len(found) - len(predicted) + as_one(predicted) * bool(predicted)

    return count


def _printed(
    benchmark: str, sizes: Mapping[str, int], policies: Collection[str]
) -> tuple[dict[str, Any], ...]:
    """Return the pairs in print of a smaller and a larger one of these policies."""
    return tuple(
        pair.to_dict()
        for pair in printed_pairs(benchmark, policies)
        if sizes.get(pair.large, math.inf) > sizes.get(pair.small, math.inf)
    )
