"""References to models: what a name stands for, looked up once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.engines.options import EngineOptions
from executor.errors import InputError
from executor.files import data_folder
from executor.serving.command import serve_prm
from planner.runtime.model_ref import check_fit, check_plan_prm, find_policy, find_prm, template_of
from planner.usecases.store_lookup import model_name, name_in_plan
from tests.helpers.fused_models import looks_fused

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


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(looks_fused(LAB, tmp_path_factory.mktemp("models") / "lab-head"))


def test_a_policy_that_holds_a_head_is_the_policy_without_it_to_evidence(held: str) -> None:
    policy, prm, base = find_policy(held), find_prm(held), find_policy("lab-0.4m")
    assert (policy.name, policy.digest()) == (base.name, base.digest())
    assert prm.name == "lab-head" and prm.digest() != policy.digest()
    assert model_name(held, "policy") == name_in_plan(held, "policy") == "lab-0.4m"
    assert model_name(held, "PRM") == name_in_plan(held, "PRM") == "lab-head"
    assert template_of(policy).user == "Solve {problem}"
    check_fit(policy, prm)


def test_a_head_in_another_policy_is_refused_in_one_line(held: str) -> None:
    for policy in ("lab-0.4m", "lab-0.8m"):
        with pytest.raises(InputError, match=r"expected --policy .*lab-head") as caught:
            check_fit(find_policy(policy), find_prm(held))
        assert "\n" not in str(caught.value)


def test_a_head_in_its_policy_has_no_server_of_its_own(held: str) -> None:
    with pytest.raises(InputError, match="as the policy"):
        serve_prm(held, 8000, EngineOptions())
