"""What an answer rests on: the evidence of a store, of a study in it, or this project's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from executor.answers.grader import MathGrader
from executor.store.store import Store
from planner.catalog import Catalog, load_catalog
from planner.costs import measured as noted
from planner.costs.architecture import Shape
from planner.costs.cost import Rates
from planner.costs.pricing import Pricing
from planner.evidence import gathering as evidence
from planner.evidence.comparable import comparable, for_pair
from planner.notes import Note, NoteCode
from planner.usecases.stored_models import store_exists, store_name

if TYPE_CHECKING:
    from planner.prediction.outcome_model import OutcomeModel


@dataclass(frozen=True, slots=True)
class Basis:
    """What an answer rests on.

    Attributes:
        frame: evidence.
        model, metrics: the outcome model fitted to it, and how good it is; None without one.
        rates: what a token costs.
        notes: what a reader should know of it.
        origin: where the evidence is from.
        bundled: whether that is this project and not a store.
        own: whether it was measured in this store: neither bundled nor imported, which a run
            replaces.
    """

    frame: pd.DataFrame
    model: OutcomeModel | None
    metrics: dict[str, Any] | None
    rates: Rates
    notes: tuple[Note, ...]
    origin: str = "a store"
    bundled: bool = False
    own: bool = True


def measured_names(
    store_url: str, policy: str, prm: str | None, catalog: Catalog
) -> tuple[str, str | None] | None:
    """The names under which the store, or this project's own evidence, has a policy and PRM.

    A run of a catalog's model is stored under its hub id. None where the policy was not measured.
    """
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            # Answers to questions of the day (`apportion run`) have no references to judge by.
            runs = [spec for spec in store.runs() if spec.kind in evidence.KINDS]
        policies, prms = {spec.policy for spec in runs}, {spec.prm for spec in runs}
        for name in catalog.names(policy):
            if name in policies:
                scorers = () if prm is None else catalog.names(prm)
                return name, next((one for one in scorers if one in prms), prm)
    return (policy, prm) if policy in evidence.bundled_policies() else None


def read_basis(
    store_url: str,
    policy: str,
    prm: str | None,
    pricing: Pricing | None = None,
    benchmark: str | None = None,
    catalog: Catalog | None = None,
) -> Basis:
    """Evidence of the store; the bundled one where the store has none of this policy.

    Of a study, the runs on one `benchmark`, or all of them with a note of what is pooled. The
    `catalog` tells the sizes of models that no run has loaded.
    """
    pricing, catalog = pricing or Pricing(), catalog or load_catalog()
    if store_exists(store_url):
        # Half a second to import, and bundled evidence is answered from without them.
        from planner.cli.commands.fit import stored_model

        with Store.open(store_url, create=False) as store, MathGrader() as grader:
            frame = evidence.gather(store, grader, policy, () if prm is None else (prm,))
            if for_pair(frame, policy, prm).empty:  # so that it can be said what there is
                frame = evidence.gather(store, grader, policy)
            if not frame.empty:
                model = stored_model(store)
                priced = pricing.apply(noted.rates(store, policy, prm, catalog), policy, prm)
                notes = _model_notes(frame, policy, prm, model[1] if model else None)
                study = evidence.study_of(store.runs(), policy)
                if benchmark is not None:
                    frame = frame[frame["benchmark"] == benchmark]
                notes += _import_notes(study, for_pair(frame, policy, prm), benchmark)
                notes += tuple(comparable(frame, policy, prm).notes())
                return Basis(
                    frame,
                    model[0] if model else None,
                    model[1] if model else None,
                    priced,
                    (*notes, *priced.notes()),
                    store_name(store_url) if study is None else f"study {study}",
                    own=study is None,
                )
    frame = evidence.bundled(policy)
    if frame.empty:  # all of it, so that it can be said which policies are known
        frame = evidence.bundled()
    sizes = evidence.bundled_sizes()
    known = Rates(
        policy_parameters=sizes.get(policy),
        prm_parameters=None if prm is None else sizes.get(prm),
        policy_shape=Shape.bundled(policy),
        prm_shape=None if prm is None else Shape.bundled(prm),
    )
    priced = pricing.apply(known, policy, prm)
    notes = (Note.of(NoteCode.BUNDLED_EVIDENCE), *priced.notes())
    return Basis(
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
    counts = evidence.benchmark_counts(rows)
    if len(counts) < 2:
        return (note,)
    pooled = tuple((str(name), int(count)) for name, count in counts.items())
    return (note, Note.of(NoteCode.BENCHMARKS_POOLED, problems=pooled))
