"""Code of a checkpoint runs only if the user says so, and nobody is asked on standard input."""

from __future__ import annotations

import builtins
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from executor.engines.options import EngineOptions, engine_arguments, native_context
from executor.errors import InputError
from executor.files import data_folder
from executor.models.checkpoint import is_on_hub
from executor.models.remote_code import VARIABLE
from executor.models.tokens import load_tokenizer
from planner.cli.main import build_parser
from tests.helpers.command import ROOT

CODE = """
import os, pathlib
pathlib.Path(os.environ["STRANGE_RAN"]).touch()
from transformers import PretrainedConfig, PreTrainedTokenizer

class StrangeConfig(PretrainedConfig):
    model_type = "strange"
    max_position_embeddings = 77

class StrangeTokenizer(PreTrainedTokenizer):
    vocab_size = 1
    def get_vocab(self):
        return {"a": 0}
    def _tokenize(self, text):
        return list(text)
    def _convert_token_to_id(self, token):
        return 0
    def _convert_id_to_token(self, index):
        return "a"
"""
REFUSED = "brings Python code of its own.*--trust-remote-code"


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of an architecture that only its own code knows; asking is an error."""

    def ask(*_: object) -> str:
        raise AssertionError("the user was asked")

    monkeypatch.setattr(builtins, "input", ask)
    monkeypatch.delenv(VARIABLE, raising=False)
    modules = "transformers.dynamic_module_utils.HF_MODULES_CACHE"
    monkeypatch.setattr(modules, str(tmp_path / "modules"))  # Transformers copies the code there
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.setenv("STRANGE_RAN", str(tmp_path / "ran"))
    folder = tmp_path / "strange"
    folder.mkdir()
    auto: dict[str, Any] = {
        "AutoConfig": "strange.StrangeConfig", "AutoTokenizer": ["strange.StrangeTokenizer", None],
    }  # fmt: skip
    config = {"model_type": "strange", "architectures": ["Strange"], "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": auto}))
    (folder / "strange.py").write_text(CODE)
    return folder


# No size is looked for on the hub.
SIZED = EngineOptions(max_model_len=9, kv_cache_gib=0.1)


def ran(folder: Path) -> bool:
    return (folder.parent / "ran").exists()


def test_code_of_a_checkpoint_is_refused_in_one_line(strange: Path) -> None:
    for load in (load_tokenizer, native_context, is_on_hub):
        with pytest.raises(InputError, match=REFUSED) as caught:
            load(str(strange))
        assert "\n" not in str(caught.value)
    assert not ran(strange)
    assert "trust_remote_code" not in engine_arguments("any", SIZED, {})


def test_a_checkpoint_of_a_known_architecture_needs_no_code(strange: Path) -> None:
    shutil.copytree(data_folder() / "models" / "lab-0.4m", strange, dirs_exist_ok=True)
    config = json.loads((strange / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "strange.StrangeConfig"}
    (strange / "config.json").write_text(json.dumps(config))
    assert is_on_hub(str(strange)) and native_context(str(strange)) > 77
    assert load_tokenizer(strange).encode("1")
    assert not ran(strange)


def test_the_option_lets_it_run(strange: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1")
    assert native_context(str(strange)) == 77
    assert ran(strange)
    arguments = engine_arguments("any", SIZED, {})
    assert arguments["trust_remote_code"] is True


def test_every_command_that_loads_models_has_the_option() -> None:
    for words in (
        ["run", "--problems", "p", "--policy", "x", "--strategy", "greedy"],
        ["profile", "--problems", "p", "--policy", "x"],
        ["serve", "--plan", "p"],
        ["demo"],
    ):
        assert build_parser().parse_args([*words, "--trust-remote-code"]).trust_remote_code


def test_every_call_says_whether_code_is_trusted() -> None:
    """Transformers asks on standard input if a call says nothing."""
    silent = []
    for package in ("executor", "profiling", "planner"):
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text(encoding="utf-8")
            for found in re.finditer(r"Auto\w+\.from_(pretrained|config)\(", text):
                depth, end = 1, found.end()
                while depth:
                    depth += {"(": 1, ")": -1}.get(text[end], 0)
                    end += 1
                if "trust_remote_code=" not in text[found.end() : end]:
                    silent.append(f"{file.name}: {text[found.start() : end]}")
    assert not silent
