"""Sessions of use cases: models are looked up before a store is made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from executor.cluster.ray import ClusterOptions
from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.models.bundled import models_folder
from executor.models.fused import CARD_FILE
from planner.runtime.reporter import SilentReporter
from planner.runtime.settings import SessionSettings
from planner.usecases.open_session import find_models, open_session
from tests.helpers.simulated_session import SimulatedSession

ADDRESS = "lab-0.4m@http://127.0.0.1:9/v1"


def test_a_caller_s_session_stays_open(session: SimulatedSession) -> None:
    with open_session(
        session, "sqlite://", SessionSettings(), SilentReporter(), policy="any"
    ) as opened:
        assert opened is session
    assert session.store.runs() == []


@pytest.mark.parametrize(
    ("policy", "prm", "message"),
    [
        ("nope", None, "policy nope: no such model"),
        ("lab-0.4m", "nope", "PRM nope: no such model"),
    ],
)
def test_a_wrong_name_makes_no_store(
    tmp_path: Path, policy: str, prm: str | None, message: str
) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with (
        pytest.raises(InputError, match=message),
        open_session(None, url, SessionSettings(), SilentReporter(), policy=policy, prm=prm),
    ):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "scorer", "message"),
    [
        (SessionSettings(top_logprobs=20), None, "holds a reward head, which vLLM cannot read"),
        (SessionSettings(), "deepconf-tail", "holds a reward head, which vLLM cannot read"),
        (SessionSettings(top_logprobs=21), None, "--top-logprobs is 21; expected 1 to 20"),
    ],
)
def test_a_policy_that_gives_no_confidences_makes_no_store(
    tmp_path: Path, settings: SessionSettings, scorer: str | None, message: str
) -> None:
    folder = tmp_path / "held"
    shutil.copytree(models_folder() / "lab-0.4m", folder)
    rows = {"zero": 313, "head": 314, "base": "a"}
    card = {"fused": rows, "policy": "lab-0.4m", "template": {}}
    (folder / CARD_FILE).write_text(json.dumps(card))
    url = f"sqlite:///{tmp_path}/store.db"
    with (
        pytest.raises(InputError, match=message) as error,
        open_session(None, url, settings, SilentReporter(), policy=str(folder), prm=scorer),
    ):
        pass
    assert "\n" not in str(error.value)
    assert [one.name for one in tmp_path.iterdir()] == ["held"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SessionSettings(engine=EngineOptions(apart=True)), "--apart: .* is an address"),
        (SessionSettings(cluster=ClusterOptions()), "--ray: .* is an address"),
    ],
)
def test_settings_that_load_models_here_take_no_address(
    settings: SessionSettings, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_models(ADDRESS, None, settings, SilentReporter())


def test_models_are_found_once_and_kept_by_the_session(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    with open_session(
        None, url, SessionSettings(), SilentReporter(), policy="lab-0.4m", prm="lab-0.4m-prm"
    ) as opened:
        found = opened.find_policy("lab-0.4m"), opened.find_prm("lab-0.4m-prm")
        assert found[0] is opened.find_policy("lab-0.4m")
    assert [(one.name, one.role, one.lasting) for one in found] == [
        ("lab-0.4m", "policy", "lab-0.4m"),
        ("lab-0.4m-prm", "PRM", "lab-0.4m-prm"),
    ]
