"""The catalog: what is known of public policies and PRMs without running them.

`data/catalog.toml` is the project's own. A user's entries go over it: `catalog.toml` in the user's
configuration folder of this project, and over that the file given with `--catalog`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from executor.errors import InputError
from executor.files import data_folder
from planner.toml_files import read_toml

FILE = "catalog.toml"

_Entry = TypeVar("_Entry", "PolicyEntry", "PrmEntry")


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy.

    Attributes:
        name: what evidence calls it.
        parameters: all of them.
        family: whose data and training it shares.
        hub: its hub id, where it was released.
        active_parameters: those one token uses, where that is fewer.
        template: name of its prompt template in `executor.models.templates`; None: the default one.
    """

    name: str
    parameters: int
    family: str
    hub: str | None = None
    active_parameters: int | None = None
    template: str | None = None

    @property
    def forwarded(self) -> int:
        """Parameters that cost FLOPs for every token."""
        return self.active_parameters or self.parameters


@dataclass(frozen=True, slots=True)
class PrmEntry:
    """A PRM.

    Attributes:
        name: what evidence calls it.
        parameters: all of them.
        hub: its hub id, where it was released.
        trained_on: families of the policies whose samples taught it; empty where none is known.
        process_bench_f1: percent, mean of ProcessBench's four parts (arXiv 2412.06559).
        convention: module of `executor.scorers.prm` that reads its format; None: there is none.
    """

    name: str
    parameters: int
    hub: str | None = None
    trained_on: tuple[str, ...] = ()
    process_bench_f1: float | None = None
    convention: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Policies and PRMs by name; `counted` are those whose size is of a checkpoint that was run."""

    policies: Mapping[str, PolicyEntry]
    prms: Mapping[str, PrmEntry]
    counted: frozenset[str] = frozenset()

    def policy(self, name: str) -> PolicyEntry | None:
        """The policy of this name, hub id or last part of it; None where the catalog has none."""
        return _named(self.policies, name)

    def prm(self, name: str) -> PrmEntry | None:
        """The PRM of this name, hub id or last part of it; None where the catalog has none."""
        return _named(self.prms, name)

    def names(self, name: str) -> tuple[str, ...]:
        """All names of a policy or PRM that evidence may have it under, the given one first."""
        entry = self.policy(name) or self.prm(name)
        if entry is None:
            return (name,)
        hub = entry.hub or entry.name
        return tuple(dict.fromkeys((name, entry.name, hub, _folder(hub))))

    def parameters(self, name: str) -> int | None:
        """Parameters that every token costs, of a policy or PRM; None where it is not known."""
        policy, prm = self.policy(name), self.prm(name)
        if policy is not None:
            return policy.forwarded
        return None if prm is None else prm.parameters

    def all_parameters(self, name: str) -> int | None:
        """Parameters that memory must hold, of a policy or PRM; None where it is not known."""
        entry = self.policy(name) or self.prm(name)
        return None if entry is None else entry.parameters

    def with_policy(self, name: str, parameters: int) -> Catalog:
        """The same, with the size of a policy as it was counted; one it lacks is entered."""
        entry = self.policy(name) or PolicyEntry(name, parameters, family_of_its_own(name))
        policies = {**self.policies, entry.name: replace(entry, parameters=parameters)}
        return replace(self, policies=policies, counted=self.counted | {entry.name})

    def with_prm(self, name: str, parameters: int) -> Catalog:
        """The same of a PRM."""
        entry = self.prm(name) or PrmEntry(name, parameters)
        prms = {**self.prms, entry.name: replace(entry, parameters=parameters)}
        return replace(self, prms=prms, counted=self.counted | {entry.name})

    def hub_id(self, name: str) -> str:
        """The hub id that a catalog name stands for; `name` itself where it is none or a folder."""
        entry = self.policy(name) or self.prm(name)
        if entry is None or entry.hub is None or Path(name).is_dir():
            return name
        return entry.hub


def family_of_its_own(policy: str) -> str:
    """The family of a policy that is not known to share its data and training with any other."""
    return f"of {policy}"


def load_catalog(given: Path | None = None) -> Catalog:
    """The project's catalog, with the user's entries over it.

    Args:
        given: a further file, whose entries win.

    Raises:
        InputError: a file that cannot be read, or an entry that is wrong; names file and key.
    """
    users = Path(platformdirs.user_config_dir("apportion")) / FILE
    files = [data_folder() / FILE, *([users] if users.is_file() else []), *filter(None, [given])]
    policies: dict[str, PolicyEntry] = {}
    prms: dict[str, PrmEntry] = {}
    for file in files:
        record = _read(file)
        policies |= _entries(file, record, "policies", PolicyEntry, ("parameters", "family"))
        prms |= _entries(file, record, "prms", PrmEntry, ("parameters",))
    for name, value in _process_bench().items():
        if name in prms and prms[name].process_bench_f1 is None:
            prms[name] = replace(prms[name], process_bench_f1=value)
    return Catalog(policies, prms)


def _process_bench() -> dict[str, float]:
    """Published F1 of PRMs, in percent, by name."""
    with (data_folder() / "published" / "prms.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return {row["prm"]: float(row["value"]) for row in rows if row["item"] == "avg_f1"}


def _named(entries: Mapping[str, _Entry], name: str) -> _Entry | None:
    if name in entries:
        return entries[name]
    by_hub = (entry for entry in entries.values() if entry.hub == name)
    by_folder = (e for e in entries.values() if e.hub and _folder(e.hub) == name)
    return next(by_hub, None) or next(by_folder, None)


def _folder(hub: str) -> str:
    """The name of a checkpoint's folder, which is what runs of others often call it."""
    return hub.rpartition("/")[2]


