"""What runs have noted in their store of the models they loaded, and what a token then costs."""

from __future__ import annotations

from dataclasses import asdict

from executor.store.store import Store
from planner.catalog import Catalog
from planner.costs import throughput
from planner.costs.architecture import Shape
from planner.costs.cost import Rates

_MODEL = "model/"


def note_model(store: Store, name: str, parameters: int, shape: Shape | None) -> None:
    """Keep what a checkpoint says of itself."""
    record = {"parameters": parameters, "shape": None if shape is None else asdict(shape)}
    store.put_artefact(_MODEL + name, b"", record)


def size(store: Store, name: str) -> int | None:
    """Parameters that were counted in a checkpoint; None where none of this name was loaded."""
    known = store.artefact(_MODEL + name)
    return None if known is None else int(known[1]["parameters"])


def rates(store: Store, policy: str, prm: str | None, catalog: Catalog) -> Rates:
    """What a token costs, from what runs in this store have noted.

    The catalog says the sizes of models that no run has loaded. A checkpoint's parameters are
    taken for what a token costs and for what memory holds both.
    """
    policy_speed, prm_speed = throughput.speeds(throughput.read(store, policy), prm)
    counted, scorer = size(store, policy), None if prm is None else size(store, prm)
    return Rates(
        policy_parameters=counted or catalog.parameters(policy),
        prm_parameters=None if prm is None else scorer or catalog.parameters(prm),
        policy_weights=counted or catalog.all_parameters(policy),
        tokens_per_second=policy_speed,
        prm_tokens_per_second=prm_speed,
        policy_shape=_shape(store, policy),
        prm_shape=None if prm is None else _shape(store, prm),
    )


def _shape(store: Store, name: str) -> Shape | None:
    known = store.artefact(_MODEL + name)
    found = None if known is None else known[1].get("shape")
    return None if found is None else Shape(**found)
