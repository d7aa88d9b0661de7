"""`apportion recommend`: the answer, from evidence alone."""

from __future__ import annotations

import difflib
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from executor.errors import InputError
from executor.store.store import Store
from planner.catalog import Catalog, load_catalog
from planner.choice.answer import Answer, explain, of_choice
from planner.choice.constraint import Constraint, unknown
from planner.choice.next_measurement import PROBLEMS
from planner.choice.recommend import Choice, candidates, choose
from planner.choice.scorer_verdict import vote_gain, vote_note
from planner.cli.commands import common
from planner.cli.commands.recommendation import document, show
from planner.cli.console import Output
from planner.costs.cost import Rates
from planner.costs.pricing import Pricing
from planner.evidence import gathering as evidence
from planner.evidence.comparable import for_pair
from planner.notes import Note
from planner.published.answer import DEFAULT_BENCHMARK, PublishedAnswer, ask
from planner.usecases import measured_runs, stored_models
from planner.usecases.evidence_bundle import Basis, measured_names, read_basis
from planner.usecases.stored_models import model_name, store_exists
from profiling.difficulty.pass_rate import ALL

Reader = Callable[[str, str, "str | None", Pricing, "str | None", Catalog], Basis]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a policy and PRM on a difficulty, whatever a choice must keep to.

    Attributes:
        basis: what it rests on.
        policy, prm, level: whom and what it is of; names as evidence has them.
        rows: the evidence of this policy and PRM.
        found: every strategy known.
        notes: what should be known of it.
    """

    basis: Basis
    policy: str
    prm: str | None
    level: str
    rows: pd.DataFrame
    found: Sequence[Choice]
    notes: tuple[Note, ...]

    def answer(
        self, constraint: Constraint, next_problems: int = PROBLEMS
    ) -> tuple[Answer, tuple[Note, ...]]:
        """The choice under a constraint, and what should be known of what it rests on.

        Raises:
            InputError: nothing keeps to the constraint.
        """
        stored_models.check_known(constraint, self.basis.rates)
        made = choose(self.level, list(self.found), constraint, self.basis.rates)
        answered = explain(
            self.rows,
            self.policy,
            self.prm,
            made,
            self.found,
            constraint,
            next_problems,
            own=self.basis.own,
        )
        notes = self.notes
        return answered, (*notes, *unknown_costs(self.found, self.basis.rates, notes))


@dataclass(frozen=True, slots=True)
class Published:
    """What others have published of a policy and PRM, whatever a choice must keep to.

    Attributes:
        policy, prm: whom it is of.
        printed: the strategies, and the figures behind them.
        rates: what a token costs.
        unused: notes of what was measured and left out.
    """

    policy: str
    prm: str | None
    printed: PublishedAnswer
    rates: Rates
    unused: tuple[Note, ...] = ()

    @property
    def found(self) -> Sequence[Choice]:
        """Every strategy known."""
        return self.printed.choices

    def answer(
        self, constraint: Constraint, next_problems: int = PROBLEMS
    ) -> tuple[Answer, tuple[Note, ...]]:
        """The choice under a constraint, and what should be known of what it rests on.

        What a measurement of `next_problems` would change, and the gain over majority vote, are
        not said: both need outcomes by problem, and figures are of whole benchmarks.

        Raises:
            InputError: nothing keeps to the constraint.
        """
        stored_models.check_known(constraint, self.rates)
        made = choose(ALL, list(self.found), constraint, self.rates)
        answered = of_choice(
            self.policy,
            self.prm,
            evidence.no_rows(),
            made,
            constraint,
            self.printed.contrast,
            published=self.printed.evidence,
        )
        notes = (
            *self.unused,
            *self.printed.printed(made.choice, answered.shown),
            *self.printed.notes,
            *self.rates.notes(),
        )
        return answered, (*notes, *unknown_costs(self.found, self.rates, notes))


def run(arguments: Namespace, output: Output) -> None:
    """Look at the evidence and choose."""
    answered = recommended(
        arguments.store,
        arguments.policy,
        arguments.prm,
        stored_models.difficulty(arguments.difficulty),
        common.constraint(arguments),
        common.pricing(arguments),
        benchmark=arguments.benchmark,
        catalog=load_catalog(arguments.catalog),
        next_problems=arguments.next_problems,
    )
    notes = list(answered.notes)
    record = document(answered, notes)
    output.result(record, lambda console: show(console, answered, notes, arguments.explain))


def recommended(
    store_url: str,
    policy: str,
    prm: str | None,
    level: str,
    constraint: Constraint,
    pricing: Pricing,
    *,
    benchmark: str | None = None,
    catalog: Catalog | None = None,
    next_problems: int = PROBLEMS,
) -> Answer:
    """The choice from the store's evidence, this project's own, or published figures.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    known = look_up(
        store_url,
        model_name(policy),
        model_name(prm),
        level,
        benchmark=benchmark,
        catalog=catalog or load_catalog(),
        pricing=pricing,
    )
    answered, notes = known.answer(constraint, next_problems)
    return replace(answered, notes=(*answered.made.notes, *notes))


