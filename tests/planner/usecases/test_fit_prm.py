"""Training a PRM: what is refused before any work; the training itself needs an engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.models.fused import FusedRows
from executor.policies.simulated import simulated_problems
from executor.scorers.reward_head import HeadCard
from planner.usecases.fit_prm import fit_prm
from tests.helpers.simulated_session import SimulatedSession

PROBLEMS = simulated_problems(2)


def test_a_folder_that_is_no_head_is_not_written_over(
    session: SimulatedSession, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists and is not a reward head; give a new folder"):
        fit_prm(PROBLEMS, policy="any", out=tmp_path / "mine", session=session)
    assert session.store.runs() == []


def test_an_unknown_policy_makes_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="policy nope: no such model"):
        fit_prm(
            PROBLEMS, policy="nope", out=tmp_path / "head", store=f"sqlite:///{tmp_path}/store.db"
        )
    assert not list(tmp_path.iterdir())


def test_a_folder_is_written_over_only_by_its_own_kind(
    session: SimulatedSession, tmp_path: Path
) -> None:
    (tmp_path / "head").mkdir()
    card = HeadCard("any", "", {"user": "{problem}"}, 0.0, 1)
    card.save(tmp_path / "head")
    with pytest.raises(InputError, match="is not a policy that holds a reward head"):
        fit_prm(PROBLEMS, policy="any", fuse=tmp_path / "head", session=session)
    replace(card, fused=FusedRows(1, 2, "")).save(tmp_path / "head")
    with pytest.raises(InputError, match="exists and is not a reward head"):
        fit_prm(PROBLEMS, policy="any", out=tmp_path / "head", session=session)
    with pytest.raises(InputError, match="is the folder of --out"):
        fit_prm(PROBLEMS, policy="any", out=tmp_path, fuse=tmp_path, session=session)
    with pytest.raises(InputError, match="expected --out FOLDER, --fuse FOLDER or both"):
        fit_prm(PROBLEMS, policy="any", session=session)
    assert session.store.runs() == []
