"""`apportion report`: what is known about a policy and a PRM, as one page."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from executor.answers.grader import MathGrader
from executor.errors import InputError
from executor.resources import data_folder
from executor.store.store import Store
from executor.strategy import from_key
from planner.catalog import load_catalog
from planner.choice.answer import Answer
from planner.choice.recommend import candidates
from planner.cli.commands import common
from planner.cli.commands.recommend import answer, asks_published, published, unknown_costs
from planner.cli.console import Output
from planner.evaluation.run_summary import PairedDifference, RunSummary
from planner.evidence import gathering as evidence
from planner.notes import Note
from planner.report import BasisRow, ReportData, report
from planner.report.formats import write
from planner.usecases import stored_models
from planner.usecases.evidence_bundle import Basis, measured_names, read_basis
from planner.usecases.stored_models import model_name, store_exists
from profiling.difficulty.pass_rate import ALL, LEVELS
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pools.stored import load_pools, prms_in, saved_profiles
from profiling.profiler import KIND as PROFILE
from profiling.profiler import (
    ProblemProfile,
    profile_reliability,
    profile_rewards,
    read_profile,
)


def run(arguments: Namespace, output: Output) -> None:
    """Gather and write."""
    if not arguments.out.parent.is_dir():
        raise InputError(f"--out {arguments.out}: the folder {arguments.out.parent} does not exist")
    policy, prm = _pair(arguments)
    with output.status("writing the report"):
        made = _data(arguments, policy, prm)
        write(report(made), arguments.out, arguments.format)
    document = {
        "policy": made.policy, "prm": made.prm, "format": arguments.format,
        "out": str(arguments.out),
    }  # fmt: skip
    output.result(document, lambda console: console.print(f"report: {arguments.out}"))


def _pair(arguments: Namespace) -> tuple[str, str | None]:
    """Policy and PRM: as given, or the only ones there are; of a bundled policy its own PRM."""
    policy, prm = model_name(arguments.policy), model_name(arguments.prm)
    runs = []
    if store_exists(arguments.store):
        with Store.open(arguments.store, create=False) as store:
            runs = store.runs()
    if policy is None or policy in {spec.policy for spec in runs}:
        return stored_models.pair(runs, policy, prm)
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


def _data(arguments: Namespace, policy: str, prm: str | None) -> ReportData:
    """What there is to say: from what was measured, else from what others have published."""
    constraint = common.constraint(arguments)
    catalog = load_catalog(arguments.catalog)
    measured = measured_names(arguments.store, policy, prm, catalog)
    pricing, benchmark = common.pricing(arguments), arguments.benchmark
    if asks_published(arguments.store, measured, benchmark, catalog.policy(policy) is not None):
        known = published(arguments.store, policy, prm, ALL, measured, benchmark, catalog, pricing)
        return published_data(*known.answer(constraint))
    policy, prm = measured or (policy, prm)
    basis = read_basis(arguments.store, policy, prm, pricing, benchmark, catalog)
    stored_models.check_known(constraint, basis.rates)
    answers = [
        answer(basis, policy, prm, level, constraint)
        for level in LEVELS
        if candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
    ]
    return data(arguments.store, basis, answers, (), ())


def published_data(answered: Answer, notes: Sequence[Note]) -> ReportData:
    """What there is to say where nothing was measured."""
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


def data(
    store_url: str,
    basis: Basis,
    answers: Sequence[Answer],
    runs: Sequence[RunSummary],
    paired: Sequence[PairedDifference],
) -> ReportData:
    """Everything the report shows.

    Args:
        store_url: where profiles are.
        basis: what the answers rest on.
        answers: one a difficulty, of one policy and PRM; at least one.
        runs, paired: see `ReportData`.
    """
    policy, prm, rows = answers[0].policy, answers[0].prm, answers[0].rows
    found = {
        level: candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
        for level in LEVELS
    }
    every = [choice for known in found.values() for choice in known]
    profiles = _profiles(store_url, basis, policy, prm)
    with MathGrader() as grader:
        rewards = profile_rewards(profiles, grader)
    return ReportData(
        policy=policy,
        prm=prm,
        advice=answers,
        found=found,
        mix=evidence.difficulty_counts(rows),
        basis=basis_rows(answers[0], basis.origin),
        rewards=None if rewards is None else rewards.to_dict(),
        scores=profile_reliability(profiles),
        fit=basis.metrics,
        runs=runs,
        paired=paired,
        notes=(*basis.notes, *unknown_costs(every, basis.rates, basis.notes)),
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


def _profiles(store_url: str, basis: Basis, policy: str, prm: str | None) -> list[ProblemProfile]:
    """The profiles with this PRM's scores: of the store, or those recorded by this project."""
    if prm is None:
        return []
    if basis.bundled:
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
