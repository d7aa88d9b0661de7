"""Names become checkpoints: bundled models, folders, and a line for what is neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.loading import resolve
from executor.models.bundled import bundled


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a policy and a PRM, configs only."""
    for name, kind in (("writer", "LlamaForCausalLM"), ("judge", "LlamaForSequenceClassification")):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"architectures": [kind]}))
    monkeypatch.setattr("executor.models.bundled.data_folder", lambda: tmp_path)
    return tmp_path / "models"


def test_bundled_models_are_known_by_what_they_can_do(models: Path) -> None:
    assert (bundled("policy"), bundled("PRM")) == (["writer"], ["judge"])


def test_a_bundled_model_is_found_by_its_name_from_anywhere(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    found = resolve("writer", "policy")
    assert (found.name, found.folder) == ("writer", models / "writer")
    assert resolve("judge", "PRM").folder == models / "judge"


def test_a_bundled_prm_is_no_policy(models: Path) -> None:
    with pytest.raises(InputError, match="is a classifier, no language model"):
        resolve("judge", "policy")


def test_an_unknown_name_is_told_with_those_that_are_known(models: Path) -> None:
    known = r"one of smollm2-135m, qwen2\.5-coder-1\.5b, writer, a checkpoint folder, a GGUF file"
    with pytest.raises(InputError, match=known):
        resolve("nobody", "policy")
    with pytest.raises(InputError, match="one of judge, a checkpoint folder made by apportion"):
        resolve("nobody", "PRM")


def test_a_typing_error_is_told_with_the_nearest_name(models: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean writer\?$"):
        resolve("Wirter", "policy")
    with pytest.raises(InputError) as caught:
        resolve("zzz", "policy")
    assert "did you mean" not in str(caught.value)
