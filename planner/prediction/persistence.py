"""Stored outcome models: written with skops, which runs no code, and read back type by type."""

from __future__ import annotations

import hashlib
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd

from executor.errors import InputError
from executor.store.store import Store
from planner.prediction.features import NAMES
from planner.prediction.outcome_model import Hyperparameters, OutcomeModel
from planner.prediction.tuning import fingerprints

if TYPE_CHECKING:
    from planner.prediction.tuning import Fit

ARTEFACT = "outcome-model"  # its name in a store
# Every type of an outcome model that some version of skops does not trust by itself. Names are
# compared whole: a prefix would also let through functions of the same package.
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
# Modules that version 0.1.0 wrote into its models, and where their classes are today.
_MOVED = {"planner.offset": "planner.prediction.offset_logistic"}
# A classifier knows columns by their places: of other features it would predict nonsense.
_FEATURES = hashlib.sha256(",".join(NAMES).encode()).hexdigest()[:12]


def save_model(fitted: Fit, frame: pd.DataFrame) -> tuple[bytes, dict[str, Any]]:
    """The model as bytes (skops, no pickle), and its description.

    Args:
        fitted: the model with its metrics.
        frame: the evidence that it was fitted to.

    Returns:
        The bytes, and plain values for JSON: the metrics, digests of the evidence and of the
        features, and the policies and PRMs.
    """
    import skops.io

    content = skops.io.dumps(fitted.model.classifier_)
    known = {
        "rests_on": fingerprints(frame),
        "features": _FEATURES,
        "pairs": fitted.model.pairs_,
    }
    return content, fitted.metrics() | known


def load_model(content: bytes, meta: dict[str, Any]) -> OutcomeModel:
    """Read what `save_model` wrote.

    Raises:
        InputError: the bytes hold anything but such a model, or one of other features than those
            of today (a version of this program that knew other strategies fitted it).
    """
    import skops.io

    where, again = "outcome model in the store", "make it again with: apportion fit"
    try:
        content = _with_moved_classes(content)
        unknown = skops.io.get_untrusted_types(data=content)
        foreign = sorted(set(unknown) - TRUSTED_TYPES)
        if foreign:
            raise InputError(f"{where}: holds foreign types ({', '.join(foreign)}); {again}")
        classifier = skops.io.loads(content, trusted=unknown)
        model = OutcomeModel(**asdict(Hyperparameters(**meta["hyperparameters"])))
        if meta.get("features") != _FEATURES:
            raise InputError(f"{where}: was fitted on other features than are known now; {again}")
        model.pairs_ = [(str(policy), str(prm)) for policy, prm in meta["pairs"]]
    except (BadZipFile, LookupError, NotImplementedError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{where}: damaged ({type(error).__name__}); {again}") from None
    if not hasattr(classifier, "predict_proba"):
        raise InputError(f"{where}: holds no classifier; {again}")
    model.classifier_ = classifier
    model.classes_ = np.array([0, 1])
    return model


def store_model(store: Store, fitted: Fit, frame: pd.DataFrame) -> None:
    """Keep a model, fitted to the evidence in `frame`, as the store's outcome model."""
    store.put_artefact(ARTEFACT, *save_model(fitted, frame))


def stored_model(store: Store) -> tuple[OutcomeModel, dict[str, Any]] | None:
    """The model last fitted in this store, with its metrics; None if there is none.

    Raises:
        InputError: see `load_model`.
    """
    kept = store.artefact(ARTEFACT)
    return None if kept is None else (load_model(*kept), kept[1])


def _with_moved_classes(content: bytes) -> bytes:
    """What skops wrote, with today's modules of classes that have moved."""
    written = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as before, ZipFile(written, "w") as now:
        for name in before.namelist():
            part = before.read(name)
            if name == "schema.json":
                for old, new in _MOVED.items():
                    part = part.replace(f'"{old}"'.encode(), f'"{new}"'.encode())
            now.writestr(name, part)
    return written.getvalue()
