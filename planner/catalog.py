"""The catalog: sizes, families and formats of public policies and PRMs.

`data/catalog.toml` is the project's catalog. The entries of `catalog.toml` in the user's
configuration folder of this project replace its entries, and those of the file given with
`--catalog` replace both.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from executor.errors import InputError
from executor.files import data_folder, is_folder
from executor.models.bundled import CONVERTED
from planner.toml_files import read_toml

FILE = "catalog.toml"

_Entry = TypeVar("_Entry", "PolicyEntry", "PrmEntry")


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """The catalog entry of a policy.

    Attributes:
        name: name of the policy in evidence.
        parameters: number of all parameters.
        family: name of the group of policies that share data and training.
        hub: hub id; None if the policy is not on the hub.
        active_parameters: number of parameters that a token uses; None if it uses all.
        template: name of its prompt template in `executor.models.templates`; None means the default
            template.
        thinks: whether its responses begin with a thought, of thousands of tokens.
    """

    name: str
    parameters: int
    family: str
    hub: str | None = None
    active_parameters: int | None = None
    template: str | None = None
    thinks: bool = False

    @property
    def forwarded(self) -> int:
        """Number of parameters that every token uses."""
        return self.active_parameters or self.parameters


@dataclass(frozen=True, slots=True)
class PrmEntry:
    """The catalog entry of a PRM.

    Attributes:
        name: name of the PRM in evidence.
        parameters: number of all parameters.
        hub: hub id; None if the PRM is not on the hub.
        trained_on: families of the policies whose samples it was trained on; empty if not known.
        process_bench_f1: mean F1 over ProcessBench's four parts, in percent (arXiv 2412.06559).
        convention: module of `executor.scorers.prm` that reads its format; None if no module does.
    """

    name: str
    parameters: int
    hub: str | None = None
    trained_on: tuple[str, ...] = ()
    process_bench_f1: float | None = None
    convention: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """Policies and PRMs by name.

    Attributes:
        policies: entries of policies by name.
        prms: entries of PRMs by name.
        counted: names of the models whose size was counted in a checkpoint.
    """

    policies: Mapping[str, PolicyEntry]
    prms: Mapping[str, PrmEntry]
    counted: frozenset[str] = frozenset()

    def policy(self, name: str) -> PolicyEntry | None:
        """Return the policy with this name, hub id or last part of a hub id; None if not listed."""
        return _named(self.policies, name)

    def prm(self, name: str) -> PrmEntry | None:
        """Return the PRM with this name, hub id or last part of a hub id; None if not listed."""
        return _named(self.prms, name)

    def names(self, name: str) -> tuple[str, ...]:
        """Return all names that evidence may use for a policy or PRM, the given name first."""
        entry = self.policy(name) or self.prm(name)
        if entry is None:
            return (name,)
        hub = entry.hub or entry.name
        return tuple(dict.fromkeys((name, entry.name, hub, _folder(hub))))

    def parameters(self, name: str) -> int | None:
        """Return the number of parameters that every token uses; None if it is not known."""
        policy, prm = self.policy(name), self.prm(name)
        if policy is not None:
            return policy.forwarded
        return None if prm is None else prm.parameters

    def all_parameters(self, name: str) -> int | None:
        """Return the number of parameters that memory holds; None if it is not known."""
        entry = self.policy(name) or self.prm(name)
        return None if entry is None else entry.parameters

    def with_policy(self, name: str, parameters: int) -> Catalog:
        """Return a copy with the counted size of a policy; a policy that is not listed is added."""
        entry = self.policy(name) or PolicyEntry(name, parameters, family_of_its_own(name))
        policies = {**self.policies, entry.name: replace(entry, parameters=parameters)}
        return replace(self, policies=policies, counted=self.counted | {entry.name})

    def with_prm(self, name: str, parameters: int) -> Catalog:
        """Return a copy with the counted size of a PRM; a PRM that is not listed is added."""
        entry = self.prm(name) or PrmEntry(name, parameters)
        prms = {**self.prms, entry.name: replace(entry, parameters=parameters)}
        return replace(self, prms=prms, counted=self.counted | {entry.name})

    def hub_id(self, name: str) -> str:
        """Return the hub id of a catalog name.

        It is `name` itself if it has none, is a folder, or has weights in installed packages too.
        """
        entry = self.policy(name) or self.prm(name)
        if entry is None or entry.hub is None or is_folder(name) or name in CONVERTED:
            return name
        return entry.hub


def family_of_its_own(policy: str) -> str:
    """Return the family of a policy that shares data and training with no listed policy."""
    return f"of {policy}"


def load_catalog(given: Path | None = None) -> Catalog:
    """Load the project's catalog and replace its entries with those of the user.

    Args:
        given: a further file, whose entries replace all others; None means no such file.

    Raises:
        InputError: a file cannot be read, or an entry is wrong; the message names file and key.
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
    """Return the published F1 of PRMs, in percent, by name."""
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
    """Return the last part of a hub id, which imported runs often use as the name."""
    return hub.rpartition("/")[2]


def _read(file: Path) -> dict[str, Any]:
    record = read_toml(file, "catalog")
    for key in record:
        if key not in ("policies", "prms"):
            raise InputError(
                f"catalog {file}: {key} is not known; expected the tables policies and prms"
            )
    return record


def _entries(
    file: Path,
    record: Mapping[str, Any],
    table: str,
    kind: type[_Entry],
    needed: Iterable[str],
) -> dict[str, _Entry]:
    made = {}
    entries = record.get(table, {})
    if not isinstance(entries, dict):
        raise InputError(
            f'catalog {file}: {table} is {entries!r}; expected tables [{table}."NAME"]'
        )
    keys = [field.name for field in fields(kind) if field.name != "name"]
    for name, given in entries.items():
        where = f'catalog {file}: {table}."{name}"'
        if not isinstance(given, dict):
            raise InputError(f"{where} is {given!r}; expected a table")
        for key, value in given.items():
            if key not in keys:
                raise InputError(f"{where}.{key} is not known; expected one of {', '.join(keys)}")
            if expected := _wrong(key, value):
                raise InputError(f"{where}.{key} is {value!r}; expected {expected}")
        for key in needed:
            if key not in given:
                raise InputError(f"{where}: {key} is missing")
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in given.items()
        }
        made[name] = kind(name=name, **values)
    return made


def _wrong(key: str, value: Any) -> str | None:
    """Return a description of the expected value; None if the value is right."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in ("parameters", "active_parameters"):
        right = number and isinstance(value, int) and value > 0
        return None if right else "a whole number of at least 1"
    if key == "process_bench_f1":
        return None if number and 0 <= value <= 100 else "a percentage from 0 to 100"
    if key == "trained_on":
        right = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return None if right else "a list of names of families"
    if key == "thinks":
        return None if isinstance(value, bool) else "true or false"
    if not isinstance(value, str) or not value:
        return "text that is not empty"
    if key == "convention" and value not in _conventions():
        return f"one of {', '.join(_conventions())}"
    return None


def _conventions() -> list[str]:
    """Return the modules of `executor.scorers.prm` that a catalog can name as conventions."""
    from executor.scorers.prm import CONVENTIONS

    return [convention.__module__.rpartition(".")[2] for convention in CONVENTIONS]
