"""What runs have noted in their store of the models they loaded: sizes, shapes and throughput."""

from __future__ import annotations

from dataclasses import asdict

from executor.store import Store
from planner.catalog import Catalog
from planner.costs import Rates
from planner.shape import Shape

_MODEL = "model/"
_SPEED = "speed/"


def note_model(store: Store, name: str, parameters: int, shape: Shape | None) -> None:
    """Keep what a checkpoint says of itself."""
    record = {"parameters": parameters, "shape": None if shape is None else asdict(shape)}
    store.put_artefact(_MODEL + name, b"", record)


def note_speed(store: Store, policy: str, tokens: int, seconds: float) -> None:
    """Add a run's tokens and seconds to the policy's; costs in seconds come from them."""
    if not tokens:
        return
    known = store.artefact(_SPEED + policy)
    total = known[1] if known else {"tokens": 0, "seconds": 0.0}
    store.put_artefact(
        _SPEED + policy,
        b"",
        {"tokens": total["tokens"] + tokens, "seconds": total["seconds"] + seconds},
    )


def size(store: Store, name: str) -> int | None:
    """Parameters that were counted in a checkpoint; None where none of this name was loaded."""
    known = store.artefact(_MODEL + name)
    return None if known is None else int(known[1]["parameters"])


def rates(store: Store, policy: str, prm: str | None, catalog: Catalog) -> Rates:
    """What a token costs, from what runs in this store have noted.

    The catalog says the sizes of models that no run has loaded. A checkpoint's parameters are
    taken for what a token costs and for what memory holds both.
    """
    speed = store.artefact(_SPEED + policy)
    counted, scorer = size(store, policy), None if prm is None else size(store, prm)
    return Rates(
        policy_parameters=counted or catalog.parameters(policy),
        prm_parameters=None if prm is None else scorer or catalog.parameters(prm),
        policy_weights=counted or catalog.all_parameters(policy),
        tokens_per_second=speed[1]["tokens"] / speed[1]["seconds"] if speed else None,
        policy_shape=_shape(store, policy),
        prm_shape=None if prm is None else _shape(store, prm),
    )


def _shape(store: Store, name: str) -> Shape | None:
    known = store.artefact(_MODEL + name)
    found = None if known is None else known[1].get("shape")
    return None if found is None else Shape(**found)
