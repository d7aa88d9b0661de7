"""Report: the evidence on a policy and a PRM, as one self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from executor.domains.registry import open_grader
from executor.errors import InputError
from executor.files import data_folder
from executor.problem import MATHS
from executor.store.store import Store
from executor.strategy import from_key
from planner.catalog import Catalog, load_catalog
from planner.choice.answer import Answer
from planner.choice.candidates import candidates
from planner.choice.constraint import Constraint
from planner.costs.pricing import Pricing
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.evidence.bundled import bundled_rows
from planner.evidence.cells import difficulty_counts
from planner.evidence.runs import current_runs, domain_of
from planner.notes import Note
from planner.report import BasisRow, ReportData
from planner.report import report as compose
from planner.report.document import Report
from planner.report.formats import FORMATS, write
from planner.report.models import models_report
from planner.runtime.reporter import Reporter, SilentReporter
from planner.usecases import DEFAULT_STORE
from planner.usecases.evidence_bundle import EvidenceBundle, read_evidence_bundle
from planner.usecases.known_models import Unlisted
from planner.usecases.recommend import (
    check_limits_known,
    choose_from_bundle,
    published_candidates,
    recommend,
    unknown_costs,
    uses_published,
)
from planner.usecases.store_lookup import (
    asked_domain,
    benchmark_name,
    check_not_measured_here,
    model_name,
    names_in_evidence,
    only_pair,
    store_exists,
    with_counted_sizes,
)
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import ALL, LEVELS
from profiling.profiles.free_scores import scored_freely
from profiling.profiles.pool_files import has_rewards, load_pools, saved_profiles
from profiling.profiles.profiler import KIND as PROFILE
from profiling.profiles.profiler import (
    ProblemProfile,
    profile_reliability,
    profile_rewards,
    read_profile,
)
from profiling.scorers.free import FREE_SCORERS


@dataclass(frozen=True, slots=True)
class WrittenReport:
    """A written report.

    Attributes:
        content: sections of the report, before layout.
        out: path of the file.
        form: `html`, `md` or `json`.
    """

    content: Report
    out: Path
    form: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: policy, PRM, format and path of the report."""
        return {
            "policy": self.content.policy,
            "prm": self.content.prm,
            "format": self.form,
            "out": str(self.out),
        }


def report(
    policy: str | Sequence[str] | None = None,
    prm: str | Sequence[str] | None = None,
    *,
    out: Path,
    form: str = "html",
    benchmark: str | None = None,
    constraint: Constraint = Constraint(),
    pricing: Pricing = Pricing(),
    catalog: Path | None = None,
    unlisted: Unlisted = Unlisted(),
    domain: str | None = None,
    store: str = DEFAULT_STORE,
    reporter: Reporter = SilentReporter(),
) -> WrittenReport:
    """Write one self-contained page: the recommendation, its plots and its evidence.

    Args:
        policy: name or folder of the policy; None: the only one in the store. A sequence asks for a
            report on the choice between models (`planner.usecases.recommend.recommend`).
        prm: name or folder of the PRM; None: the only one with evidence, or a bundled policy's own
            PRM. A sequence, only beside a policy: see `recommend`.
        out: path of the file to write; its folder must exist.
        form: `html`, `md` or `json`.
        benchmark: problem set that the report is about; None: all measured ones.
        constraint: limits that the recommendations must keep to.
        pricing: devices and prices of the costs.
        catalog: TOML file with models beyond the project's own.
        unlisted: sizes of models that no catalog lists, and whether unknown ones are allowed.
        domain: what an answer is; None: that of the policy's newest profile.
        store: SQLAlchemy URL of the store; it need not exist.
        reporter: receives progress.

    Raises:
        InputError: there is no evidence, no strategy keeps to the constraint, or the file cannot be
            written.

    Example:
        >>> from pathlib import Path
        >>> from apportion import report
        >>> report("lab-0.4m", "lab-0.4m-prm", out=Path("report.html")).content.policy
        'lab-0.4m'
    """
    if form not in FORMATS:
        raise InputError(f"--format is {form!r}; expected one of {', '.join(FORMATS)}")
    if not out.parent.is_dir():
        raise InputError(f"--out is {out}; the folder {out.parent} does not exist")
    benchmark = benchmark_name(store, benchmark)
    if policy is not None and not (isinstance(policy, str) and isinstance(prm, str | None)):
        with reporter.status("writing the report"):
            content = models_report(
                recommend(
                    policy, prm, benchmark=benchmark, constraint=constraint, pricing=pricing,
                    catalog=catalog, unlisted=unlisted, domain=domain, store=store,
                )
            )  # fmt: skip
            write(content, out, form)
        return WrittenReport(content, out, form)
    if not isinstance(prm, str | None):
        raise InputError("--prm: is given several times; expected --policy too")
    models = unlisted.sized(load_catalog(catalog), policy, prm)
    policy, prm = _pair(policy, prm, store, domain)
    with reporter.status("writing the report"):
        data = _data(policy, prm, benchmark, constraint, pricing, models, unlisted, store, domain)
        content = compose(data)
        write(content, out, form)
    return WrittenReport(content, out, form)


