"""A study that is interrupted, suspended or shared goes on as if it had not been."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import optuna
import pytest

from planner.prediction.study import search


@pytest.fixture
def storage(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'trials.db'}"


def test_a_trial_that_was_interrupted_is_made_again_as_it_would_have_been(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def objective(trial: Any, stop_at: int | None = None) -> float:
        x = float(trial.suggest_float("x", 0, 1))
        if trial.number == stop_at:
            raise StoppedError
        return (x - 0.3) ** 2

    def run(name: str, stop_at: int | None = None) -> list[float]:
        storage = f"sqlite:///{tmp_path / name}.db"
        resume = functools.partial(
            search, name="study", trials=14, storage=storage, random_state=0,
            progress=lambda ended: None,
        )  # fmt: skip
        if stop_at is not None:
            with pytest.raises(StoppedError):
                resume(lambda trial: objective(trial, stop_at))
        resume(objective)
        found = optuna.load_study(study_name="study", storage=storage).trials
        return [trial.params["x"] for trial in found if trial.state.name == "COMPLETE"]

    assert run("stopped", stop_at=12) == run("at-once")


@pytest.mark.parametrize("reports", [False, True])
def test_a_trial_that_others_gave_up_is_made_again(storage: str, reports: bool) -> None:
    """As where a process was suspended for longer than another waits for its signs of life."""
    given_up: list[int] = []

    def objective(trial: Any) -> float:
        x = float(trial.suggest_float("x", 0, 1))
        if trial.number == 1:
            given_up.append(trial.number)
            other = optuna.load_study(study_name="study", storage=storage)
            other.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if reports:
                trial.report(x, 0)
        return x

    search(
        objective, name="study", trials=3, storage=storage, random_state=0,
        progress=lambda ended: None,
    )  # fmt: skip
    states = [t.state.name for t in optuna.load_study(study_name="study", storage=storage).trials]
    assert given_up == [1]
    assert states == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]


def test_what_goes_wrong_in_a_trial_is_not_tried_for_ever(storage: str) -> None:
    def objective(trial: Any) -> float:
        raise ValueError("a mistake")

    with pytest.raises(ValueError, match="a mistake"):
        search(
            objective, name="study", trials=3, storage=storage, random_state=0,
            progress=lambda ended: None,
        )  # fmt: skip
