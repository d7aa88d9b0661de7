"""References to models: what a name stands for, looked up once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.files import data_folder
from planner.runtime.model_ref import check_fit, check_plan_prm, find_policy, find_prm, template_of

LAB = data_folder() / "models" / "lab-0.4m"


def test_a_folder_lasts_by_its_full_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(LAB.parent)
    model = find_policy("./lab-0.4m")
    assert (model.given, model.name, model.role) == ("./lab-0.4m", "lab-0.4m", "policy")
    assert model.lasting == model.location == str(LAB.resolve())
    assert model.folder == LAB.resolve() and model.servers == ()


def test_a_catalog_name_lasts_as_it_is() -> None:
    model = find_policy("lab-0.4m")
    assert model.lasting == "lab-0.4m"
    assert model.checkpoint == find_policy(str(LAB)).checkpoint
    assert model.digest() == find_policy(str(LAB)).digest()


def test_a_prm_must_be_one_and_fit(tmp_path: Path) -> None:
    prm = find_prm("lab-0.4m-prm")
    assert prm.role == "PRM" and prm.name == "lab-0.4m-prm"
    check_fit(find_policy("lab-0.4m"), prm)
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    with pytest.raises(InputError, match="no known PRM convention"):
        find_prm(str(tmp_path))


def test_a_plan_s_prm_may_have_moved(tmp_path: Path) -> None:
    check_plan_prm("lab-0.4m-prm")
    check_plan_prm(str(tmp_path))
    with pytest.raises(InputError, match="say where it is now with --prm FOLDER"):
        check_plan_prm(str(tmp_path / "gone"))


def test_a_checkpoint_brings_its_template() -> None:
    assert template_of(find_policy(str(LAB))) == template_of(find_policy("lab-0.4m"))