def _read(file: Path) -> dict[str, Any]:
    record = read_toml(file, "catalog")
    for key in record:
        if key not in ("policies", "prms"):
            raise InputError(f"catalog {file}: {key}: a catalog has the tables policies and prms")
    return record


def _entries(
    file: Path,
    record: Mapping[str, Any],
    table: str,
    kind: type[_Entry],
    needed: Iterable[str],
) -> dict[str, _Entry]:
    found = {}
    entries = record.get(table, {})
    if not isinstance(entries, dict):
        raise InputError(f'catalog {file}: {table}: must be tables, as in [{table}."NAME"]')
    known = [field.name for field in fields(kind) if field.name != "name"]
    for name, given in entries.items():
        where = f'catalog {file}: {table}."{name}"'
        if not isinstance(given, dict):
            raise InputError(f"{where}: must be a table")
        for key, value in given.items():
            if key not in known:
                raise InputError(f"{where}.{key}: no such key; there are {', '.join(known)}")
            if wanted := _wrong(key, value):
                raise InputError(f"{where}.{key}: {value!r}: must be {wanted}")
        for key in needed:
            if key not in given:
                raise InputError(f"{where}: lacks {key}")
        made: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        found[name] = kind(name=name, **made)
    return found


def _wrong(key: str, value: Any) -> str | None:
    """What a value would have to be; None where it is right."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in ("parameters", "active_parameters"):
        right = number and isinstance(value, int) and value > 0
        return None if right else "a whole number of at least 1"
    if key == "process_bench_f1":
        return None if number and 0 <= value <= 100 else "a percentage from 0 to 100"
    if key == "trained_on":
        right = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return None if right else "a list of names of families"
    if not isinstance(value, str) or not value:
        return "a text that is not empty"
    if key == "convention" and value not in _conventions():
        return f"one of {', '.join(_conventions())}"
    return None


def _conventions() -> list[str]:
    """Modules of `executor.scorers.prm` that read formats a catalog can name."""
    from executor.scorers.prm import CONVENTIONS

    return [convention.__module__.rpartition(".")[2] for convention in CONVENTIONS]