def _pair(
    policy: str | None, prm: str | None, store_url: str, domain: str | None
) -> tuple[str, str | None]:
    """Return the given policy and PRM, or the only ones; a bundled policy has its own PRM."""
    policy, prm = model_name(policy, "policy"), model_name(prm, "PRM")
    runs = []
    if store_exists(store_url):
        of = asked_domain(store_url, policy, domain)
        with Store.open(store_url, create=False) as store:
            runs = [spec for spec in store.runs() if domain_of(spec) == of]
    if policy is None or policy in {spec.policy for spec in runs}:
        return only_pair(runs, policy, prm)
    return policy, prm or _bundled_prm(policy)


def _bundled_prm(policy: str) -> str | None:
    """Return the own PRM of a laboratory policy, or the only PRM that a policy was measured with.

    Raises:
        InputError: there are several, and none is its own.
    """
    if policy in POLICIES:
        return prms_of(policy)["strong"]
    prms = sorted(set(bundled_rows(policy)["prm"]) - {"", *FREE_SCORERS})
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
    domain: str | None,
) -> ReportData:
    """Return the findings to show: measured ones, or published ones if nothing was measured."""
    names = names_in_evidence(store_url, policy, prm, catalog)
    if uses_published(store_url, names, benchmark):
        check_not_measured_here(policy, domain or MATHS)
        sized = with_counted_sizes(store_url, policy, prm, catalog)
        unlisted.check(store_url, policy, prm, sized)
        published = published_candidates(
            store_url, policy, prm, ALL, names, benchmark, catalog, pricing
        )
        return published_data(*published.choose(constraint))
    assert names is not None
    policy, prm = names
    bundle = read_evidence_bundle(store_url, policy, prm, pricing, benchmark, catalog, domain)
    check_limits_known(constraint, bundle.rates)
    answers = [
        choose_from_bundle(bundle, policy, prm, level, constraint)
        for level in LEVELS
        if candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
    ]
    return report_data(store_url, bundle, answers, (), ())


def published_data(answered: Answer, notes: Sequence[Note]) -> ReportData:
    """Return the findings to show if nothing was measured.

    Args:
        answered: the answer from published figures.
        notes: notes on the figures.
    """
    recommendation = answered.made
    return ReportData(
        policy=answered.policy,
        prm=answered.prm,
        advice=[answered],
        found={recommendation.difficulty: (recommendation.choice, *recommendation.alternatives)},
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
    """Return the row of a published figure, or of the model that fills gaps between figures."""
    if row["source"] == "model":
        origin = (
            f"figures of {row['policies']} policies with {row['prms']} PRMs, in studies "
            f"{', '.join(row['studies'])}"
        )
        return BasisRow("model", "", "", (), None, row["figures"], origin)
    strategy = str(row["strategy"])
    try:
        budgets: tuple[int, ...] = (from_key(strategy).n,)
    except InputError:  # a strategy that this program does not run
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
    """Return the findings to show if something was measured.

    Args:
        store_url: SQLAlchemy URL of the store of the profiles.
        bundle: the evidence that the answers rest on.
        answers: one per difficulty, all on one policy and PRM; at least one.
        runs, paired: see `ReportData`.
    """
    policy, prm, rows = answers[0].policy, answers[0].prm, answers[0].rows
    by_level = {
        level: candidates(bundle.frame, policy, prm, level, bundle.model, bundle.rates)
        for level in LEVELS
    }
    every = [choice for estimates in by_level.values() for choice in estimates]
    profiles = _profiles(store_url, bundle, policy, prm)
    with open_grader(bundle.domain) as grader:
        rewards = profile_rewards(profiles, grader)
    return ReportData(
        policy=policy,
        prm=prm,
        advice=answers,
        found=by_level,
        mix=difficulty_counts(rows),
        basis=basis_rows(answers[0], bundle.origin),
        rewards=None if rewards is None else rewards.to_dict(),
        scores=profile_reliability(profiles),
        fit=bundle.metrics,
        runs=runs,
        paired=paired,
        notes=(*bundle.notes, *unknown_costs(every, bundle.rates, bundle.notes)),
    )


def basis_rows(answered: Answer, origin: str) -> list[BasisRow]:
    """Return the evidence of an answer, a row for each strategy, source and PRM.

    `origin` says where the evidence is from.
    """
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
    """Return the profiles with this PRM's scores, from the store or from this project's records."""
    if prm is None:
        return []
    if bundle.bundled:
        folder = data_folder() / "measured" / "pools"
        if not (folder / f"{policy}.samples.parquet").exists():
            return []
        samples, _ = load_pools(folder, policy)
        return saved_profiles(samples, prm) if has_rewards(samples, prm) else []
    with Store.open(store_url, create=False) as store:
        current = current_runs(store.runs(), bundle.domain)
        runs = [one for one in current if one.kind == PROFILE]
        mine = [one for one in runs if one.policy == policy]
        scored = [one for spec in mine if spec.prm == prm for one in read_profile(store, spec)]
        if scored or prm not in FREE_SCORERS:
            return scored
        # Any of its profiles will do, best one that no PRM scored.
        first = next((spec for spec in mine if spec.prm is None), mine[0] if mine else None)
        plain = [] if first is None else read_profile(store, first)
        return scored_freely(plain, prm)
