"""Recommend a strategy from evidence alone: measured runs, else published figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from executor.errors import InputError
from executor.problem import MATHS
from planner.catalog import Catalog, load_catalog
from planner.choice.answer import Answer, explain, of_choice
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint, unknown
from planner.choice.estimate import StrategyEstimate
from planner.choice.next_measurement import PROBLEMS
from planner.choice.recommend import as_one, choose
from planner.choice.scorer_verdict import vote_gain, vote_note
from planner.costs.cost import Rates
from planner.costs.pricing import Pricing
from planner.evidence.cells import kinds
from planner.evidence.comparable import for_pair, of_all_only
from planner.evidence.layout import no_rows
from planner.notes import Note, NoteCode, codes
from planner.published.answer import PublishedAnswer, ask
from planner.report.notes import why, word
from planner.usecases import DEFAULT_STORE, store_lookup
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from planner.usecases.known_models import Unlisted
from planner.usecases.recommend_models import recommend_models
from planner.usecases.store_lookup import (
    check_not_measured_here,
    model_name,
    names_in_evidence,
)
from profiling.pass_rate import ALL, LEVELS

BundleReader = Callable[[str, str, "str | None", Pricing, "str | None", Catalog], EvidenceBundle]
"""Reads evidence; its arguments are those of `read_evidence_bundle`."""


def recommend(
    policy: str | Sequence[str],
    prm: str | Sequence[str] | None = None,
    *,
    difficulty: str = ALL,
    benchmark: str | None = None,
    constraint: Constraint = Constraint(),
    pricing: Pricing = Pricing(),
    catalog: Path | None = None,
    unlisted: Unlisted = Unlisted(),
    next_problems: int = PROBLEMS,
    domain: str | None = None,
    store: str = DEFAULT_STORE,
) -> Answer:
    """Choose a strategy and a budget for a policy, from evidence alone; starts no engine.

    Evidence of the store answers first, then this project's own, then published figures.

    A sequence of policies asks for the best (policy, PRM, strategy, budget) of all of them; so does
    a sequence of PRMs. The answer then has `policies`, `against` and `pairs`.

    Args:
        policy: name of the model that writes, or its folder. In a sequence, `all` stands for every
            policy of the store and of this project's own evidence, and with a benchmark for every
            one with published figures.
        prm: name of the PRM that scores, or its folder; None: strategies without a PRM only. Of
            several policies None means every PRM that there is evidence with, and so does `all`;
            `none` means no PRM.
        difficulty: `easy`, `medium`, `hard` or `all`; of several policies only `all`.
        benchmark: problem set that is asked about, in any case; None: whatever was measured.
        constraint: limits that the choice must keep to; of several policies none in generations.
        pricing: devices and prices that costs are counted by.
        catalog: TOML file of models besides the project's own.
        unlisted: sizes of models that no catalog lists, and whether unknown ones are allowed.
        next_problems: number of problems of the measurement that the answer proposes; an answer
            over several models proposes none.
        domain: what an answer is (`executor.domains`); None: as in the policy's newest profile.
            Evidence of other domains never answers.
        store: SQLAlchemy URL of the store; it need not exist.

    Returns:
        The choice with its alternatives, runner-up, Pareto front, evidence and notes.

    Raises:
        InputError: a model is not known, there is no evidence, policies cannot be compared, or
            nothing keeps to the constraint.

    Example:
        >>> from apportion import Constraint, recommend
        >>> answer = recommend("lab-0.8m", "lab-0.8m-prm", constraint=Constraint(budget=16))
        >>> answer.made.choice.strategy.n <= 16
        True
        >>> answer = recommend(["lab-0.4m", "lab-1.8m"], constraint=Constraint(max_flops=1e9))
        >>> answer.policies
        ('lab-0.4m', 'lab-1.8m')
    """
    benchmark = store_lookup.benchmark_name(store, benchmark)
    if not isinstance(policy, str) or not (prm is None or isinstance(prm, str)):
        return recommend_models(
            [policy] if isinstance(policy, str) else list(policy),
            [] if prm is None else [prm] if isinstance(prm, str) else list(prm),
            difficulty=check_difficulty(difficulty),
            benchmark=benchmark,
            constraint=constraint,
            pricing=pricing,
            catalog=load_catalog(catalog),
            unlisted=unlisted,
            domain=domain,
            store=store,
        )
    pricing.check_priced(model_name(policy, "policy"))
    known = find_candidates(
        store,
        model_name(policy, "policy"),
        model_name(prm, "PRM"),
        check_difficulty(difficulty),
        benchmark=benchmark,
        catalog=unlisted.sized(load_catalog(catalog), policy, prm),
        pricing=pricing,
        unlisted=unlisted,
        domain=domain,
    )
    return known.choose(constraint, next_problems)[0]


def to_dict(answer: Answer) -> dict[str, Any]:
    """The JSON document of an answer: the keys of the command line's contract, plain values."""
    made, second = answer.made, answer.second
    choice = made.choice.to_dict()
    over_models = {
        "policies": list(answer.policies),
        "against": [one.to_dict() for one in answer.against],
        "pairs": [one.to_dict() for one in answer.pairs],
        "printed_pairs": list(answer.printed),
    }
    return {
        "policy": answer.policy,
        "prm": answer.prm,
        "difficulty": made.difficulty,
        "strategy": dict.fromkeys(("name", "n", "width", "score", "vote")) | choice["strategy"],
        "predicted_accuracy": choice["predicted_accuracy"],
        "interval": choice["interval"],
        "chance_of_target": made.chance,
        "cost": choice["cost"],
        "alternatives": [other.to_dict() for other in made.alternatives],
        "runner_up": None if second is None else second.to_dict(str(why(answer.why))),
        "cheaper": None
        if answer.less is None
        else answer.less.to_dict(str(why(answer.cheaper_note))),
        "pareto": [one.to_dict() for one in made.pareto],
        "cost_unit": made.cost_unit,
        "next_measurement": None
        if answer.measurement is None
        else answer.measurement.to_dict(answer.buy),
        "efficiency_gain": {unit: gain.to_dict() for unit, gain in answer.gains.items()},
        **(over_models if answer.policies else {}),
        "evidence": [*kinds(answer.rows), *answer.published],
        "notes": list(map(word, answer.notes)),
        "note_codes": codes(answer.notes),
    }


