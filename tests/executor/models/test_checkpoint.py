"""Names become checkpoints: bundled models, folders, and a line for what is neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from executor.errors import InputError
from executor.models import checkpoint as checkpoints
from executor.models.checkpoint import bundled, resolve, written_whole
from executor.models.templates import PromptTemplate, load_template, template_for


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a policy and a PRM, configs only."""
    for name, kind in (("writer", "LlamaForCausalLM"), ("judge", "LlamaForSequenceClassification")):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"architectures": [kind]}))
    monkeypatch.setattr(checkpoints, "data_folder", lambda: tmp_path)
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
    with pytest.raises(InputError, match="one of smollm2-135m, writer, a checkpoint folder"):
        resolve("nobody", "policy")
    with pytest.raises(InputError, match="one of judge, a checkpoint folder made by apportion"):
        resolve("nobody", "PRM")


def test_a_checkpoint_brings_its_own_template_along(models: Path) -> None:
    asked = PromptTemplate(user="Solve: {problem}")
    (models / "writer" / "apportion_template.json").write_text(json.dumps(asked.to_dict()))
    assert template_for("writer", models / "writer") == asked
    assert template_for("judge", models / "judge") == load_template("default")
    assert template_for("smollm2-135m") == load_template("smollm2-135m")


def test_a_folder_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "made" / "model"
    with written_whole(target) as scratch:
        (scratch / "a").write_text("1")
        assert not target.exists()
    (tmp_path / "like").mkdir()  # as the umask says
    assert target.stat().st_mode == (tmp_path / "like").stat().st_mode

    def interrupted() -> None:
        with written_whole(target) as scratch:
            (scratch / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with written_whole(target, replace=False) as scratch:
        (scratch / "a").write_text("3")
    assert (target / "a").read_text() == "1"
    with written_whole(target) as scratch:
        (scratch / "b").write_text("4")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in target.parent.iterdir()] == [target.name]
