"""Report: what is known about a policy and a PRM, as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.files import data_folder
from executor.store.store import Store
from executor.strategy import from_key
from planner.catalog import Catalog, load_catalog
from planner.choice.answer import Answer
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.costs.pricing import Pricing
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.evidence import gathering as evidence
from planner.notes import Note
from planner.report import BasisRow, ReportData
from planner.report import report as compose
from planner.report.document import Report
from planner.report.formats import FORMATS, write
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from planner.usecases.known_models import Unlisted
from planner.usecases.recommend import (
    check_limits_known,
    choose_from_bundle,
    published_candidates,
    unknown_costs,
    uses_published,
)
from planner.usecases.store_lookup import (
    model_name,
    names_in_evidence,
    only_pair,
    store_exists,
    with_counted_sizes,
)
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import ALL, LEVELS
from profiling.profiles.pool_files import load_pools, prms_in, saved_profiles
from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import (
    ProblemProfile,
    profile_reliability,
    profile_rewards,
    read_profile,
)


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A report that was written.

    Attributes:
        content: its sections, before they were laid out.
        out: the file.
        form: `html`, `md` or `json`.
    """

    content: Report
    out: Path
    form: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: what was written, and where to."""
        return {
            "policy": self.content.policy,
            "prm": self.content.prm,
            "format": self.form,
            "out": str(self.out),
        }


def report(
    policy: str | None = None,
    prm: str | None = None,
    *,
    out: Path,
    form: str = "html",
    benchmark: str | None = None,
    constraint: Constraint = Constraint(),
    pricing: Pricing = Pricing(),
    catalog: Path | None = None,
    unlisted: Unlisted = Unlisted(),
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> WrittenReport:
    """Write one self-contained page: the recommendation, its plots and its evidence.

    Args:
        policy: name of the model that writes, or its folder; None: the only one in the store.
        prm: name of the PRM that scores, or its folder; None: the only one there is evidence
            with, and of a bundled policy its own.
        out: the file to write, in a folder that exists.
        form: `html`, `md` or `json`.
        benchmark: problem set that is asked about; None: whatever was measured.
        constraint: limits that the recommendations must keep to.
        pricing: devices and prices that costs are counted by.
        catalog: TOML file of models besides the project's own.
        unlisted: sizes of models that no catalog lists, and whether unknown ones are allowed.
        store: SQLAlchemy URL of the store; it need not exist.
        reporter: receives progress.

    Raises:
        InputError: there is no evidence, nothing keeps to the constraint, or the file cannot be
            written.

    Example:
        >>> from pathlib import Path
        >>> from apportion import report
        >>> report("lab-0.4m", "lab-0.4m-prm", out=Path("report.html")).content.policy
        'lab-0.4m'
    """
    if form not in FORMATS:
        raise InputError(f"--format {form!r}: must be one of {', '.join(FORMATS)}")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: the folder {out.parent} does not exist")
    models = unlisted.sized(load_catalog(catalog), policy, prm)
    policy, prm = _pair(policy, prm, store)
    with reporter.status("writing the report"):
        made = _data(policy, prm, benchmark, constraint, pricing, models, unlisted, store)
        content = compose(made)
        write(content, out, form)
    return WrittenReport(content, out, form)


def _pair(policy: str | None, prm: str | None, store_url: str) -> tuple[str, str | None]:
    """Policy and PRM: as given, or the only ones there are; of a bundled policy its own PRM."""
    policy, prm = model_name(policy), model_name(prm)
    runs = []
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            runs = store.runs()
    if policy is None or policy in {spec.policy for spec in runs}:
        return only_pair(runs, policy, prm)
    return policy, prm or _bundled_prm(policy)


def _bundled_prm(policy: str) -> str | None:
    """The PRM that comes with a policy of the laboratory; else the only one it was measured with.

    Raises:
        InputError: there are several, and none is its own.
    """
    if policy in POLICIES:
        return prms_of(policy)["strong"]
    prms = sorted(set(evidence.bundled(policy)["prm"]) - {""})
    if len(prms) > 1:
        raise InputError(f"--prm: must be given; there is evidence with {', '.join(prms)}")
    return prms[0] if prms else None


def _data(
    policy: str,
    prm: str | None,
    benchmark: str | None,
    constraint: Constraint,
    pricing: Pricing,
    catalog: Catalog,
    unlisted: Unlisted,
    store_url: str,
) -> ReportData:
    """The findings to show: from what was measured, else from what others have published."""
    names = names_in_evidence(store_url, policy, prm, catalog)
    if uses_published(store_url, names, benchmark):
        sized = with_counted_sizes(store_url, policy, prm, catalog)
        unlisted.check(store_url, policy, prm, sized)
        known = published_candidates(
            store_url, policy, prm, ALL, names, benchmark, catalog, pricing
        )
        return published_data(*known.choose(constraint))
    assert names is not None
    policy, prm = names
    bundle = read_evidence_bundle(store_url, policy, prm, pricing, benchmark, catalog)
    check_limits_known(constraint, bundle.rates)
    answers = [
        choose_from_bundle(bundle, policy, prm, level, constraint)
        for level in LEVELS
        if candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
    ]
    return report_data(store_url, bundle, answers, (), ())


def published_data(answered: Answer, notes: Sequence[Note]) -> ReportData:
    """The findings to show if nothing was measured.

    Args:
        answered: the answer from published figures.
        notes: what a reader should know of the figures.
    """
    made = answered.made
    return ReportData(
        policy=answered.policy,
        prm=answered.prm,
        advice=[answered],
        found={made.difficulty: (made.choice, *made.alternatives)},
        mix={},
        basis=[_published_row(row) for row in answered.published],
        rewards=None,
        scores=(),
        fit=None,
        runs=(),
        paired=(),
        notes=notes,
    )


def _published_row(row: Mapping[str, Any]) -> BasisRow:
    """A figure, or what the model that fills their gaps rests on."""
    if row["source"] == "model":
        origin = (
            f"figures of {row['policies']} policies with {row['prms']} PRMs, in studies "
            f"{', '.join(row['studies'])}"
        )
        return BasisRow("model", "", "", (), None, row["figures"], origin)
    strategy = str(row["strategy"])
    try:
        budgets: tuple[int, ...] = (from_key(strategy).n,)
    except InputError:  # one that this program does not run
        budgets = ()
    note = f"; {row['note']}" if row["note"] else ""
    return BasisRow(
        "published",
        strategy,
        str(row["prm"]),
        budgets,
        int(row["problems"]),
        1,
        f"{row['benchmark']}, {row['source']}{note}",
        float(row["accuracy"]),
    )


def report_data(
    store_url: str,
    bundle: EvidenceBundle,
    answers: Sequence[Answer],
    runs: Sequence[RunSummary],
    paired: Sequence[PairedDifference],
) -> ReportData:
    """The findings to show if something was measured.

    Args:
        store_url: where profiles are.
        bundle: the evidence that the answers rest on.
        answers: one a difficulty, of one policy and PRM; at least one.
        runs, paired: see `ReportData`.
    """
    policy, prm, rows = answers[0].policy, answers[0].prm, answers[0].rows
    found = {
        level: candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
        for level in LEVELS
    }
    every = [choice for known in found.values() for choice in known]
    profiles = _profiles(store_url, bundle, policy, prm)
    with MathGrader() as grader:
        rewards = profile_rewards(profiles, grader)
    return ReportData(
        policy=policy,
        prm=prm,
        advice=answers,
        found=found,
        mix=evidence.difficulty_counts(rows),
        basis=basis_rows(answers[0], bundle.origin),
        rewards=None if rewards is None else rewards.to_dict(),
        scores=profile_reliability(profiles),
        fit=bundle.metrics,
        runs=runs,
        paired=paired,
        notes=(*bundle.notes, *unknown_costs(every, bundle.rates, bundle.notes)),
    )


def basis_rows(answered: Answer, origin: str) -> list[BasisRow]:
    """The evidence of an answer, which is from `origin`, a row a kind."""
    groups = answered.rows.groupby(["name", "source", "prm"], sort=True)
    return [
        BasisRow(
            source=str(source),
            strategy=str(name),
            prm=str(prm),
            budgets=tuple(sorted(int(n) for n in rows["n"].unique())),
            problems=int(rows["problem"].nunique()),
            rows=len(rows),
            origin=origin,
        )
        for (name, source, prm), rows in groups
    ]


def _profiles(
    store_url: str, bundle: EvidenceBundle, policy: str, prm: str | None
) -> list[ProblemProfile]:
    """The profiles with this PRM's scores: of the store, or those recorded by this project."""
    if prm is None:
        return []
    if bundle.bundled:
        folder = data_folder() / "measured" / "pools"
        if not (folder / f"{policy}.samples.parquet").exists():
            return []
        samples, _ = load_pools(folder, policy)
        return saved_profiles(samples, prm) if prm in prms_in(samples) else []
    with Store.open(store_url, create=False) as store:
        return [
            one
            for spec in evidence.current(store.runs())
            if spec.kind == PROFILE and spec.policy == policy and spec.prm == prm
            for one in read_profile(store, spec)
        ]