# Candidates: every strategy that something is known of


@dataclass(frozen=True, slots=True)
class MeasuredCandidates:
    """The strategies that were measured with a policy and PRM, before any constraint.

    Attributes:
        bundle: the evidence.
        policy, prm: names as evidence has them.
        difficulty: `easy`, `medium`, `hard` or `all`.
        rows: the evidence on this policy and PRM.
        strategies: every strategy known, with its estimates.
        notes: what a reader should know of the evidence.
    """

    bundle: EvidenceBundle
    policy: str
    prm: str | None
    difficulty: str
    rows: pd.DataFrame
    strategies: Sequence[StrategyEstimate]
    notes: tuple[Note, ...]

    def choose(
        self, constraint: Constraint, next_problems: int = PROBLEMS
    ) -> tuple[Answer, tuple[Note, ...]]:
        """The choice under a constraint.

        Returns:
            The answer, with all notes; and those of its notes that are about the evidence.

        Raises:
            InputError: nothing keeps to the constraint.
        """
        check_limits_known(constraint, self.bundle.rates)
        made = choose(self.difficulty, list(self.strategies), constraint, self.bundle.rates)
        answer = explain(
            self.rows,
            self.policy,
            self.prm,
            made,
            self.strategies,
            constraint,
            next_problems,
            own=self.bundle.own,
        )
        budgets: tuple[Note, ...] = ()
        if self.difficulty != ALL:
            budgets = tuple(of_all_only(self.rows, constraint.budget))
        if not budgets or constraint.budget not in budgets[0].items("budgets"):
            budgets = (*budgets, *_budgets(constraint, self.strategies, published=False))
        notes = (*budgets, *self.notes)
        return _with_notes(answer, notes, self.strategies, self.bundle.rates)


