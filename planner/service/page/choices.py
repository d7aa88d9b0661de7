"""What the page can be asked for: models, difficulties, and benchmarks with published figures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from executor.store.store import RunSpec, Store
from planner.catalog import Catalog
from planner.evidence.bundled import bundled_rows
from planner.evidence.layout import BUDGETS, KINDS
from planner.plans.plan import Plan
from planner.published import figures
from planner.usecases.store_lookup import name_in_plan, store_exists
from profiling.laboratory.catalog import POLICIES, prms_of
from profiling.pass_rate import LEVELS
from profiling.profiles.profiler import BENCHMARK

# Sources of what is known of a policy; the first that has it answers.
MEASURED, BUNDLED, PUBLISHED = "measured", "bundled", "published"


def choices(store_url: str, catalog: Catalog, plan: Plan | None) -> dict[str, Any]:
    """Policies with the PRMs they can be asked for with, difficulties and benchmarks.

    Returns:
        `policies`: a record each, with `name`, `source` (`measured` in the store, `bundled` with
        this project, `published` by others), `prms`, the likeliest first, and `benchmarks` that
        its runs are of; `prms` of the catalog, `difficulties`, `benchmarks`, `budget` (its range),
        `default` (policy and PRM).
    """
    runs: list[RunSpec] = []
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            runs = [spec for spec in store.runs() if spec.kind in KINDS]
    pairs = bundled_rows()[["policy", "prm"]].drop_duplicates()
    bundled = pairs.itertuples(index=False, name=None)
    ran: dict[str, set[str]] = {}
    for spec in runs:
        if (benchmark := spec.settings.get(BENCHMARK)) is not None:
            ran.setdefault(spec.policy, set()).add(benchmark)
    found: dict[str, dict[str, Any]] = {}
    for source, known in (
        (MEASURED, ((spec.policy, spec.prm or "") for spec in runs)),
        (BUNDLED, bundled),
        (PUBLISHED, ((name, "") for name in catalog.policies)),
    ):
        for policy, prms in _by_policy(known).items():
            if not any(name in found for name in catalog.names(policy)):
                asked = list(catalog.prms) if source == PUBLISHED else _ordered(policy, prms)
                found[policy] = {
                    "name": policy, "source": source, "prms": asked,
                    "benchmarks": sorted(ran.get(policy, ())) if source == MEASURED else [],
                }  # fmt: skip
    policies = list(found.values())
    if plan is not None:
        prm = None if plan.prm is None else name_in_plan(plan.prm, "PRM")
        default = {"policy": name_in_plan(plan.policy, "policy"), "prm": prm}
    else:
        first = policies[0]
        default = {"policy": first["name"], "prm": next(iter(first["prms"]), None)}
    return {
        "policies": policies,
        "prms": list(catalog.prms),
        "difficulties": list(LEVELS),
        "benchmarks": list(figures.benchmarks()),
        "budget": {"least": min(BUDGETS), "most": max(BUDGETS)},
        "default": default,
    }


def _by_policy(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for policy, prm in pairs:
        found.setdefault(policy, set()).update({prm} - {""})
    return found


def _ordered(policy: str, prms: set[str]) -> list[str]:
    """PRMs by name, but the one made for a policy of the laboratory first."""
    own = prms_of(policy)["strong"] if policy in POLICIES else None
    return sorted(prms, key=lambda prm: (prm != own, prm))
