"""Kept models: read back as they were, and nothing else is read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from executor.errors import InputError
from executor.store.store import Store
from executor.strategy import BestOfN, Greedy, Majority
from planner.evidence.cells import cells
from planner.prediction.features import ADDED, NAMES, describe, features
from planner.prediction.offset_logistic import OffsetLogistic
from planner.prediction.outcome_model import FAMILIES, Hyperparameters, OutcomeModel
from planner.prediction.persistence import (
    ARTEFACT,
    TRUSTED_TYPES,
    load_model,
    save_model,
    store_model,
    stored_model,
)
from planner.prediction.tuning import Fit, fit
from tests.helpers.evidence_frames import simulated_frame

CHANCES = {
    "easy": {Greedy(): 0.7, Majority(4): 0.95, BestOfN(4): 0.6},
    "hard": {Greedy(): 0.05, Majority(4): 0.05, BestOfN(4): 0.5},
}
FRAME = simulated_frame(CHANCES, 20)
CELLS = describe(cells(FRAME), FRAME)
BEFORE_MOVE = Path(__file__).parents[2] / "data" / "before_move" / "store.sqlite"


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit(FRAME, trials=2, storage=None)


def of_family(fitted: Fit, family: str) -> Fit:
    """The same with a model of this family."""
    settings = Hyperparameters(family=family, prior_weight=33.0)
    model = OutcomeModel(**asdict(settings)).fit(CELLS, CELLS["successes"] / CELLS["rows"])
    fields = {name: getattr(fitted, name) for name in Fit.__slots__}
    return Fit(**{**fields, "model": model, "hyperparameters": settings})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_read_back_predicts_the_same(fitted: Fit, family: str) -> None:
    kept = of_family(fitted, family)
    content, meta = save_model(kept, FRAME)
    read = load_model(content, json.loads(json.dumps(meta)))
    assert read.get_params() == kept.model.get_params()
    for table in (CELLS, CELLS.assign(prm="new")):
        assert np.array_equal(kept.model.posterior(table), read.posterior(table))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_learnt_from_other_policies_is_kept(fitted: Fit, family: str) -> None:
    kept = of_family(fitted, family)
    both = pd.concat([CELLS, CELLS.assign(policy="other", problems=200)], ignore_index=True)
    kept.model.learn_from_others(both)
    content, meta = save_model(kept, FRAME)
    read = load_model(content, json.loads(json.dumps(meta)))
    expected = kept.model.expected_by_others(CELLS)
    assert expected is not None
    assert np.array_equal(read.expected_by_others(CELLS), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trusted_types_are_exact_names_and_cover_every_family(fitted: Fit, family: str) -> None:
    content, _ = save_model(of_family(fitted, family), FRAME)
    assert set(skops.io.get_untrusted_types(data=content)) <= TRUSTED_TYPES
    assert not any(name.endswith(".") for name in TRUSTED_TYPES)


def test_a_model_is_kept_in_its_store(fitted: Fit, tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        assert stored_model(store) is None
        store_model(store, fitted, FRAME)
        kept = stored_model(store)
    assert kept is not None
    model, metrics = kept
    assert np.array_equal(model.posterior(CELLS), fitted.model.posterior(CELLS))
    assert metrics["log_loss"] == fitted.log_loss


def test_a_model_that_version_010_wrote_is_read(tmp_path: Path) -> None:
    shutil.copy(BEFORE_MOVE, tmp_path / "store.sqlite")
    with Store.open(f"sqlite:///{tmp_path}/store.sqlite", create=False) as store:
        assert store.artefact(ARTEFACT) is not None
        kept = stored_model(store)
    assert kept is not None and kept[0].family == kept[1]["hyperparameters"]["family"]


def test_the_module_that_version_010_named_is_read_as_todays(
    fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 0.1.0 had the class of structural models in `planner.offset`."""
    monkeypatch.setattr(OffsetLogistic, "__module__", "planner.offset")
    content, meta = save_model(of_family(fitted, "structural"), FRAME)
    monkeypatch.undo()
    assert "planner.offset.OffsetLogistic" in skops.io.get_untrusted_types(data=content)
    assert isinstance(load_model(content, meta).classifier_, OffsetLogistic)


def test_a_model_that_knew_fewer_strategies_is_read(fitted: Fit) -> None:
    """It predicts what it did then, and new strategies by their theory."""
    known = [NAMES.index(name) for name in NAMES if name not in ADDED]
    kept = of_family(fitted, "logistic")
    kept.model.names_ = tuple(NAMES[index] for index in known)
    inputs = features(CELLS)[:, kept.model._columns()]
    kept.model.classifier_.fit(inputs, np.arange(len(CELLS)) % 2)
    content, meta = save_model(kept, FRAME)
    meta["features"] = hashlib.sha256(",".join(kept.model.names_).encode()).hexdigest()[:12]
    read = load_model(content, json.loads(json.dumps(meta)))
    assert read.predict_proba(CELLS).tolist() == kept.model.predict_proba(CELLS).tolist()
    new = CELLS.assign(name="short_m_of_k", strategy="short_m_of_k(n=16,m=3)")
    assert np.isfinite(read.predict_proba(new)).all()


def test_a_model_of_other_features_is_refused(fitted: Fit) -> None:
    content, meta = save_model(fitted, FRAME)
    del meta["features"]  # as a version that knew other strategies left it
    with pytest.raises(InputError, match=r"fitted to other features .* apportion fit") as caught:
        load_model(content, meta)
    assert "\n" not in str(caught.value)


class Neighbour(OffsetLogistic):
    """A class whose name begins like that of a trusted one."""


Neighbour.__name__ = Neighbour.__qualname__ = "OffsetLogisticRunsCode"
Neighbour.__module__ = "planner.prediction.offset_logistic"


@pytest.mark.parametrize(
    "foreign",
    [np.testing.rundocs, os.system, Neighbour()],
    ids=["numpy", "os", "same prefix"],
)
def test_a_model_with_foreign_types_is_refused(fitted: Fit, foreign: Any) -> None:
    _, meta = save_model(fitted, FRAME)
    content = skops.io.dumps({"model": foreign})
    with pytest.raises(InputError, match="holds foreign types") as caught:
        load_model(content, meta)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", skops.io.dumps({"model": 1})], ids=["empty", "bytes", "dict"]
)
def test_bytes_that_are_no_model_are_refused(fitted: Fit, content: bytes) -> None:
    _, meta = save_model(fitted, FRAME)
    with pytest.raises(InputError, match="outcome model in the store"):
        load_model(content, meta)


@pytest.mark.parametrize("meta", [{}, {"hyperparameters": {"depth": 3}}], ids=["none", "other"])
def test_a_model_whose_description_does_not_fit_is_refused(
    fitted: Fit, meta: dict[str, Any]
) -> None:
    content, _ = save_model(fitted, FRAME)
    with pytest.raises(InputError, match="outcome model in the store: damaged"):
        load_model(content, meta)