@dataclass(frozen=True, slots=True)
class PublishedCandidates:
    """The strategies with published figures for a policy and PRM, before any constraint.

    Attributes:
        policy, prm: names.
        figures: the strategies, and the figures behind them.
        rates: prices of a token.
        unused: notes on runs that were measured and are left out.
    """

    policy: str
    prm: str | None
    figures: PublishedAnswer
    rates: Rates
    unused: tuple[Note, ...] = ()

    @property
    def strategies(self) -> Sequence[StrategyEstimate]:
        """Every strategy known, with its estimates."""
        return self.figures.choices

    def choose(
        self, constraint: Constraint, next_problems: int = PROBLEMS
    ) -> tuple[Answer, tuple[Note, ...]]:
        """The choice under a constraint.

        The answer proposes no measurement of `next_problems` and names no gain over majority vote:
        both need outcomes by problem, and figures are of whole benchmarks.

        Returns:
            The answer, with all notes; and those of its notes that are about the evidence.

        Raises:
            InputError: nothing keeps to the constraint.
        """
        check_limits_known(constraint, self.rates)
        made = choose(ALL, list(self.strategies), constraint, self.rates, counting=as_one)
        answer = of_choice(
            self.policy,
            self.prm,
            no_rows(),
            made,
            constraint,
            self.figures.contrast,
            published=self.figures.evidence,
        )
        notes = (
            *_budgets(constraint, self.strategies, published=True),
            *self.unused,
            *self.figures.printed(made.choice, answer.shown),
            *self.figures.notes,
            *self.rates.notes(),
        )
        return _with_notes(answer, notes, self.strategies, self.rates)


def _budgets(
    constraint: Constraint, strategies: Sequence[StrategyEstimate], *, published: bool
) -> tuple[Note, ...]:
    """A note on the budgets that were considered.

    Measured evidence needs it only if the budget that was asked for is not among them.
    """
    budgets, asked = sorted({one.strategy.n for one in strategies}), constraint.budget
    missing = None if asked in budgets else asked
    if missing is None and not published:
        return ()
    return (
        Note.of(
            NoteCode.BUDGETS_CONSIDERED,
            budgets=tuple(budgets),
            missing=missing,
            published=published,
        ),
    )


def _with_notes(
    answer: Answer, notes: tuple[Note, ...], strategies: Sequence[StrategyEstimate], rates: Rates
) -> tuple[Answer, tuple[Note, ...]]:
    """An answer with the notes on its evidence, and these notes."""
    notes = (*notes, *unknown_costs(strategies, rates, notes))
    return replace(answer, notes=(*answer.made.notes, *notes)), notes


def find_candidates(
    store_url: str,
    policy: str,
    prm: str | None,
    difficulty: str,
    *,
    benchmark: str | None,
    catalog: Catalog,
    pricing: Pricing,
    unlisted: Unlisted = Unlisted(),
    domain: str | None = None,
    read: BundleReader | None = None,
) -> MeasuredCandidates | PublishedCandidates:
    """Every strategy that is known for a policy and PRM: measured, else published by others.

    Args:
        store_url: SQLAlchemy URL of the store to look in first.
        policy, prm: names.
        difficulty: `easy`, `medium`, `hard` or `all`.
        benchmark: problem set that is asked about; None: whatever was measured.
        catalog: sizes of models.
        pricing: devices and prices.
        unlisted: whether models that nobody knows are allowed.
        domain: see `recommend`.
        read: reads the evidence; None: `read_evidence_bundle`, of this domain.

    Raises:
        InputError: nothing is known of them, or nothing of this domain.
    """
    names = names_in_evidence(store_url, policy, prm, catalog, benchmark)
    sized = store_lookup.with_counted_sizes(store_url, policy, prm, catalog)
    if uses_published(store_url, names, benchmark):
        check_not_measured_here(policy, domain or MATHS)
        unlisted.check(store_url, policy, prm, sized)
        return published_candidates(
            store_url, policy, prm, difficulty, names, benchmark, catalog, pricing
        )
    assert names is not None
    policy, prm = names
    read = read or partial(read_evidence_bundle, domain=domain)
    bundle = read(store_url, policy, prm, pricing, benchmark, catalog)
    strategies = _measured_strategies(bundle, policy, prm, difficulty)
    rows, notes = for_pair(bundle.frame, policy, prm), bundle.notes
    if (gain := vote_gain(rows, prm)) is not None:
        notes = (vote_note(gain.difference, gain.samples, str(prm)), *notes)
    return MeasuredCandidates(bundle, policy, prm, difficulty, rows, strategies, notes)


