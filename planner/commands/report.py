"""`apportion report`: one HTML page of what is known about a policy and a PRM."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import pandas as pd

from executor.answers import MathGrader
from executor.errors import InputError
from executor.store import Store
from planner import evidence
from planner.commands import common
from planner.commands.plan import recommendations
from planner.commands.recommend import Basis, model_name, read_basis
from planner.console import Output
from planner.recommend import LEVELS, Recommendation, candidates
from planner.report import ReportData, write
from planner.summary import PairedDifference, RunSummary
from profiling.profiler import KIND as PROFILE
from profiling.profiler import profile_rewards, read_profile


def run(arguments: Namespace, output: Output) -> None:
    """Gather and write."""
    if not arguments.out.parent.is_dir():
        raise InputError(f"--out {arguments.out}: the folder {arguments.out.parent} does not exist")
    constraint = common.constraint(arguments)
    policy, prm = _pair(arguments)
    with output.status("writing the report"):
        basis = read_basis(arguments.store, policy, prm, common.pricing(arguments))
        made = recommendations(basis, policy, prm, constraint)
        write(data(arguments.store, basis, policy, prm, made, (), ()), arguments.out)
    document = {"policy": policy, "prm": prm, "out": str(arguments.out)}
    output.result(document, lambda console: console.print(f"report: {arguments.out}"))


def _pair(arguments: Namespace) -> tuple[str, str | None]:
    """Policy and PRM: as given, or the only ones the store knows."""
    with Store.open(arguments.store, create=False) as store:
        runs = store.runs()
    return common.pair(runs, model_name(arguments.policy), model_name(arguments.prm))


def data(
    store_url: str,
    basis: Basis,
    policy: str,
    prm: str | None,
    made: Sequence[Recommendation],
    runs: Sequence[RunSummary],
    paired: Sequence[PairedDifference],
) -> ReportData:
    """Everything the page shows."""
    return ReportData(
        policy=policy,
        prm=prm,
        cells=_cells(basis, policy, prm),
        recommendations=made,
        rewards=_rewards(store_url, policy, prm),
        fit=basis.metrics,
        runs=runs,
        paired=paired,
        notes=basis.notes,
    )


def _cells(basis: Basis, policy: str, prm: str | None) -> pd.DataFrame:
    """The cells with what is predicted of them, in one order for all difficulties."""
    table = evidence.cells(evidence.for_pair(basis.frame, policy, prm))
    parts = []
    for level in LEVELS:
        part = table[table["difficulty"] == level].reset_index(drop=True)
        found = candidates(basis.frame, policy, prm, level, basis.model, basis.rates)
        parts.append(
            part.assign(
                mean=[c.predicted_accuracy for c in found],
                low=[c.interval[0] for c in found],
                high=[c.interval[1] for c in found],
                flops=pd.array([c.cost.flops for c in found], dtype="Float64"),
            )
        )
    return pd.concat(parts, ignore_index=True)


def _rewards(store_url: str, policy: str, prm: str | None) -> dict[str, Any] | None:
    """Reward statistics from the pair's profile, where there is one."""
    if prm is None:
        return None
    with Store.open(store_url, create=False) as store:
        profiles = [
            one
            for spec in evidence.current(store.runs())
            if spec.kind == PROFILE and spec.policy == policy and spec.prm == prm
            for one in read_profile(store, spec)
        ]
    with MathGrader() as grader:
        statistics = profile_rewards(profiles, grader)
    return None if statistics is None else statistics.to_dict()
