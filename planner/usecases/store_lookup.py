"""Look-ups in a store: whether it exists, by which names it knows models, which runs it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from executor.domains.registry import find_domain
from executor.errors import InputError
from executor.loading import stored_name
from executor.models.checkpoint import Role
from executor.problem import MATHS, problem_uid
from executor.servers.address import read_address
from executor.store.address import parse, shown, sqlite_file
from executor.store.database import is_store
from executor.store.store import RunSpec, Store
from planner.catalog import Catalog
from planner.costs import measured
from planner.evidence.bundled import (
    bundled_benchmarks,
    bundled_policies,
    bundled_rows,
    bundled_sizes,
)
from planner.evidence.layout import KINDS
from planner.evidence.runs import current_runs, evidence_domain, own_domain
from planner.notes import Note, NoteCode
from planner.published import figures
from profiling.profiles.profiler import BENCHMARK

# The store itself


def store_exists(store_url: str) -> bool:
    """Whether there is a store to read.

    False for an SQLite file that does not exist, for a database in memory, which holds only what
    its own process has put there, and for a PostgreSQL database without a store's tables.

    Raises:
        StoreError: the database cannot be reached, or the URL is none.
    """
    parsed = parse(store_url)
    if parsed.get_backend_name() != "sqlite":
        return is_store(store_url)
    path = sqlite_file(parsed)
    return path is not None and path.is_file()


def store_name(store_url: str) -> str:
    """The name of a store for people: of a file its name, else the URL without its password."""
    parsed = parse(store_url)
    path = sqlite_file(parsed) if parsed.get_backend_name() == "sqlite" else None
    return shown(store_url) if path is None else path.name


# Domains


def asked_domain(store_url: str, policy: str | None, domain: str | None) -> str:
    """The domain of an answer about a policy: as asked, or that of its own newest profile.

    It is maths if the policy has no runs in the store: then this project's own evidence, or that
    of others, answers. Without a policy the store's newest profile decides.

    Raises:
        InputError: the domain is not known.
    """
    if domain is not None:
        find_domain(domain)
        return domain
    if not store_exists(store_url):
        return MATHS
    with Store.open(store_url, create=False) as store:
        runs = store.runs()
    return evidence_domain(runs) if policy is None else own_domain(runs, policy) or MATHS


def check_not_measured_here(policy: str | None, domain: str) -> None:
    """Check that evidence from elsewhere may answer: this project's own, or published figures.

    Raises:
        InputError: they are of another domain, or there is no such domain.
    """
    find_domain(domain)
    if domain != MATHS:
        what = "" if policy is None else f"policy {policy}: "
        raise InputError(
            f"{what}the store has no evidence of the domain {domain}, and this project's own and "
            f"published figures are of {MATHS}; profile on problems of {domain}, or give --domain "
            f"{MATHS}"
        )


# Names of models


@overload
def model_name(given: str, role: Role) -> str: ...
@overload
def model_name(given: None, role: Role) -> None: ...
def model_name(given: str | None, role: Role) -> str | None:
    """The name that evidence has for a model that a user named; see `stored_name`.

    Raises:
        InputError: the name is empty, or an address of a server was given; evidence goes by its
            model's name.
    """
    if given is None:
        return None
    if not given.strip():
        raise InputError("the name of a model is empty; expected for instance lab-0.8m")
    if (address := read_address(given)) is not None:
        raise InputError(f"{address}: evidence goes by a model's name; give that")
    return stored_name(given, role)


def name_in_plan(model: str, role: Role) -> str:
    """The name that evidence has for a model of a plan, which holds full paths."""
    return model if read_address(model) is not None else stored_name(model, role)


def names_in_evidence(
    store_url: str, policy: str, prm: str | None, catalog: Catalog, benchmark: str | None = None
) -> tuple[str, str | None] | None:
    """The names by which the store, or this project's own evidence, knows a policy and a PRM.

    A run of a catalog's model is stored under its hub id. None if the policy was not measured. If a
    benchmark is given, evidence that is of it comes first.
    """
    known: tuple[str, str | None] | None = None
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            # Answers to questions of the day (`apportion run`) have no references to judge by.
            runs = [spec for spec in store.runs() if spec.kind in KINDS]
        policies, prms = {spec.policy for spec in runs}, {spec.prm for spec in runs}
        for name in catalog.names(policy):
            if name in policies:
                scorers = () if prm is None else catalog.names(prm)
                known = name, next((one for one in scorers if one in prms), prm)
                break
        if known and (benchmark is None or has_runs_on(store_url, known[0], benchmark)):
            return known
    bundled = bundled_policies()
    for name in catalog.names(policy):
        if name not in bundled:
            continue
        of_it = benchmark is None or benchmark in bundled_benchmarks(name)
        if of_it or known is None:
            return name, prm
    return known


def only_pair(
    runs: Sequence[RunSpec], policy: str | None, prm: str | None
) -> tuple[str, str | None]:
    """Policy and PRM as given, else the only ones of these runs.

    Raises:
        InputError: none is given, and the runs have none or several.
    """
    policy = only_policy(runs, policy)
    prms = prms_of(runs, policy)
    if prm is None and len(prms) > 1:
        raise InputError(f"--prm: must be given; the store knows {', '.join(prms)}")
    return policy, prm or (prms[0] if prms else None)


def only_policy(runs: Sequence[RunSpec], policy: str | None) -> str:
    """The policy as given, else the only one of these runs.

    Raises:
        InputError: none is given, and the runs have none or several.
    """
    policies = sorted({spec.policy for spec in runs})
    if policy is None:
        if len(policies) != 1:
            known = ", ".join(policies) or "none"
            raise InputError(f"--policy: must be given; the store knows {known}")
        (policy,) = policies
    return policy


def prms_of(runs: Sequence[RunSpec], policy: str) -> list[str]:
    """The PRMs that scored a policy in these runs, in order of their names."""
    return sorted({spec.prm for spec in runs if spec.prm and spec.policy == policy})


# Runs of a policy


def with_counted_sizes(store_url: str, policy: str, prm: str | None, catalog: Catalog) -> Catalog:
    """The catalog with the sizes of a policy and PRM as they were counted in checkpoints."""
    bundled = bundled_sizes()
    sizes = {name: bundled.get(name) for name in (policy, prm) if name is not None}
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            for name in sizes:
                counts = (measured.size(store, one) for one in catalog.names(name))
                sizes[name] = next((size for size in counts if size), sizes[name])
    if (size := sizes[policy]) is not None:
        catalog = catalog.with_policy(policy, size)
    if prm is not None and (size := sizes[prm]) is not None:
        catalog = catalog.with_prm(prm, size)
    return catalog


def is_measured_on(store_url: str, policy: str, benchmark: str) -> bool:
    """Whether some evidence on a policy, the store's or this project's own, is of a benchmark."""
    return has_runs_on(store_url, policy, benchmark) or benchmark in bundled_benchmarks(policy)


def has_runs_on(store_url: str, policy: str, benchmark: str) -> bool:
    """Whether some of the store's evidence on a policy is from this benchmark."""
    if not store_exists(store_url):
        return False
    with Store.open(store_url, create=False) as store:
        return any(spec.settings.get(BENCHMARK) == benchmark for spec in _runs(store, policy))


