"""The runs of a policy, in a store or among this project's own: sizes, benchmarks, unused ones."""

from __future__ import annotations

from executor.problem import problem_uid
from executor.store.store import RunSpec, Store
from planner.catalog import Catalog
from planner.costs import measured as noted
from planner.evidence import gathering as evidence
from planner.notes import Note, NoteCode
from planner.usecases.stored_models import store_exists, store_name
from profiling.profiler import BENCHMARK


def counted(store_url: str, policy: str, prm: str | None, catalog: Catalog) -> Catalog:
    """The catalog with the sizes of a policy and PRM as they were counted in checkpoints."""
    bundled = evidence.bundled_sizes()
    sizes = {name: bundled.get(name) for name in (policy, prm) if name is not None}
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            for name in sizes:
                found = (noted.size(store, one) for one in catalog.names(name))
                sizes[name] = next((size for size in found if size), sizes[name])
    if (size := sizes[policy]) is not None:
        catalog = catalog.with_policy(policy, size)
    if prm is not None and (size := sizes[prm]) is not None:
        catalog = catalog.with_prm(prm, size)
    return catalog


def have(store_url: str, policy: str, benchmark: str) -> bool:
    """Whether the runs that answer for a policy in a store are of this benchmark, some of them."""
    if not store_exists(store_url):
        return False
    with Store.open(store_url, create=False) as store:
        return any(spec.settings.get(BENCHMARK) == benchmark for spec in _runs(store, policy))


def unused(store_url: str, policy: str) -> list[Note]:
    """A note if an answer from published figures leaves out what was measured of its policy."""
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            problems = {
                problem_uid(stored.outcome.problem)
                for spec in _runs(store, policy)
                for stored in store.outcomes(spec, samples=False)
            }
        if problems:
            return [_unused(store_name(store_url), policy, len(problems))]
    count = int(evidence.bundled(policy)["problem"].nunique())
    return [_unused(None, policy, count)] if count else []


def _runs(store: Store, policy: str) -> list[RunSpec]:
    """The runs that are evidence on a policy."""
    found = evidence.current(store.runs())
    return [spec for spec in found if spec.policy == policy and spec.kind in evidence.KINDS]


def _unused(store: str | None, policy: str, problems: int) -> Note:
    """None as the store: the runs are this project's own."""
    return Note.of(NoteCode.RUNS_NOT_USED, store=store, policy=policy, problems=problems)
