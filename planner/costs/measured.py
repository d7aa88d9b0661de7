"""Rates from the models that the runs of a store loaded."""

from __future__ import annotations

from dataclasses import asdict

from executor.models.architecture import Shape
from executor.scorers.registry import is_of_policy, needs_of
from executor.store.store import Store
from planner.catalog import Catalog
from planner.costs import throughput
from planner.costs.cost import Rates

_MODEL = "model/"


def note_model(
    store: Store, name: str, parameters: int, shape: Shape | None, *, fused: bool = False
) -> None:
    """Store the size and the shape of a checkpoint.

    Args:
        store: the store of the run.
        name: name of the model.
        parameters: number of parameters of the checkpoint.
        shape: its shape; None if it is not known.
        fused: whether it is a reward head that lies in its policy; memory then holds it already.
    """
    record = {"parameters": parameters, "shape": None if shape is None else asdict(shape)}
    if fused:
        record["fused"] = True
    store.put_artefact(_MODEL + name, b"", record)


def size(store: Store, name: str) -> int | None:
    """Return the counted parameters of a model; None if no run of the store has loaded it."""
    artefact = store.artefact(_MODEL + name)
    return None if artefact is None else int(artefact[1]["parameters"])


def rates(store: Store, policy: str, prm: str | None, catalog: Catalog) -> Rates:
    """Return the rates of a policy and a PRM from the runs of a store.

    The catalog gives the sizes of models that no run has loaded. The parameters of a checkpoint
    count both as those that a token uses and as those that memory holds.
    """
    policy_speed, prm_speed = throughput.speeds(throughput.read(store, policy), prm)
    counted = size(store, policy)
    scorer = None if prm is None else policy if is_of_policy(prm) else prm
    return Rates(
        policy_parameters=counted or catalog.parameters(policy),
        prm_parameters=scorer_parameters(
            scorer, None if scorer is None else size(store, scorer), catalog
        ),
        policy_weights=counted or catalog.all_parameters(policy),
        prm_weights=0 if prm is not None and _lies_in_policy(store, prm) else None,
        tokens_per_second=policy_speed,
        prm_tokens_per_second=prm_speed,
        policy_shape=_shape(store, policy),
        prm_shape=None if scorer is None else _shape(store, scorer),
    )


def _lies_in_policy(store: Store, scorer: str) -> bool:
    artefact = store.artefact(_MODEL + scorer)
    return is_of_policy(scorer) or (artefact is not None and bool(artefact[1].get("fused")))


def scorer_parameters(
    scorer: str | None, counted: int | None, catalog: Catalog | None = None
) -> int | None:
    """Return the number of parameters of a scorer; 0 if it needs no model, None if it is unknown.

    Args:
        scorer: name of the scorer; None: there is none.
        counted: parameters of its checkpoint, if they were counted.
        catalog: sizes of known models.
    """
    if scorer is None:
        return None
    if needs_of(scorer) != "model":
        return 0
    return counted or (None if catalog is None else catalog.parameters(scorer))


def _shape(store: Store, name: str) -> Shape | None:
    artefact = store.artefact(_MODEL + name)
    shape = None if artefact is None else artefact[1].get("shape")
    return None if shape is None else Shape(**shape)
