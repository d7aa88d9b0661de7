"""Stored outcome models, in skops files: loading runs no code and checks every type."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from executor.errors import InputError
from executor.problem import MATHS
from executor.store.store import Store
from planner.prediction.features import ADDED, NAMES
from planner.prediction.outcome_model import Hyperparameters, OutcomeModel
from planner.prediction.tuning import fingerprints

if TYPE_CHECKING:
    from planner.prediction.tuning import Fit

ARTEFACT = "outcome-model"  # its name in a store
# Types in an outcome model that some version of skops does not trust by default. Whole names are
# compared: a prefix would also admit functions of the same package.
TRUSTED_TYPES = frozenset(
    {
        "planner.prediction.offset_logistic.OffsetLogistic",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    }
)
# Modules that version 0.1.0 wrote into its models, and the modules that hold their classes now.
_MOVED = {"planner.offset": "planner.prediction.offset_logistic"}
# A classifier knows columns by position only: with other features its predictions are nonsense.
# These are the features of this version, and those of the versions before.
_FEATURES = {
    hashlib.sha256(",".join(names).encode()).hexdigest()[:12]: names
    for names in (NAMES, tuple(name for name in NAMES if name not in ADDED))
}


def save_model(fitted: Fit, frame: pd.DataFrame) -> tuple[bytes, dict[str, Any]]:
    """Return the model as bytes (skops, no pickle), and its description.

    Args:
        fitted: model with its metrics.
        frame: evidence that the model was fitted to.

    Returns:
        The bytes, and plain values for JSON: the metrics, digests of the evidence and of the
        features, and the policies and PRMs.
    """
    import skops.io

    model = fitted.model
    content = skops.io.dumps({"classifier": model.classifier_, "others": model.others_})
    known = {
        "rests_on": fingerprints(frame),
        "features": next(iter(_FEATURES)),
        "pairs": model.pairs_,
        "teaches": model.teaches_,
    }
    return content, fitted.metrics() | known


def load_model(content: bytes, meta: dict[str, Any]) -> OutcomeModel:
    """Read a model that `save_model` wrote.

    Raises:
        InputError: the bytes hold no such model, or the model has other features than this version
            (another version of this program fitted it).
    """
    import skops.io

    where, again = "outcome model in the store", "make it again with: apportion fit"
    try:
        content = _with_moved_classes(content)
        unknown = skops.io.get_untrusted_types(data=content)
        foreign = sorted(set(unknown) - TRUSTED_TYPES)
        if foreign:
            raise InputError(f"{where}: holds foreign types ({', '.join(foreign)}); {again}")
        read = skops.io.loads(content, trusted=unknown)
        # Version 0.1.0 wrote the classifier alone.
        classifier, others = (
            (read["classifier"], dict(read["others"])) if isinstance(read, dict) else (read, {})
        )
        model = OutcomeModel(**asdict(Hyperparameters(**meta["hyperparameters"])))
        names = _FEATURES.get(meta.get("features", ""))
        if names is None:
            raise InputError(f"{where}: is fitted to other features than this version has; {again}")
        model.pairs_ = [(str(policy), str(prm)) for policy, prm in meta["pairs"]]
    except (BadZipFile, LookupError, NotImplementedError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: damaged ({type(error).__name__}); {again}") from None
    if not all(hasattr(one, "predict_proba") for one in (classifier, *others.values())):
        raise InputError(f"{where}: holds no classifier; {again}")
    model.classifier_, model.others_ = classifier, others
    model.teaches_ = meta.get("teaches", False) is True
    model.names_ = names
    model.classes_ = np.array([0, 1])
    return model


def store_model(store: Store, fitted: Fit, frame: pd.DataFrame, domain: str = MATHS) -> None:
    """Keep a model, fitted to the evidence in `frame`, as the store's outcome model of a domain."""
    store.put_artefact(_artefact(domain), *save_model(fitted, frame))


def _artefact(domain: str) -> str:
    """Return the name of a domain's model; stores from before there were domains are of maths."""
    return ARTEFACT if domain == MATHS else f"{ARTEFACT}/{domain}"


def stored_model(store: Store, domain: str = MATHS) -> tuple[OutcomeModel, dict[str, Any]] | None:
    """Return the model last fitted in this store for a domain, with its metrics, or None.

    Raises:
        InputError: see `load_model`.
    """
    kept = store.artefact(_artefact(domain))
    return None if kept is None else (load_model(*kept), kept[1])


def _with_moved_classes(content: bytes) -> bytes:
    """Return a skops file in which moved classes have the names of their present modules."""
    written = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as before, ZipFile(written, "w") as now:
        for name in before.namelist():
            part = before.read(name)
            if name == "schema.json":
                for old, new in _MOVED.items():
                    part = part.replace(f'"{old}"'.encode(), f'"{new}"'.encode())
            now.writestr(name, part)
    return written.getvalue()
