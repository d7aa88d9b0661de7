"""The evidence behind an answer: of a store, of a study in it, or this project's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from executor.problem import MATHS
from executor.store.store import Store
from planner.catalog import Catalog, load_catalog
from planner.choice.estimate import Models
from planner.costs import measured
from planner.costs.cost import Rates
from planner.costs.pricing import DoesNotFitError, Pricing
from planner.evidence.bundled import bundled_note, bundled_rows, bundled_shape, bundled_sizes
from planner.evidence.cells import benchmark_counts
from planner.evidence.comparable import comparable, for_pair
from planner.evidence.gathering import gather
from planner.evidence.runs import evidence_grader, study_of
from planner.notes import Note, NoteCode
from planner.usecases.store_lookup import (
    asked_domain,
    check_not_measured_here,
    has_runs_on,
    prms_of,
    store_exists,
    store_name,
)
from profiling.scorers.free import FREE_SCORERS

if TYPE_CHECKING:
    from planner.prediction.outcome_model import OutcomeModel


@dataclass(frozen=True, slots=True)
class EvidenceBundle:
    """All that an answer is computed from.

    Attributes:
        frame: evidence rows, see `planner.evidence.layout.COLUMNS`.
        model, metrics: the outcome model fitted to them and its metrics; None without one.
        rates: prices of a token.
        notes: what a reader should know of the evidence.
        origin: the place that the evidence is from, in words.
        bundled: whether that is this project and not a store.
        own: whether the evidence was measured in this store. Otherwise it is bundled or imported,
            and a run in the store would replace it rather than add to it.
        domain: what an answer is, in all of it.
    """

    frame: pd.DataFrame
    model: OutcomeModel | None
    metrics: dict[str, Any] | None
    rates: Rates
    notes: tuple[Note, ...]
    origin: str = "a store"
    bundled: bool = False
    own: bool = True
    domain: str = MATHS


def read_evidence_bundle(
    store_url: str,
    policy: str,
    prm: str | None,
    pricing: Pricing | None = None,
    benchmark: str | None = None,
    catalog: Catalog | None = None,
    domain: str | None = None,
) -> EvidenceBundle:
    """The store's evidence on a policy, else this project's own.

    Args:
        store_url: SQLAlchemy URL of the store; it may not exist.
        policy, prm: names as evidence has them.
        pricing: devices and prices; None: as runs here measured.
        benchmark: of an imported study, only the runs on this one; None: all of them, with a note
            that names what is pooled.
        catalog: sizes of models that no run has loaded; None: the project's own catalog.
        domain: domain of the evidence; None: that of the policy's newest profile.

    Returns:
        The bundle. If there is no evidence on the policy, its frame holds that on all others, so
        that a message can name them.

    Raises:
        InputError: a store or a stored model that cannot be read, or a price that is not known; or
            the store has no evidence of this domain, and this project's own is of another.
    """
    pricing, catalog = pricing or Pricing(), catalog or load_catalog()
    elsewhere = benchmark is not None and not has_runs_on(store_url, policy, benchmark)
    domain = domain or MATHS if elsewhere else asked_domain(store_url, policy, domain)
    if store_exists(store_url) and not elsewhere:
        with (
            Store.open(store_url, create=False) as store,
            evidence_grader(store, domain, policy) as grader,
        ):
            frame = gather(store, grader, policy, () if prm is None else (prm,), domain)
            if for_pair(frame, policy, prm).empty:  # a message can then name what there is
                frame = gather(store, grader, policy, domain=domain)
            if not frame.empty:
                return _stored(
                    store, store_url, frame, policy, prm, pricing, benchmark, catalog, domain
                )
    check_not_measured_here(policy, domain)
    return _bundled(_bundled_frame(policy, benchmark), policy, prm, pricing, benchmark)


def read_with_each_prm(
    store_url: str,
    policy: str,
    prms: Sequence[str] | None,
    pricing: Pricing,
    benchmark: str | None,
    catalog: Catalog,
    domain: str | None = None,
) -> tuple[dict[str | None, EvidenceBundle], list[Models]]:
    """The evidence on a policy alone and with each of some PRMs, read once.

    Args:
        store_url, policy, pricing, benchmark, catalog, domain: see `read_evidence_bundle`.
        prms: names as evidence has them; None: all that there is evidence with.

    Returns:
        A bundle for each PRM and for None, and the models that have none because they do not fit
        the device. PRMs without evidence have no bundle.

    Raises:
        InputError: see `read_evidence_bundle`.
    """
    made: dict[str | None, EvidenceBundle] = {}
    too_large: list[Models] = []

    def each(frame: pd.DataFrame, read: Callable[[str | None], EvidenceBundle]) -> None:
        known = sorted(set(frame.loc[frame["policy"] == policy, "prm"]) - {""})
        for prm in (None, *(one for one in known if prms is None or one in prms)):
            try:
                made[prm] = read(prm)
            except DoesNotFitError:
                too_large.append(Models(policy, prm))

    elsewhere = benchmark is not None and not has_runs_on(store_url, policy, benchmark)
    of = domain or MATHS if elsewhere else asked_domain(store_url, policy, domain)
    if store_exists(store_url) and not elsewhere:
        with (
            Store.open(store_url, create=False) as store,
            evidence_grader(store, of, policy) as grader,
        ):
            every = (*prms_of(store.runs(), policy), *FREE_SCORERS)
            frame = gather(store, grader, policy, every if prms is None else prms, of)
            if not frame.empty:
                each(frame, lambda prm: _stored(
                    store, store_url, frame, policy, prm, pricing, benchmark, catalog, of
                ))  # fmt: skip
                return made, too_large
    check_not_measured_here(policy, of)
    bundled = _bundled_frame(policy, benchmark)
    each(bundled, lambda prm: _bundled(bundled, policy, prm, pricing, benchmark))
    return made, too_large


def _stored(
    store: Store,
    store_url: str,
    frame: pd.DataFrame,
    policy: str,
    prm: str | None,
    pricing: Pricing,
    benchmark: str | None,
    catalog: Catalog,
    domain: str,
) -> EvidenceBundle:
    """The bundle of evidence that was gathered from a store."""
    # Half a second to import, and bundled evidence is answered from without them.
    from planner.prediction.persistence import stored_model

    kept = stored_model(store, domain)
    priced = pricing.apply(measured.rates(store, policy, prm, catalog), policy, prm)
    notes = _model_notes(frame, policy, prm, kept[1] if kept else None)
    study = study_of(store.runs(), policy, domain)
    if benchmark is not None:
        frame = frame[frame["benchmark"] == benchmark]
    notes += _import_notes(study, for_pair(frame, policy, prm), benchmark)
    notes += tuple(comparable(frame, policy, prm).notes())
    return EvidenceBundle(
        frame,
        kept[0] if kept else None,
        kept[1] if kept else None,
        priced,
        (*notes, *priced.notes()),
        store_name(store_url) if study is None else f"study {study}",
        own=study is None,
        domain=domain,
    )


def _bundled_frame(policy: str, benchmark: str | None) -> pd.DataFrame:
    """This project's own evidence on a policy; all of it if there is none."""
    frame = bundled_rows(policy)
    if benchmark is not None:
        frame = frame[frame["benchmark"] == benchmark]
    return bundled_rows() if frame.empty else frame


