"""Tuning: it learns, goes on as if never interrupted, leaks nothing, and is kept safely."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import skops.io

from executor.errors import InputError
from executor.strategy import BestOfN, Greedy, Majority
from planner.evidence import cells
from planner.outcome import OutcomeModel
from planner.tuning import (
    FOLDS,
    Fit,
    Hyperparameters,
    _folds,
    _predict_fold,
    fingerprint,
    fit,
    load_model,
    prepare,
    save_model,
)
from tests.planner.frames import frame_of, row, simulated_frame

CHANCES = {
    "easy": {Greedy(): 0.7, Majority(4): 0.95, BestOfN(4): 0.6},
    "hard": {Greedy(): 0.05, Majority(4): 0.05, BestOfN(4): 0.5},
}
FRAME = simulated_frame(CHANCES, 20)
TRIALS = 3


def tuned(frame: pd.DataFrame = FRAME, trials: int = TRIALS, **options: Any) -> Fit:
    return fit(frame, trials=trials, **({"storage": None} | options))


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return tuned()


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trials.db'}"


def trials_of(storage: str) -> list[tuple[dict[str, Any], float | None]]:
    [name] = optuna.get_all_study_names(storage)
    return [(t.params, t.value) for t in optuna.load_study(study_name=name, storage=storage).trials]


def predictions(fitted: Fit) -> np.ndarray[Any, Any]:
    return np.array(fitted.model.posterior(cells(FRAME)))


def test_held_out_problems_are_predicted_better_than_by_the_mean(fitted: Fit) -> None:
    assert fitted.log_loss < fitted.base_log_loss - 0.05
    assert 0 <= fitted.calibration < 0.15
    assert fitted.problems == 40
    assert fitted.rows == 2 * len(FRAME)
    assert fitted.trials == TRIALS


def test_the_best_strategy_of_every_difficulty_is_found(fitted: Fit) -> None:
    table = cells(FRAME)
    a, b = fitted.model.posterior(table)
    table["predicted"] = a / (a + b)
    best = table.loc[table.groupby("difficulty")["predicted"].idxmax()]
    found = dict(zip(best["difficulty"], best["name"], strict=True))
    assert (found["easy"], found["hard"]) == ("majority", "best_of_n")
    # At worst, a fold's four problems differ by luck; a blind choice costs more than a quarter.
    assert fitted.regret < 0.15


def test_hyperparameters_and_model_agree(fitted: Fit) -> None:
    params = fitted.model.get_params()
    assert params.pop("random_state") == 0
    assert params == asdict(fitted.hyperparameters)
    assert "model" not in fitted.metrics()
    assert fitted.metrics()["hyperparameters"] == asdict(fitted.hyperparameters)


def test_the_same_evidence_and_seed_give_the_same_predictions(fitted: Fit) -> None:
    assert np.array_equal(predictions(tuned()), predictions(fitted))


def test_a_replayed_expectation_is_calibrated_against_itself() -> None:
    """Outcomes of 0.4 predicted as 0.4 are calibrated; rounded to 0 they would be 0.4 off."""
    rows = [row(Majority(4), str(i), 0.4, difficulty="medium") for i in range(20)]
    assert tuned(frame_of(rows), 1).calibration < 0.02


def test_evidence_of_one_outcome_only_can_be_fitted() -> None:
    rows = [row(Majority(n), str(i), 0.0, difficulty="hard") for i in range(10) for n in (1, 4)]
    fitted = tuned(frame_of(rows), 2)
    assert fitted.log_loss < 0.05
    assert fitted.regret == 0.0


def test_a_study_that_is_resumed_goes_on_as_if_never_interrupted(
    storage: str, tmp_path: Path
) -> None:
    told: list[int] = []
    tuned(trials=2, storage=storage)
    first = trials_of(storage)
    resumed = tuned(trials=4, storage=storage, progress=told.append)
    assert told == [2, 1, 1]
    all_of_them = trials_of(storage)
    assert all_of_them[:2] == first
    assert len({repr(params) for params, _ in all_of_them}) == 4, "trials were repeated"
    at_once = f"sqlite:///{tmp_path / 'other.db'}"
    assert np.array_equal(predictions(tuned(trials=4, storage=at_once)), predictions(resumed))
    assert trials_of(at_once) == all_of_them


@pytest.mark.parametrize("asked", [1, 2])
def test_no_more_trials_are_run_than_asked_for(storage: str, asked: int) -> None:
    first = tuned(trials=2, storage=storage)
    before, told = trials_of(storage), []
    again = tuned(trials=asked, storage=storage, progress=told.append)
    assert trials_of(storage) == before
    assert told == [asked]
    assert np.array_equal(predictions(again), predictions(first))


def test_new_evidence_or_another_seed_starts_a_study_of_its_own(storage: str) -> None:
    tuned(trials=1, storage=storage)
    tuned(trials=1, storage=storage, random_state=1)
    tuned(FRAME.iloc[:-1], trials=1, storage=storage)
    assert len(optuna.get_all_study_names(storage)) == 3


def test_a_fingerprint_tells_evidence_apart() -> None:
    assert fingerprint(FRAME) == fingerprint(FRAME.copy())
    for other in (FRAME[1:], FRAME.assign(accuracy=1 - FRAME["accuracy"]), FRAME.assign(prm="x")):
        assert fingerprint(other) != fingerprint(FRAME)


def test_no_problem_is_both_trained_on_and_tested_on() -> None:
    rows = prepare(FRAME)
    folds = _folds(rows, 0)
    assert len(folds) == FOLDS
    tested = np.concatenate([test for _, test in folds])
    assert sorted(tested) == list(range(len(rows)))
    for train, test in folds:
        assert not set(rows.iloc[train]["problem"]) & set(rows.iloc[test]["problem"])


def test_held_out_predictions_do_not_see_the_outcomes_they_are_judged_by() -> None:
    rows = prepare(FRAME)
    train, test = _folds(rows, 0)[0]
    accuracy = rows["accuracy"].to_numpy(copy=True)
    accuracy[test] = 1 - accuracy[test]
    turned = rows.assign(accuracy=accuracy)
    both = [_predict_fold(r, train, test, Hyperparameters(), 0) for r in (rows, turned)]
    assert np.array_equal(*both)


def test_rows_count_under_their_difficulty_and_under_all() -> None:
    frame = frame_of(
        [row(Greedy(), "a", 1.0), row(Greedy(), "b", 0.0, difficulty="unknown"),
         row(Greedy(), "c", 0.0, difficulty="easy", pass_at_1=0.6)]
    )  # fmt: skip
    rows = prepare(frame)
    assert rows["difficulty"].value_counts().to_dict() == {"all": 3, "easy": 2}
    assert rows["pass_at_1"].tolist() == pytest.approx([0.7] * 5)


def test_too_few_problems_are_one_line() -> None:
    with pytest.raises(InputError, match="evidence on 4 problems: at least 5") as caught:
        tuned(simulated_frame({"easy": CHANCES["easy"]}, 4))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="evidence on 0 problems"):
        tuned(FRAME[:0])


# Kept models


@pytest.mark.parametrize("family", ["logistic", "boosting"])
def test_a_model_read_back_predicts_the_same(fitted: Fit, family: str) -> None:
    settings = Hyperparameters(family=family, prior_weight=33.0)
    model = OutcomeModel(**asdict(settings)).fit(prepare(FRAME), prepare(FRAME)["accuracy"])
    kept = Fit(**{**vars_of(fitted), "model": model, "hyperparameters": settings})
    content, meta = save_model(kept, FRAME)
    assert meta["evidence"] == fingerprint(FRAME)
    read = load_model(content, meta)
    assert read.get_params() == model.get_params()
    for before, after in zip(model.posterior(cells(FRAME)), read.posterior(cells(FRAME)),
                             strict=True):  # fmt: skip
        assert np.array_equal(before, after)


def vars_of(fitted: Fit) -> dict[str, Any]:
    return {name: getattr(fitted, name) for name in Fit.__slots__}


def test_a_model_of_other_features_is_refused(fitted: Fit) -> None:
    content, meta = save_model(fitted, FRAME)
    del meta["features"]  # as a version that knew other strategies left it
    with pytest.raises(InputError, match=r"fitted on other features .* apportion fit") as caught:
        load_model(content, meta)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("foreign", [np.testing.rundocs, os.system], ids=["numpy", "os"])
def test_a_model_with_foreign_types_is_refused(fitted: Fit, foreign: Any) -> None:
    _, meta = save_model(fitted, FRAME)
    with pytest.raises(InputError, match="holds foreign types") as caught:
        load_model(skops.io.dumps({"model": foreign}), meta)
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
