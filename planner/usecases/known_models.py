"""Whether anybody knows a model: its name, or at least its size.

Published figures answer for models that were never run here, by their size. A name that stands in
no catalog and in no store may be a typing error, and is no reason to answer as if for any model.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

from executor.errors import InputError, did_you_mean
from executor.files import is_folder
from executor.models.checkpoint import Role, parameter_count
from executor.store.store import Store
from planner.catalog import Catalog
from planner.evidence.bundled import bundled_policies, bundled_rows, bundled_sizes
from planner.usecases.store_lookup import model_name, store_exists

# What the header of a broken safetensors file can raise.
_BROKEN = (
    OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError,
    struct.error,
)  # fmt: skip
_SIZE = re.compile(r"(\d+(?:\.\d+)?)[bB](?![a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Unlisted:
    """What a caller says of models that no catalog lists.

    Attributes:
        parameters: number of parameters of the policy; None: as catalogs and checkpoints say.
        prm_parameters: the same of the PRM.
        allowed: whether a model that nobody knows is answered for, as one of unknown size.

    Raises:
        InputError: a number is below 1.
    """

    parameters: int | None = None
    prm_parameters: int | None = None
    allowed: bool = False

    def __post_init__(self) -> None:
        for option, size in (
            ("--parameters", self.parameters),
            ("--prm-parameters", self.prm_parameters),
        ):
            if size is not None and size < 1:
                raise InputError(f"{option} is {size}; expected at least 1")

    def sized(self, catalog: Catalog, policy: str | None, prm: str | None) -> Catalog:
        """The catalog with the sizes that the caller gives, or that folders of models have.

        Args:
            catalog: sizes of models.
            policy, prm: models as the caller gave them: names or folders; None: not named.

        Raises:
            InputError: the size of a model is given that is not named.
        """
        roles: tuple[Role, Role] = ("policy", "PRM")
        given = ((policy, self.parameters), (prm, self.prm_parameters))
        for role, (model, size) in zip(roles, given, strict=True):
            if model is None and size is not None:
                option = "--parameters" if role == "policy" else "--prm-parameters"
                raise InputError(
                    f"{option}: is the size of no model; name it with --{role.lower()}"
                )
            if model is not None and (size := size or _counted(model)) is not None:
                added = catalog.with_policy if role == "policy" else catalog.with_prm
                catalog = added(model_name(model, role), size)
        return catalog

    def check(self, store_url: str, policy: str, prm: str | None, catalog: Catalog) -> None:
        """Refuse a model that nobody knows, unless the caller allows it.

        Args:
            store_url: SQLAlchemy URL of the store; it need not exist.
            policy, prm: names of the models.
            catalog: sizes of models, with those that the caller gives.

        Raises:
            InputError: a model is in no catalog and no store; the message has the nearest names.
        """
        if self.allowed:
            return
        policies, prms = _measured(store_url)
        listed = {name for one in catalog.policies.values() for name in (one.name, one.hub) if name}
        _check("policy", policy, catalog, policies, listed)
        if prm is not None:
            listed = {name for one in catalog.prms.values() for name in (one.name, one.hub) if name}
            _check("PRM", prm, catalog, prms, listed)


def _check(role: str, name: str, catalog: Catalog, measured: set[str], listed: set[str]) -> None:
    entry = catalog.policy(name) if role == "policy" else catalog.prm(name)
    if entry is not None or not measured.isdisjoint(catalog.names(name)):
        return
    option = "--parameters" if role == "policy" else "--prm-parameters"
    size = _SIZE.search(name)
    raise InputError(
        f"{role} {name}: there is no evidence on it, and no catalog lists it"
        f"{did_you_mean(name, listed | measured)}; if the name is right, give its size "
        f"({option} {size.group() if size else '7B'}), list it (--catalog FILE), measure it "
        "(apportion profile, apportion measure), or have it answered for as a model of unknown "
        "size (--allow-unknown)"
    )


def _measured(store_url: str) -> tuple[set[str], set[str]]:
    """Names of the policies and PRMs that were run here, or that this project ran."""
    pairs = bundled_rows()[["policy", "prm"]].drop_duplicates()
    policies, prms = set(bundled_policies()), set(pairs["prm"]) - {""}
    sizes = set(bundled_sizes())
    policies, prms = policies | sizes, prms | sizes
    if store_exists(store_url):
        with Store.open(store_url, create=False) as store:
            for spec in store.runs():
                policies.add(spec.policy)
                prms |= {spec.prm} if spec.prm else set()
    return policies, prms


def _counted(model: str) -> int | None:
    """Number of parameters of a checkpoint folder; None if it is none, or cannot be read."""
    folder = Path(model)
    try:
        return parameter_count(folder) if is_folder(folder) else None
    except _BROKEN:
        return None
