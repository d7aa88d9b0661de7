"""The catalog: the shipped one is sound, users' entries go over it, wrong ones are one line."""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs
import pytest

from executor.errors import InputError
from executor.models.checkpoint import Checkpoint
from executor.models.templates import load_template
from executor.scorers.prm import CONVENTIONS
from planner.catalog import Catalog, load_catalog
from planner.cli.main import build_parser
from planner.published import figures
from planner.runtime import model_ref

# What the checkpoints of a convention say they are, in `config.json`.
ARCHITECTURES = {
    "qwen": "Qwen2ForProcessRewardModel",
    "skywork": "Qwen2ForPrmModel",
    "math_shepherd": "MistralForCausalLM",
    "rlhflow": "LlamaForCausalLM",
}


@pytest.fixture(autouse=True)
def no_user_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder, empty."""
    folder = tmp_path / "configuration"
    folder.mkdir()
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(folder / name))
    return folder / "apportion" / "catalog.toml"


@pytest.fixture
def catalog(no_user_catalog: Path) -> Catalog:
    return load_catalog()


def test_the_papers_models_are_there_with_what_is_asked_of_them(catalog: Catalog) -> None:
    table = figures.rows()
    paper = table[table["source"].isin([f"arXiv:2502.06703 Table {n}" for n in (5, 6)])]
    tried = paper[paper["name"] == "compute_optimal"]["policy"]
    for name in tried:
        entry = catalog.policy(name)
        assert entry is not None and entry.hub and entry.family and entry.parameters > 1e8
    for name in ("Math-Shepherd-PRM-7B", "RLHFlow-PRM-Mistral-8B", "RLHFlow-PRM-Deepseek-8B",
                 "Skywork-PRM-1.5B", "Skywork-PRM-7B", "Qwen2.5-Math-PRM-7B",
                 "Qwen2.5-Math-PRM-72B"):  # fmt: skip
        prm = catalog.prm(name)
        assert prm is not None and prm.hub and prm.trained_on and prm.convention
        assert prm.process_bench_f1 is not None and 20 < prm.process_bench_f1 < 80


def test_a_name_that_says_its_size_has_it(catalog: Catalog) -> None:
    for entry in (*catalog.policies.values(), *catalog.prms.values()):
        if said := re.search(r"(\d+(?:\.\d+)?)[Bb]\b", entry.name):
            assert entry.parameters == pytest.approx(float(said[1]) * 1e9, rel=0.25), entry.name


def test_conventions_are_those_that_fit_the_checkpoints(catalog: Catalog) -> None:
    """A checkpoint of that hub id and architecture is recognised as what the catalog says."""
    for prm in catalog.prms.values():
        if prm.convention is None:
            continue
        assert prm.hub is not None
        config = {"architectures": [ARCHITECTURES[prm.convention]]}
        fitting = [c for c in CONVENTIONS if c.fits(Checkpoint(prm.hub, prm.hub), config)]
        assert [c.__module__.rpartition(".")[2] for c in fitting] == [prm.convention]


def test_templates_of_policies_exist(catalog: Catalog) -> None:
    for policy in catalog.policies.values():
        if policy.template is not None:
            assert "boxed" in (load_template(policy.template).system or "")


def test_hub_ids_and_names_are_one_model(catalog: Catalog) -> None:
    name, hub = "RLHFlow-PRM-Deepseek-8B", "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data"
    assert catalog.prm(hub) is catalog.prm(name)
    assert catalog.hub_id(name) == hub
    assert catalog.hub_id("lab-0.8m") == "lab-0.8m"
    assert catalog.names(hub) == (hub, name, "Llama3.1-8B-PRM-Deepseek-Data")
    assert catalog.names("nobody") == ("nobody",)
    assert catalog.policy(hub) is None


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("math-shepherd-mistral-7b-prm", "Math-Shepherd-PRM-7B"),
        ("Llama3.1-8B-PRM-Deepseek-Data", "RLHFlow-PRM-Deepseek-8B"),
    ],
)
def test_a_model_is_known_by_the_name_of_its_folder(
    catalog: Catalog, folder: str, name: str
) -> None:
    """As imported runs name it."""
    assert catalog.prm(folder) is catalog.prm(name) is not None
    assert folder in catalog.names(name)


def test_no_two_models_have_folders_of_one_name(catalog: Catalog) -> None:
    """Else which of them is meant would depend on their order."""
    hubs = [e.hub for e in (*catalog.policies.values(), *catalog.prms.values()) if e.hub]
    folders = [hub.rpartition("/")[2] for hub in hubs]
    assert sorted(set(folders)) == sorted(folders)


def test_a_mixture_of_experts_costs_what_a_token_uses(catalog: Catalog) -> None:
    assert catalog.parameters("DeepSeek-R1") == 37_000_000_000
    assert catalog.all_parameters("DeepSeek-R1") == 671_026_419_200
    assert catalog.parameters("nobody") is catalog.all_parameters("nobody") is None


def test_users_entries_go_over_the_shipped_ones(tmp_path: Path, no_user_catalog: Path) -> None:
    no_user_catalog.parent.mkdir()
    no_user_catalog.write_text(
        '[policies."Mine-3B"]\nparameters = 3\nfamily = "Mine"\n'
        '[prms."Skywork-PRM-7B"]\nparameters = 7\nprocess_bench_f1 = 50.5\n'
    )
    given = tmp_path / "mine.toml"
    given.write_text('[policies."Mine-3B"]\nparameters = 4\nfamily = "Mine"\nhub = "me/mine"\n')
    users, both = load_catalog(), load_catalog(given)
    assert users.parameters("Mine-3B") == 3
    assert both.parameters("me/mine") == 4
    scorer = both.prm("Skywork-PRM-7B")
    assert scorer is not None and scorer.process_bench_f1 == 50.5
    assert both.policy("Llama-3.2-1B-Instruct") is not None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[policies", "not TOML"),
        (
            "[models.x]\nparameters = 1",
            "models is not known; expected the tables policies and prms",
        ),
        ("policies = 3", 'policies is 3; expected tables [policies."NAME"]'),
        ("[policies]\nx = 3", 'policies."x" is 3; expected a table'),
        ("[policies.x]\nparameters = 1", 'policies."x": family is missing'),
        ("[prms.x]\nhub = 'a/b'", 'prms."x": parameters is missing'),
        ("[policies.x]\nparameters = '7B'", "policies.\"x\".parameters is '7B'; expected a whole"),
        ("[policies.x]\nparameters = true", 'policies."x".parameters is True; expected a whole'),
        ("[policies.x]\nparameters = 0", 'policies."x".parameters is 0; expected a whole number'),
        (
            "[policies.x]\nsize = 1",
            'policies."x".size is not known; expected one of parameters, family',
        ),
        ("[policies.x]\nfamily = ''", "policies.\"x\".family is ''; expected text"),
        ("[prms.x]\ntrained_on = 'y'", "prms.\"x\".trained_on is 'y'; expected a list"),
        (
            "[prms.x]\nprocess_bench_f1 = 101",
            'prms."x".process_bench_f1 is 101; expected a percent',
        ),
        ("[prms.x]\nconvention = 'y'", "prms.\"x\".convention is 'y'; expected one of reward_head"),
    ],
)
def test_a_wrong_entry_is_one_line_with_file_and_key(
    tmp_path: Path, content: str, message: str
) -> None:
    given = tmp_path / "mine.toml"
    given.write_text(content)
    with pytest.raises(InputError) as caught:
        load_catalog(given)
    assert str(caught.value).startswith(f"catalog {given}: ")
    assert message in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: no such file"):
        load_catalog(tmp_path / "none.toml")


# Where it is used


def test_commands_that_run_models_take_catalog_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = ["profile", "--problems", "p.jsonl", "--policy", "Qwen2.5-7B-Instruct"]
    line += ["--prm", "Skywork-PRM-7B"]
    found = build_parser().parse_args(line)
    assert found.policy == "Qwen/Qwen2.5-7B-Instruct"
    assert found.prm == "Skywork/Skywork-o1-Open-PRM-Qwen-2.5-7B"
    (tmp_path / "Qwen2.5-7B-Instruct").mkdir()  # a folder of that name is meant
    assert build_parser().parse_args(line).policy == "Qwen2.5-7B-Instruct"


def test_a_broken_catalog_of_the_users_is_an_error_of_the_command_line(
    no_user_catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    no_user_catalog.parent.mkdir()
    no_user_catalog.write_text("[policies.x]\nparameters = 1\n")
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["profile", "--problems", "p", "--policy", "any"])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert 'policies."x": family is missing' in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "system"),
    [("Qwen/Qwen2.5-7B-Instruct", "Please reason"), ("meta-llama/Llama-3.2-1B-Instruct", None)],
)
def test_a_policy_from_the_hub_is_asked_with_its_template(
    name: str, system: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        model_ref, "resolve", lambda name, role, say, access: Checkpoint(name, name)
    )
    template = model_ref.template_of(model_ref.find_policy(name))
    assert (template.system or "")[: len(system or "")] == (system or "")
    assert (template.system is None) == (system is None)
