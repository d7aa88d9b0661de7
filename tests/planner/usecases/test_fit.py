"""The outcome model as a library fits it: from a store that exists, and kept in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.policies.simulated import simulated_problems
from executor.strategy import Greedy, Majority
from planner.prediction.persistence import stored_model
from planner.usecases.fit import fit
from planner.usecases.measure import measure
from planner.usecases.profile import profile
from tests.helpers.simulated_session import SimulatedSession

PROBLEMS = simulated_problems(12)


def test_the_model_stays_in_the_store(session: SimulatedSession) -> None:
    session.chance = {p.text: (0.97, 0.4, 0.05)[i % 3] for i, p in enumerate(PROBLEMS)}
    profile(PROBLEMS, policy="any", max_samples=8, session=session)
    measure(PROBLEMS, [Greedy(), Majority(4)], policy="any", session=session)
    found = fit(trials=1, session=session)
    kept = stored_model(session.store)
    assert kept is not None
    document = found.to_dict()
    assert json.loads(json.dumps(document)).items() <= json.loads(json.dumps(kept[1])).items()
    assert document["problems"] == 12
    again = fit(store=session.store_url, trials=1)
    assert again.fit.rows == found.fit.rows


def test_a_store_without_evidence_is_refused(session: SimulatedSession) -> None:
    with pytest.raises(InputError, match="evidence"):
        fit(session=session)
    assert stored_model(session.store) is None


def test_a_store_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        fit(store=f"sqlite:///{tmp_path}/store.db")
    assert not list(tmp_path.iterdir())


def test_trials_are_counted() -> None:
    with pytest.raises(InputError, match="--trials is 0; expected at least 1"):
        fit(trials=0)
