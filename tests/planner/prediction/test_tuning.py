"""Tuning: it learns, goes on as if never interrupted, is shared, and is kept safely."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import optuna
import pandas as pd
import pytest
import skops.io

from executor.errors import InputError
from executor.strategy import BestOfN, Greedy, Majority, key
from planner.choice.candidates import candidates
from planner.costs.cost import Rates
from planner.evidence.cells import cells
from planner.prediction import study as trials_module
from planner.prediction.features import describe
from planner.prediction.outcome_model import FAMILIES, Hyperparameters, OutcomeModel
from planner.prediction.persistence import save_model
from planner.prediction.splits import Kind, problem_folds
from planner.prediction.tuning import (
    JUDGED_FROM,
    Fit,
    fingerprint,
    fit,
    rests_on,
    score_weights,
    tune,
)
from profiling.scorers.rewards import calibration_error
from tests.helpers.evidence_frames import frame_of, row, simulated_frame

CHANCES = {
    "easy": {Greedy(): 0.7, Majority(4): 0.95, BestOfN(4): 0.6},
    "hard": {Greedy(): 0.05, Majority(4): 0.05, BestOfN(4): 0.5},
}
FRAME = simulated_frame(CHANCES, 20)
CELLS = describe(cells(FRAME), FRAME)
TRIALS = 3
# For what happens to studies and not to predictions: a fit of it takes half the time.
SMALL = simulated_frame(CHANCES, 8)


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
    return np.array(fitted.model.posterior(CELLS))


def test_held_out_problems_are_predicted_better_than_by_the_mean(fitted: Fit) -> None:
    assert fitted.log_loss < fitted.base_log_loss - 0.05
    assert 0 <= fitted.calibration < 0.15
    assert fitted.problems == 40
    assert fitted.rows == len(FRAME)
    assert fitted.trials == TRIALS


def test_reliability_is_of_all_held_out_predictions_and_says_what_calibration_does(
    fitted: Fit,
) -> None:
    bins, predictions = fitted.reliability, fitted.rows  # each by its own difficulty
    assert sum(one.predictions for one in bins) == predictions
    assert max(one.problems for one in bins) <= fitted.problems
    away = sum(one.predictions * abs(one.predicted - one.right) for one in bins)
    assert away / predictions == pytest.approx(fitted.calibration)
    assert fitted.metrics()["reliability"] == [asdict(one) for one in bins]


def test_the_best_strategy_of_every_difficulty_is_found(fitted: Fit) -> None:
    table = CELLS.copy()
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


def test_the_same_evidence_and_seed_give_the_same_model_to_the_byte(fitted: Fit) -> None:
    again = tuned()
    assert np.array_equal(predictions(again), predictions(fitted))
    one, other = (save_model(each, FRAME) for each in (again, fitted))
    assert content_of(one[0]) == content_of(other[0])
    assert repr(one[1]) == repr(other[1])


def content_of(kept: bytes) -> dict[str, bytes]:
    """The files of a kept model, without what numbers and dates them."""
    with ZipFile(BytesIO(kept)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files.pop("schema.json"))
    return {"arrays": b"".join(sorted(files.values())), "names": repr(_plain(schema)).encode()}


def _plain(node: Any) -> Any:
    """A schema without object ids and file names, which are new each time."""
    if isinstance(node, dict):
        return {k: _plain(v) for k, v in node.items() if k not in ("__id__", "file")}
    return [_plain(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_fitted_to_the_same_model_twice(family: str) -> None:
    settings = asdict(Hyperparameters(family=family))
    rows = CELLS["rows"].to_numpy(float)
    one, other = (
        skops.io.dumps(OutcomeModel(**settings).fit(CELLS, CELLS["successes"] / rows, rows)
                       .classifier_)
        for _ in range(2)
    )  # fmt: skip
    assert content_of(one) == content_of(other)


def test_tune_gives_the_model_of_fit(fitted: Fit) -> None:
    model = tune(FRAME, trials=TRIALS)
    assert model.get_params() == fitted.model.get_params()
    assert np.array_equal(model.posterior(CELLS), predictions(fitted))


# What the score is made of


def test_score_weights_share_problems_and_what_else_is_left_out() -> None:
    kinds = [Kind.PROBLEMS] * 5 + [Kind.POLICY] * 2 + [Kind.PRM] * 4
    weights = np.array(score_weights(kinds, 0.4))
    assert weights[:5].sum() == pytest.approx(0.6)
    assert weights[5:7].sum() == pytest.approx(0.2)
    assert weights[7:].sum() == pytest.approx(0.2)
    assert len({*weights[:5]}) == len({*weights[5:7]}) == len({*weights[7:]}) == 1
    assert score_weights([Kind.PROBLEMS] * 5, 0.4) == [0.2] * 5


@pytest.mark.parametrize("transfer", [-0.1, 1.5])
def test_a_share_that_is_none_is_one_line(transfer: float) -> None:
    with pytest.raises(InputError, match=r"transfer is .*; expected a number from 0 to 1"):
        tuned(transfer=transfer)


def transferable(prms: int = 4, problems: int = 30) -> pd.DataFrame:
    """A good PRM lifts best-of-4 to .8, a useless one leaves it at .3; several of each."""
    frames = []
    for index in range(prms):
        good = index % 2 == 0
        chances = {"medium": {Majority(4): 0.4, BestOfN(4): 0.8 if good else 0.3}}
        one = simulated_frame(chances, problems, seed=index)
        scored = one["prm"] != ""
        one.loc[scored, "prm"] = f"prm-{index}"
        one.loc[scored, ["prm_auc_within", "prm_gap"]] = [0.9, 0.4] if good else [0.5, 0.0]
        frames.append(one if index == 0 else one[scored])
    return pd.concat(frames, ignore_index=True)


@pytest.mark.long
def test_a_prm_that_was_left_out_is_predicted_from_what_its_rewards_are_like() -> None:
    frame = transferable(6)
    new = frame["prm"].isin(["prm-4", "prm-5"])
    fitted = tuned(frame[~new].reset_index(drop=True), 4)
    assert np.isfinite(fitted.transfer_log_loss)
    table = describe(cells(frame), frame)
    asked = table[table["prm"].isin(["prm-4", "prm-5"]) & (table["difficulty"] == "medium")]
    a, b = fitted.model.posterior(asked.assign(successes=0.0, squares=0.0, problems=0, rows=0))
    good, useless = a / (a + b)
    assert good > 0.7
    assert useless < 0.45
    assert a + b == pytest.approx([fitted.hyperparameters.transfer_weight] * 2)


def test_one_policy_and_prm_have_nothing_to_transfer_to(fitted: Fit) -> None:
    assert np.isnan(fitted.transfer_log_loss)
    assert fitted.hyperparameters.transfer_weight == 4.0


@pytest.mark.long
def test_another_share_is_another_study(storage: str) -> None:
    frame = transferable(problems=10)
    for transfer in (0.0, 0.5, 0.5):
        tuned(frame, 1, storage=storage, transfer=transfer)
    assert len(optuna.get_all_study_names(storage)) == 2


def test_a_replayed_expectation_is_calibrated_against_itself() -> None:
    """Outcomes of 0.4 predicted as 0.4 are calibrated; rounded to 0 they would be 0.4 off."""
    rows = [row(Majority(4), str(i), 0.4, difficulty="medium") for i in range(30)]
    assert tuned(frame_of(rows), 1).calibration < 0.02


def test_evidence_of_one_outcome_only_can_be_fitted() -> None:
    rows = [row(Majority(n), str(i), 0.0, difficulty="hard") for i in range(30) for n in (1, 4)]
    fitted = tuned(frame_of(rows), 2)
    assert fitted.log_loss < 0.05
    assert fitted.regret == 0.0


def test_few_problems_claim_no_calibration_and_no_regret() -> None:
    """All strategies solve all: the regret of 0 would be true and would say nothing."""
    few = simulated_frame({"easy": dict.fromkeys(CHANCES["easy"], 1.0)}, JUDGED_FROM - 1)
    fitted = tuned(few, 1)
    assert np.isnan([fitted.calibration, fitted.regret, fitted.regret_error]).all()
    assert fitted.reliability == []
    assert np.isfinite(fitted.log_loss)


@pytest.mark.long
def test_what_is_judged_is_what_recommendations_rest_on() -> None:
    """Estimates shrunk toward what the other policy teaches, refitted without each fold."""
    chances = {"medium": {Greedy(): 0.4, Majority(4): 0.4, BestOfN(4): 0.5}}
    policies = [simulated_frame(chances, 80, seed=seed).assign(policy=f"policy-{seed}")
                for seed in range(2)]  # fmt: skip
    frame = pd.concat(policies, ignore_index=True)
    found = tuned(frame, 1)
    assert set(found.model.others_) == {"policy-0", "policy-1"}
    parts = []
    for held_out in problem_folds(frame["problem"], 0):
        train, test = frame[~held_out], frame[held_out]
        table = describe(cells(train), train)
        model = OutcomeModel(**asdict(found.hyperparameters))
        model.fit(table, table["successes"] / table["rows"], table["rows"])
        model.learn_from_others(table, 64)
        for policy in ("policy-0", "policy-1"):
            made = candidates(train, policy, "prm", "medium", model, Rates())
            expected = {key(one.strategy): one.predicted_accuracy for one in made}
            own = test[test["policy"] == policy]
            parts.append(own.assign(predicted=own["strategy"].map(expected)))
    rows = pd.concat(parts)
    expected = calibration_error(rows["predicted"].to_numpy(), rows["accuracy"].to_numpy())
    assert found.calibration == pytest.approx(expected)


@pytest.mark.long
def test_a_study_that_is_resumed_goes_on_as_if_never_interrupted(
    storage: str, tmp_path: Path
) -> None:
    told: list[int] = []
    tuned(SMALL, trials=2, storage=storage)
    first = trials_of(storage)
    resumed = tuned(SMALL, trials=4, storage=storage, progress=told.append)
    assert told == [2, 1, 1]
    all_of_them = trials_of(storage)
    assert all_of_them[:2] == first
    assert len({repr(params) for params, _ in all_of_them}) == 4, "trials were repeated"
    at_once = f"sqlite:///{tmp_path / 'other.db'}"
    assert np.array_equal(
        predictions(tuned(SMALL, trials=4, storage=at_once)), predictions(resumed)
    )
    assert trials_of(at_once) == all_of_them


@pytest.mark.long
@pytest.mark.parametrize("asked", [1, 2])
def test_no_more_trials_are_run_than_asked_for(storage: str, asked: int) -> None:
    tuned(SMALL, trials=2, storage=storage)
    before, told = trials_of(storage), []
    again = tuned(SMALL, trials=asked, storage=storage, progress=told.append)
    assert trials_of(storage) == before
    assert told == [asked]
    alone = tuned(SMALL, trials=asked, storage=None)
    assert again.hyperparameters == alone.hyperparameters, "the best of the first ones"
    assert np.array_equal(predictions(again), predictions(alone))


@pytest.mark.process
def test_two_processes_on_one_store_share_the_trials(storage: str, tmp_path: Path) -> None:
    SMALL.to_pickle(tmp_path / "frame.pkl")
    script = (
        "import pandas, sys; from planner.prediction.tuning import fit;"
        "print(repr(fit(pandas.read_pickle(sys.argv[1]), trials=10, storage=sys.argv[2])"
        ".metrics()))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "frame.pkl"), storage],
            cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0], "both end with the best of all trials"
    [name] = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    ended = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    assert len(ended) == 10
    assert all(trial.state.is_finished() for trial in trials)
    assert len({repr(trial.params) for trial in ended}) == 10, "trials were repeated"


@pytest.mark.long
def test_a_trial_that_was_lost_with_its_process_is_run_again(
    storage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned(SMALL, trials=2, storage=storage)
    [name] = optuna.get_all_study_names(storage)
    optuna.load_study(study_name=name, storage=storage).ask()  # and never told
    monkeypatch.setattr(trials_module, "_LONGEST", timedelta(seconds=0))
    told: list[int] = []
    tuned(SMALL, trials=4, storage=storage, progress=told.append)
    assert sum(told) == 4


@pytest.mark.long
def test_new_evidence_or_another_seed_starts_a_study_of_its_own(storage: str) -> None:
    tuned(SMALL, trials=1, storage=storage)
    tuned(SMALL, trials=1, storage=storage, random_state=1)
    tuned(SMALL.iloc[:-1], trials=1, storage=storage)
    assert len(optuna.get_all_study_names(storage)) == 3


def test_a_fingerprint_tells_evidence_apart() -> None:
    assert fingerprint(FRAME) == fingerprint(FRAME.copy())
    for other in (FRAME[1:], FRAME.assign(accuracy=1 - FRAME["accuracy"]), FRAME.assign(prm="x")):
        assert fingerprint(other) != fingerprint(FRAME)


def test_a_model_knows_whether_it_rests_on_the_evidence_of_a_pair(fitted: Fit) -> None:
    """Other rows of the frame may change, and may be missing."""
    _, meta = save_model(fitted, FRAME)
    meta = json.loads(json.dumps(meta))
    assert rests_on(meta, FRAME, "policy", "prm") and rests_on(meta, FRAME, "policy", None)
    plain = FRAME[FRAME["prm"] == ""]
    assert rests_on(meta, pd.concat([plain, FRAME.assign(policy="other")]), "policy", None)
    assert not rests_on(meta, plain, "policy", "prm")
    with_prm = FRAME["prm"] == "prm"
    changed = FRAME.assign(accuracy=FRAME["accuracy"].where(~with_prm, 0.5))
    assert not rests_on(meta, changed, "policy", "prm")
    assert rests_on(meta, changed, "policy", None)
    assert not rests_on(meta, FRAME.assign(policy="new"), "new", "prm")
    assert not rests_on({"evidence": "as earlier versions wrote"}, FRAME, "policy", "prm")


def test_too_few_problems_are_one_line() -> None:
    with pytest.raises(InputError, match="evidence on 4 problems; expected at least 5") as caught:
        tuned(simulated_frame({"easy": CHANCES["easy"]}, 4))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="evidence on 0 problems"):
        tuned(FRAME[:0])