def benchmark_name(store_url: str, given: str | None) -> str | None:
    """The name by which evidence or figures know a benchmark, whose case does not count.

    A name that nothing knows stays as it is given.
    """
    if given is None:
        return None
    known = dict.fromkeys(figures.benchmarks())
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            known |= {spec.settings.get(BENCHMARK, ""): None for spec in store.runs()}
    alike = [name for name in known if name.casefold() == given.casefold()]
    return given if given in known or not alike else alike[0]


def notes_on_unused_runs(store_url: str, policy: str) -> list[Note]:
    """A note that an answer from published figures leaves out what was measured of its policy."""
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            problems = {
                problem_uid(stored.outcome.problem)
                for spec in _runs(store, policy)
                for stored in store.outcomes(spec, samples=False)
            }
        if problems:
            return [_unused(store_name(store_url), policy, len(problems))]
    count = int(bundled_rows(policy)["problem"].nunique())
    return [_unused(None, policy, count)] if count else []


def _runs(store: Store, policy: str) -> list[RunSpec]:
    """The runs that are evidence on a policy."""
    runs = store.runs()
    current = current_runs(runs, evidence_domain(runs, policy))
    return [spec for spec in current if spec.policy == policy and spec.kind in KINDS]


def _unused(store: str | None, policy: str, problems: int) -> Note:
    """A note on runs of a store; None: the runs are this project's own."""
    return Note.of(NoteCode.RUNS_NOT_USED, store=store, policy=policy, problems=problems)