def look_up(
    store_url: str,
    policy: str,
    prm: str | None,
    level: str,
    *,
    benchmark: str | None,
    catalog: Catalog,
    pricing: Pricing,
    read: Reader | None = None,
) -> Measured | Published:
    """What is known of a policy and PRM: what was measured, else what others have published.

    Args:
        store_url: of the store to look in first.
        policy, prm: names.
        level: the difficulty.
        benchmark: what they are asked about; None: whatever was measured.
        catalog, pricing: sizes and prices.
        read: gets the evidence; None: `read_basis`.

    Raises:
        InputError: nothing is known of them.
    """
    measured = measured_names(store_url, policy, prm, catalog)
    if asks_published(store_url, measured, benchmark, catalog.policy(policy) is not None):
        return published(store_url, policy, prm, level, measured, benchmark, catalog, pricing)
    if measured is None:
        raise InputError(_unheard_of(store_url, policy, catalog))
    policy, prm = measured
    basis = (read or read_basis)(store_url, policy, prm, pricing, benchmark, catalog)
    found = _found(basis, policy, prm, level)
    rows, notes = for_pair(basis.frame, policy, prm), basis.notes
    if (gain := vote_gain(rows, prm)) is not None:
        notes = (vote_note(gain.difference, gain.samples, str(prm)), *notes)
    return Measured(basis, policy, prm, level, rows, found, notes)


def unknown_costs(found: Sequence[Choice], rates: Rates, notes: Sequence[Note]) -> list[Note]:
    """Notes on quantities that no cost here has, but for what `notes` say is missing."""
    return unknown([one.cost for one in found], rates, beside=notes)


def _found(basis: Basis, policy: str, prm: str | None, level: str) -> list[Choice]:
    """Every strategy known on a difficulty; InputError where there is none."""
    found = candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
    if not found:
        raise InputError(f"difficulty {level}: there is no evidence on it for policy {policy}")
    return found


def answer(
    basis: Basis,
    policy: str,
    prm: str | None,
    level: str,
    constraint: Constraint,
    next_problems: int = PROBLEMS,
) -> Answer:
    """The choice for a difficulty, and what is said of it.

    Raises:
        InputError: no evidence, or nothing keeps to the constraint.
    """
    found = _found(basis, policy, prm, level)
    made = choose(level, found, constraint, basis.rates)
    rows = for_pair(basis.frame, policy, prm)
    return explain(rows, policy, prm, made, found, constraint, next_problems, own=basis.own)


def asks_published(
    store_url: str, measured: tuple[str, str | None] | None, benchmark: str | None, listed: bool
) -> bool:
    """Whether published figures answer: of a benchmark that no runs are of, or without any runs of
    a policy that is `listed` in the catalog."""
    if benchmark is None:
        return measured is None and listed
    return measured is None or not measured_runs.have(store_url, measured[0], benchmark)


def published(
    store_url: str,
    policy: str,
    prm: str | None,
    level: str,
    measured: tuple[str, str | None] | None,
    benchmark: str | None,
    catalog: Catalog,
    pricing: Pricing,
) -> Published:
    """What others have published of a policy and PRM.

    Args:
        measured: the names of `measured_names`; what was measured of them is left out, and said.

    Raises:
        InputError: figures are of no single difficulty, or not of this benchmark.
    """
    if level != ALL:
        raise InputError(
            f"difficulty {level}: published figures are of whole benchmarks; "
            "leave --difficulty out, or profile and measure"
        )
    sized = measured_runs.counted(store_url, policy, prm, catalog)
    sizes = Rates(
        policy_parameters=sized.parameters(policy),
        policy_weights=sized.all_parameters(policy),
        prm_parameters=None if prm is None else sized.parameters(prm),
    )
    rates = pricing.apply(sizes, policy, prm)
    unused = () if measured is None else tuple(measured_runs.unused(store_url, measured[0]))
    return Published(policy, prm, ask(policy, prm, benchmark, sized, rates), rates, unused)


def _unheard_of(store_url: str, policy: str, catalog: Catalog) -> str:
    """What to do about a policy that was not measured and is in no catalog."""
    measured = set(evidence.bundled_policies())
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            measured |= {spec.policy for spec in store.runs() if spec.kind in evidence.KINDS}
    near = difflib.get_close_matches(policy, sorted(measured | set(catalog.policies)), cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else ""
    return (
        f"policy {policy}: there is no evidence on it (measured: {', '.join(sorted(measured))})"
        f"{meant}; measure it with: apportion profile, apportion measure; "
        f"or let what others have published answer: --benchmark {DEFAULT_BENCHMARK}"
    )