def choose_from_bundle(
    bundle: EvidenceBundle,
    policy: str,
    prm: str | None,
    difficulty: str,
    constraint: Constraint,
    next_problems: int = PROBLEMS,
) -> Answer:
    """The choice for a difficulty, without notes on the evidence.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    strategies = _measured_strategies(bundle, policy, prm, difficulty)
    made = choose(difficulty, strategies, constraint, bundle.rates)
    rows = for_pair(bundle.frame, policy, prm)
    return explain(rows, policy, prm, made, strategies, constraint, next_problems, own=bundle.own)


def uses_published(
    store_url: str, names: tuple[str, str | None] | None, benchmark: str | None
) -> bool:
    """Whether published figures answer.

    They do for a policy that was not measured, and for a benchmark that it was not measured on.

    Args:
        store_url: SQLAlchemy URL of the store.
        names: policy and PRM by `names_in_evidence`.
        benchmark: problem set that is asked about, or None.
    """
    if benchmark is None:
        return names is None
    return names is None or not store_lookup.is_measured_on(store_url, names[0], benchmark)


def published_candidates(
    store_url: str,
    policy: str,
    prm: str | None,
    difficulty: str,
    names: tuple[str, str | None] | None,
    benchmark: str | None,
    catalog: Catalog,
    pricing: Pricing,
) -> PublishedCandidates:
    """The strategies that others have published figures of, for a policy and PRM.

    Args:
        names: policy and PRM by `names_in_evidence`; a note says that their runs are left out.

    Raises:
        InputError: figures are of no single difficulty, or not of this benchmark.
    """
    if difficulty != ALL:
        raise InputError(
            f"difficulty {difficulty}: published figures are of whole benchmarks; "
            "leave --difficulty out, or profile and measure"
        )
    sized = store_lookup.with_counted_sizes(store_url, policy, prm, catalog)
    sizes = Rates(
        policy_parameters=sized.parameters(policy),
        policy_weights=sized.all_parameters(policy),
        prm_parameters=None if prm is None else sized.parameters(prm),
    )
    rates = pricing.apply(sizes, policy, prm)
    unused = () if names is None else tuple(store_lookup.notes_on_unused_runs(store_url, names[0]))
    figures = ask(policy, prm, benchmark, sized, rates)
    return PublishedCandidates(policy, prm, figures, rates, unused)


def _measured_strategies(
    bundle: EvidenceBundle, policy: str, prm: str | None, difficulty: str
) -> list[StrategyEstimate]:
    """Every strategy measured on a difficulty; InputError if there is none."""
    found = candidates(bundle.frame, policy, prm, difficulty, bundle.model, bundle.rates)
    if not found:
        raise InputError(f"difficulty {difficulty}: there is no evidence on it for policy {policy}")
    return found


# Checks


def check_difficulty(name: str) -> str:
    """`name`, if it is a difficulty or `all`.

    Raises:
        InputError: it is neither.
    """
    if name not in LEVELS:
        raise InputError(f"difficulty {name!r}: must be one of {', '.join(LEVELS)}")
    return name


def check_limits_known(constraint: Constraint, rates: Rates) -> None:
    """Refuse a limit on a quantity that is not known here, even of strategies without a PRM.

    Raises:
        InputError: there is such a limit.
    """
    for name in ("flops", "seconds", "usd"):
        limited = getattr(constraint, f"max_{name}") is not None
        if limited and (why := rates.missing(name, scored=False)):
            raise InputError(f"--max-{name}: {why}")


def unknown_costs(
    strategies: Sequence[StrategyEstimate], rates: Rates, notes: Sequence[Note]
) -> list[Note]:
    """Notes on quantities that no cost here has, but for what `notes` say is missing."""
    return unknown([one.cost for one in strategies], rates, beside=notes)