def _bundled(
    frame: pd.DataFrame, policy: str, prm: str | None, pricing: Pricing, benchmark: str | None
) -> EvidenceBundle:
    """The bundle of this project's own evidence."""
    sizes = bundled_sizes()
    known = Rates(
        policy_parameters=sizes.get(policy),
        prm_parameters=measured.scorer_parameters(prm, sizes.get(prm or "")),
        policy_shape=bundled_shape(policy),
        prm_shape=None if prm is None else bundled_shape(prm),
    )
    priced = pricing.apply(known, policy, prm)
    rows = for_pair(frame, policy, prm)
    several = benchmark is None and frame["benchmark"].nunique() > 1
    pooled = _pooled(rows) if several else ()
    notes = (bundled_note(NoteCode.BUNDLED_EVIDENCE, rows), *pooled, *priced.notes())
    return EvidenceBundle(
        frame, None, None, priced, notes, "this project's own runs", bundled=True, own=False
    )


def _model_notes(
    frame: pd.DataFrame, policy: str, prm: str | None, metrics: dict[str, Any] | None
) -> tuple[Note, ...]:
    if metrics is None:
        return (Note.of(NoteCode.MODEL_NOT_FITTED_HERE),)
    from planner.prediction.tuning import rests_on

    if not rests_on(metrics, frame, policy, prm):
        return (Note.of(NoteCode.MODEL_OUTDATED),)
    return ()


def _import_notes(study: str | None, rows: pd.DataFrame, benchmark: str | None) -> tuple[Note, ...]:
    if study is None:
        return ()
    note = Note.of(NoteCode.IMPORTED_STUDY, study=study, benchmark=benchmark)
    return (note, *_pooled(rows))


def _pooled(rows: pd.DataFrame) -> tuple[Note, ...]:
    """A note that evidence pools benchmarks, if it does."""
    counts = benchmark_counts(rows)
    if len(counts) < 2:
        return ()
    pooled = tuple((str(name), int(count)) for name, count in counts.items())
    return (Note.of(NoteCode.BENCHMARKS_POOLED, problems=pooled),)
